package redisstore

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/redisproc"
)

// plant writes locks around the scripts, many at once.
func plant(t *testing.T, s *Store, c *redis.Client, names []string) {
	t.Helper()
	_, err := c.Pipelined(t.Context(), func(p redis.Pipeliner) error {
		for i, name := range names {
			p.Set(t.Context(), s.keys.lock(name), fmt.Sprintf("%032x|1|a|%d|60000|66000|1|{}", i, i+1), time.Minute)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, c *redis.Client, keys []string) {
	t.Helper()
	if len(keys) == 0 {
		return
	}
	if err := c.Del(t.Context(), keys...).Err(); err != nil {
		t.Fatal(err)
	}
}

// pages reads all pages, and calls after with each.
func pages(t *testing.T, s *Store, size int, after func(lease.Page)) {
	t.Helper()
	r := lease.ListRequest{Size: size}
	for n := 0; ; n++ {
		page, err := s.List(soon(t), r)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Leases) > size {
			t.Fatalf("a page has %d leases, want at most %d", len(page.Leases), size)
		}
		after(page)
		if r.Token = page.Next; r.Token == "" {
			return
		}
		if n > 100_000 {
			t.Fatal("the pages do not end")
		}
	}
}

// Whatever comes and goes between two pages, a lease that stands throughout is on one of them. Redis
// shrinks and grows its table meanwhile, so what SCAN answers at a cursor does change.
func TestListMissesNothingThatStands(t *testing.T) {
	const many = 2000
	names := func(kind string) (all []string) {
		for i := range many {
			all = append(all, fmt.Sprintf("%s/%d", kind, i))
		}
		return all
	}
	for _, size := range []int{1, 3, 50, 100, 1000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			r := redisproc.Shared(t)
			s, c := open(t, r.URL()), client(t, r)
			plant(t, s, c, names("stands"))
			plant(t, s, c, names("goes"))
			missing := map[string]bool{}
			for _, name := range names("stands") {
				missing[name] = true
			}
			seen, came := 0, 0
			pages(t, s, size, func(page lease.Page) {
				var gone []string
				for _, l := range page.Leases {
					delete(missing, l.Name)
					if lease.Under(l.Name, "goes") {
						gone = append(gone, s.keys.lock(l.Name))
					}
				}
				remove(t, c, gone)
				switch seen++; {
				case seen == 3: // most of the rest at once: the table shrinks
					var rest []string
					for _, name := range names("goes")[many/4:] {
						rest = append(rest, s.keys.lock(name))
					}
					remove(t, c, rest)
				case seen%5 == 0 && came < 40: // and grows
					came++
					plant(t, s, c, []string{fmt.Sprintf("comes/%d", came)})
				case seen == 7:
					plant(t, s, c, names("comes"))
				}
			})
			if len(missing) > 0 {
				t.Errorf("%d of %d leases that stood throughout are on no page", len(missing), many)
			}
		})
	}
}
