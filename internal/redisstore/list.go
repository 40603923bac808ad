package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lockd/lockd/internal/lease"
)

const (
	// scanCount is how many keys one SCAN looks at, about.
	scanCount = 256
	// scansPerPage bounds the work of a page, whatever share of the keys is asked for.
	scansPerPage = 16
)

// position is where a page begins: after name last among the keys that SCAN answers at cursor. SCAN
// may answer more keys than a page has room for; the rest is asked for again at the same cursor.
// A key that stood throughout is never passed over: SCAN answers it at that cursor or at a later one.
type position struct {
	cursor uint64
	last   string
}

func (p position) String() string {
	if p == (position{}) {
		return ""
	}
	return strconv.FormatUint(p.cursor, 10) + " " + p.last
}

func parsePosition(token string) (position, error) {
	if token == "" {
		return position{}, nil
	}
	cursor, last, ok := strings.Cut(token, " ")
	n, err := strconv.ParseUint(cursor, 10, 64)
	if !ok || err != nil {
		return position{}, &lease.InvalidError{Field: "page_token", Problem: "is none that an earlier page answered; want its next_page_token"}
	}
	return position{cursor: n, last: last}, nil
}

// List implements lease.Store.
func (s *Store) List(ctx context.Context, r lease.ListRequest) (lease.Page, error) {
	at, err := parsePosition(r.Token)
	if err != nil {
		return lease.Page{}, err
	}
	var page lease.Page
	for range scansPerPage {
		names, next, err := s.scan(ctx, at, r.Prefix)
		if err != nil {
			return lease.Page{}, err
		}
		room := r.Size - len(page.Leases)
		full := len(names) > room
		if full {
			names = names[:room]
		}
		if len(names) > 0 {
			found, err := s.look(ctx, names)
			if err != nil && !errors.Is(err, errForeign) { // what is no lease is not listed
				return lease.Page{}, err
			}
			page.Leases = append(page.Leases, found...)
		}
		switch {
		case full:
			if room > 0 {
				at.last = names[room-1]
			}
			page.Next = at.String()
			return page, nil
		case next == 0:
			return page, nil
		}
		at = position{cursor: next}
		page.Next = at.String()
	}
	return page, nil
}

// scan answers, in order, the names under prefix that SCAN finds at a position, and the next cursor.
func (s *Store) scan(ctx context.Context, at position, prefix string) ([]string, uint64, error) {
	found, next, err := s.client.Scan(ctx, at.cursor, s.keys.locksUnder(prefix), scanCount).Result()
	if err != nil {
		return nil, 0, fmt.Errorf("list: %w: %w", lease.ErrUnavailable, err)
	}
	names := make([]string, 0, len(found))
	for _, key := range found {
		name, ok := s.keys.name(key)
		if ok && lease.CheckName(name) == nil && lease.Under(name, prefix) && name > at.last {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), next, nil
}
