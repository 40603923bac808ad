package redlock

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/lease/leasetest"
	"github.com/lockd/lockd/test/redisproc"
)

// age has the lease of a lock's key granted that much earlier.
func age(t *testing.T, c *redis.Client, key string, by time.Duration) error {
	const since = 7 // field of the value, see scripts/value.lua
	value, err := c.Get(t.Context(), key).Result()
	if err != nil {
		return err
	}
	fields := strings.Split(value, "|")
	was, err := strconv.ParseInt(fields[since], 10, 64)
	if err != nil {
		return err
	}
	fields[since] = strconv.FormatInt(was-by.Microseconds(), 10)
	return c.Set(t.Context(), key, strings.Join(fields, "|"), redis.KeepTTL).Err()
}

func TestContract(t *testing.T) {
	leasetest.Run(t, func(t *testing.T) leasetest.Subject {
		servers := redisproc.SharedNodes(t, 3)
		urls := restricted(t, servers) // what is tested is tested with the rights of docs/operations.md
		s := openingAt(t, urls, callTimeout)
		expireIn := func(t *testing.T, name string, left func(l lease.Lease) time.Duration) {
			t.Helper()
			found, err := s.look(name, time.Now().Add(callTimeout))
			if err != nil || found == nil {
				t.Fatalf("look(%q) = %v, %v, want a lease", name, found, err)
			}
			each(t, servers, func(c *redis.Client) error {
				return c.PExpire(t.Context(), s.keys.lock(name), left(found.lease)).Err()
			})
		}
		return leasetest.Subject{
			Store:   s,
			Beside:  func(t *testing.T) lease.Store { return openingAt(t, urls, callTimeout) },
			OwnLine: true,
			Expire: func(t *testing.T, name string) {
				expireIn(t, name, func(l lease.Lease) time.Duration { return l.Delay })
				s.lines.freed(name, "")
			},
			Open: func(t *testing.T, name string) {
				expireIn(t, name, func(lease.Lease) time.Duration { return 0 })
				s.lines.freed(name, "")
			},
			Forget: func(t *testing.T, name string, id lease.ID) {
				t.Helper()
				now := s.lines.lock()
				defer s.lines.unlock()
				p := s.lines.book.Place(name, id, now)
				if p == nil || !p.Away() {
					t.Fatalf("the place of %s in the line of %q = %+v, want one that is kept", id, name, p)
				}
				s.lines.book.Take(p)
			},
			Grace: func(t *testing.T, name string) {
				expireIn(t, name, func(l lease.Lease) time.Duration { return l.Delay + lease.Grace(l.TTL)/2 })
			},
			Age: func(t *testing.T, name string, by time.Duration) {
				t.Helper()
				for end := time.Now().Add(callTimeout); ; { // the last node may be asked still
					found, err := s.look(name, end)
					if err != nil || found == nil {
						t.Fatalf("look(%q) = %v, %v, want a lease", name, found, err)
					}
					if found.nodes == len(servers) {
						break
					}
				}
				each(t, servers, func(c *redis.Client) error { return age(t, c, s.keys.lock(name), by) })
			},
		}
	})
}
