package redlock

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redlock/ballot"
)

const (
	// scanCount is how many keys one SCAN looks at, about, if the page has room for as many.
	scanCount = 256
	// scansPerPage bounds the work of a page, whatever share of the keys is asked for.
	scansPerPage = 16
)

// position is where a page begins: at a cursor of SCAN at one node, and there after the name last, if that is not "". A lease
// stands at a quorum of nodes, so whoever has seen the keys of a quorum has seen every lease that stood throughout,
// some of them several times. Nodes that do not answer are left out as long as a quorum is seen.
type position struct {
	node   int
	seen   int // nodes that have been read to their end
	cursor uint64
	last   string
}

func (p position) String() string {
	return fmt.Sprintf("%d %d %d %s", p.node, p.seen, p.cursor, p.last)
}

var errPosition = &lease.InvalidError{Field: "page_token", Problem: "is none that an earlier page answered; want its next_page_token"}

func (s *Store) parsePosition(token string) (p position, err error) {
	if token == "" {
		return p, nil
	}
	fields := strings.SplitN(token, " ", 4)
	if len(fields) != 4 {
		return p, errPosition
	}
	var errs [3]error
	p.node, errs[0] = strconv.Atoi(fields[0])
	p.seen, errs[1] = strconv.Atoi(fields[1])
	p.cursor, errs[2] = strconv.ParseUint(fields[2], 10, 64)
	p.last = fields[3]
	if errors.Join(errs[:]...) != nil || p.node < 0 || p.node >= len(s.queues) || p.seen < 0 || p.seen > p.node {
		return position{}, errPosition
	}
	return p, nil
}

// List implements lease.Store.
func (s *Store) List(ctx context.Context, r lease.ListRequest) (lease.Page, error) {
	at, err := s.parsePosition(r.Token)
	if err != nil {
		return lease.Page{}, err
	}
	var page lease.Page
	for range scansPerPage {
		room := r.Size - len(page.Leases)
		names, next, err := s.scan(ctx, at, r, min(scanCount, r.Size))
		if err != nil {
			return lease.Page{}, err
		}
		if len(names) > room {
			names = names[:room]
			at.last = names[room-1]
			next = &at
		}
		if err := s.show(ctx, &page, names); err != nil {
			return lease.Page{}, err
		}
		if next == nil {
			page.Next = ""
			return page, nil
		}
		page.Next = next.String()
		if len(page.Leases) == r.Size {
			return page, nil
		}
		at = *next
	}
	return page, nil
}

// scan answers, in order, the names that r selects and SCAN finds at a position, and the next position, nil after the last.
func (s *Store) scan(ctx context.Context, at position, r lease.ListRequest, count int) (names []string, next *position, err error) {
	if at.last != "" {
		count = 1
	}
	call, cancel := context.WithTimeout(ctx, s.nodeTimeout(0))
	defer cancel()
	var keys []string
	n := s.queues[at.node].node
	cursor, err := uint64(0), errAmnesia
	if n.votes() {
		keys, cursor, err = n.looks.Scan(call, at.cursor, s.keys.locksUnder(r.Prefix), int64(count)).Result()
	}
	q := ballot.Quorum(len(s.queues))
	if err != nil {
		if at.seen+len(s.queues)-at.node-1 < q {
			return nil, nil, fmt.Errorf("list: %w: too few nodes answer: node %d: %w", lease.ErrUnavailable, at.node+1, err)
		}
		return nil, &position{node: at.node + 1, seen: at.seen}, nil
	}
	for _, key := range keys {
		if name, ok := s.keys.name(key); ok && lease.CheckName(name) == nil && r.Selects(name) && name > at.last {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	switch {
	case cursor != 0:
		next = &position{node: at.node, seen: at.seen, cursor: cursor}
	case at.seen+1 < q:
		next = &position{node: at.node + 1, seen: at.seen + 1}
	}
	return names, next, nil
}

// show adds those of names that a quorum holds to the page. What is no lease is not listed.
func (s *Store) show(ctx context.Context, page *lease.Page, names []string) error {
	until, _ := ctx.Deadline()
	rounds := make([]*round, len(names))
	for i, name := range names {
		rounds[i] = s.newRound(ask{name: name, kind: kindLook, until: until}, nil)
	}
	s.put(rounds...)
	for i, r := range rounds {
		found, err := r.looked()
		switch {
		case err != nil && errors.Is(err, errForeign):
		case err != nil:
			return fmt.Errorf("list: %q: %w", names[i], err)
		case found != nil:
			page.Leases = append(page.Leases, found.lease)
		}
	}
	return nil
}
