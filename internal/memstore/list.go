package memstore

import (
	"context"

	"github.com/lockd/lockd/internal/lease"
)

// pageWork is how many leases and gaps a page looks at, whatever share of them is asked for: other
// calls wait meanwhile.
const pageWork = 4096

// List implements lease.Store. Pages are in the order of tokens, and a page's token stands for the last
// fencing token it looked at.
func (s *Store) List(_ context.Context, r lease.ListRequest) (lease.Page, error) {
	after, err := s.pages.parse(r.Token)
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
		if e != nil && e.standsAt(now) && r.Selects(e.name) {
			if len(page.Leases) == r.Size {
				// One more than fits: the next page begins with it.
				page.Next = s.pages.token(last)
				return page, nil
			}
			page.Leases = append(page.Leases, e.lease(now))
		}
		last = slot.token
	}
	if work < len(rest) {
		page.Next = s.pages.token(last)
	}
	return page, nil
}
