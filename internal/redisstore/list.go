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
	// scanCount is how many keys one SCAN looks at, about, if the page has room for as many.
	scanCount = 256
	// scansPerPage bounds the work of a page, whatever share of the keys is asked for.
	scansPerPage = 32
)

// position is where a page begins: at a cursor of SCAN. What SCAN answers there is on one page as a
// whole. Only where even the least that SCAN can answer is more than a page may hold, position says
// how far the page before came: it showed the names up to last.
//
// SCAN may answer more, or less, at the same cursor when keys have come or gone. It has answered the
// same range of keys as before if it goes on at the same cursor, next; otherwise last means nothing,
// and names are shown again rather than passed over.
type position struct {
	cursor uint64
	next   uint64
	last   string
}

func (p position) String() string {
	switch {
	case p.last != "":
		return fmt.Sprintf("%d %d %s", p.cursor, p.next, p.last)
	case p.cursor != 0:
		return strconv.FormatUint(p.cursor, 10)
	}
	return ""
}

func parsePosition(token string) (p position, err error) {
	if token == "" {
		return p, nil
	}
	cursor, rest, cut := strings.Cut(token, " ")
	if p.cursor, err = strconv.ParseUint(cursor, 10, 64); err == nil && cut {
		var next string
		next, p.last, _ = strings.Cut(rest, " ")
		p.next, err = strconv.ParseUint(next, 10, 64)
	}
	if err != nil || cut && p.last == "" {
		return position{}, &lease.InvalidError{Field: "page_token", Problem: "is none that an earlier page answered; want its next_page_token"}
	}
	return p, nil
}

// List implements lease.Store.
func (s *Store) List(ctx context.Context, r lease.ListRequest) (lease.Page, error) {
	at, err := parsePosition(r.Token)
	if err != nil {
		return lease.Page{}, err
	}
	var page lease.Page
	count := min(scanCount, r.Size)
	for range scansPerPage {
		names, next, err := s.scan(ctx, at, r.Prefix, count)
		if err != nil {
			return lease.Page{}, err
		}
		room := r.Size - len(page.Leases)
		switch {
		case len(names) <= room:
			if err := s.show(ctx, &page, names); err != nil {
				return lease.Page{}, err
			}
			at = position{cursor: next}
			if page.Next = at.String(); next == 0 {
				return page, nil
			}
		case len(page.Leases) > 0:
			return page, nil // the next page begins here, and has room
		case count > 1:
			count /= 2
		default:
			page.Next = position{cursor: at.cursor, next: next, last: names[room-1]}.String()
			return page, s.show(ctx, &page, names[:room])
		}
	}
	if page.Next == "" {
		page.Next = at.String()
	}
	return page, nil
}

// show adds those of names that are held to the page. What is no lease is not listed.
func (s *Store) show(ctx context.Context, page *lease.Page, names []string) error {
	if len(names) == 0 {
		return nil
	}
	found, err := s.look(ctx, names)
	if err != nil && !errors.Is(err, errForeign) {
		return err
	}
	page.Leases = append(page.Leases, found...)
	return nil
}

// scan answers, in order, the names under prefix that SCAN finds at a position, and the next cursor.
func (s *Store) scan(ctx context.Context, at position, prefix string, count int) ([]string, uint64, error) {
	if at.last != "" {
		count = 1 // as when it was cut
	}
	found, next, err := s.client.Scan(ctx, at.cursor, s.keys.locksUnder(prefix), int64(count)).Result()
	if err != nil {
		return nil, 0, fmt.Errorf("list: %w: %w", lease.ErrUnavailable, err)
	}
	last := at.last
	if next != at.next {
		last = ""
	}
	names := make([]string, 0, len(found))
	for _, key := range found {
		name, ok := s.keys.name(key)
		if ok && lease.CheckName(name) == nil && lease.Under(name, prefix) && name > last {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), next, nil
}
