package memstore

import (
	"context"
	"strconv"

	"github.com/lockd/lockd/internal/lease"
)

// pageWork is how many leases and gaps a page looks at, whatever share of them is asked for: other
// calls wait meanwhile.
const pageWork = 4096

// List implements lease.Store. Pages are in the order of tokens, and a page's token is the last
// fencing token it looked at.
func (s *Store) List(_ context.Context, r lease.ListRequest) (lease.Page, error) {
	after, err := parsePageToken(r.Token)
	if err != nil {
		return lease.Page{}, err
	}
	now := s.lock()
	defer s.unlock(now)
	rest := s.granted.after(after)
	work := min(len(rest), pageWork)
	var page lease.Page
	last := after
	for _, slot := range rest[:work] {
		e := slot.lease
		if e != nil && e.inForceAt(now) && r.Selects(e.name) {
			if len(page.Leases) == r.Size {
				// One more than fits: the next page begins with it.
				page.Next = pageToken(last)
				return page, nil
			}
			page.Leases = append(page.Leases, e.lease(now))
		}
		last = slot.token
	}
	if work < len(rest) {
		page.Next = pageToken(last)
	}
	return page, nil
}

func pageToken(last lease.Token) string { return strconv.FormatInt(int64(last), 10) }

func parsePageToken(token string) (lease.Token, error) {
	if token == "" {
		return 0, nil
	}
	last, err := strconv.ParseInt(token, 10, 64)
	if err != nil || last <= 0 || lease.Token(last) >= lease.MaxToken {
		return 0, &lease.InvalidError{Field: "page_token", Problem: "is none of this store's; want the next_page_token of the page before"}
	}
	return lease.Token(last), nil
}
