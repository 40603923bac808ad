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
//
// In a Cluster it is that at one of the masters, which are gone through by address. What moves meanwhile from one that is
// yet to come to one that has been would not be seen: when slots have moved since the first page, or are moving after
// the last, all masters are gone through once more. So a lease is seen whose slot moves once.
type position struct {
	pass     int    // 1 or 2; 0 where there is one Redis
	division string // how the slots were divided when the list began
	address  string // of the master; of the first one after it if that has gone
	cursor   uint64
	next     uint64
	last     string
}

func (p position) String() string {
	text := ""
	switch {
	case p.last != "":
		text = fmt.Sprintf("%d %d %s", p.cursor, p.next, p.last)
	case p.cursor != 0 || p.pass != 0:
		text = strconv.FormatUint(p.cursor, 10)
	}
	if p.pass != 0 {
		text = fmt.Sprintf("%d@%s@%s@%s", p.pass, p.division, p.address, text)
	}
	return text
}

func parsePosition(token string) (p position, err error) {
	if token == "" {
		return p, nil
	}
	const parts = 4
	if f := strings.SplitN(token, "@", parts); len(f) == parts && !strings.Contains(f[0], " ") {
		if p.pass, err = strconv.Atoi(f[0]); err != nil || p.pass < 1 || p.pass > 2 {
			return position{}, errPosition
		}
		p.division, p.address, token = f[1], f[2], f[3]
	}
	cursor, rest, cut := strings.Cut(token, " ")
	if p.cursor, err = strconv.ParseUint(cursor, 10, 64); err == nil && cut {
		var next string
		next, p.last, _ = strings.Cut(rest, " ")
		p.next, err = strconv.ParseUint(next, 10, 64)
	}
	if err != nil || cut && p.last == "" {
		return position{}, errPosition
	}
	return p, nil
}

var errPosition = &lease.InvalidError{Field: "page_token", Problem: "is none that an earlier page answered; want its next_page_token"}

// List implements lease.Store.
func (s *Store) List(ctx context.Context, r lease.ListRequest) (lease.Page, error) {
	at, err := parsePosition(r.Token)
	if err != nil {
		return lease.Page{}, err
	}
	var page lease.Page
	count := min(scanCount, r.Size)
	for range scansPerPage {
		var names []string
		var next position
		names, at, next, err = s.scan(ctx, at, r, count)
		if err != nil {
			return lease.Page{}, err
		}
		room := r.Size - len(page.Leases)
		switch {
		case len(names) <= room:
			if err := s.show(ctx, &page, names); err != nil {
				return lease.Page{}, err
			}
			at = next
			if page.Next = at.String(); at == (position{}) {
				return page, nil
			}
		case len(page.Leases) > 0:
			return page, nil // the next page begins here, and has room
		case count > 1:
			count /= 2
		default:
			at.next, at.last = next.cursor, names[room-1]
			page.Next = at.String()
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

// scan answers, in order, the names that r selects and SCAN finds at a position, or where that is now, and the next
// position, the zero value after the last.
func (s *Store) scan(ctx context.Context, from position, r lease.ListRequest, count int) (names []string, at, next position, err error) {
	at, nodes, err := s.scanned(ctx, from)
	if err == nil && len(nodes.left) == 0 {
		next, err = s.nextNode(ctx, at, nodes)
		return nil, at, next, err
	}
	if err != nil {
		return nil, at, next, err
	}
	if at.last != "" {
		count = 1 // as when it was cut
	}
	glob := s.keys.locksUnder(r.Prefix)
	if s.cluster != nil {
		glob = s.keys.inAnyShard(glob)
	}
	found, cursor, err := nodes.left[0].client.Scan(ctx, at.cursor, glob, int64(count)).Result()
	if err != nil {
		return nil, at, next, fmt.Errorf("list: %w: %w", lease.ErrUnavailable, err)
	}
	last := at.last
	if cursor != at.next {
		last = ""
	}
	for _, key := range found {
		name, ok := s.keys.name(key)
		if ok && s.of(name).keys.lock(name) == key && lease.CheckName(name) == nil && r.Selects(name) && name > last {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if cursor != 0 {
		next = position{pass: at.pass, division: at.division, address: at.address, cursor: cursor}
	} else {
		next, err = s.nextNode(ctx, at, nodes)
	}
	return slices.Compact(names), at, next, err
}
