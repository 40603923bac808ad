package redisstore

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
func age(t *testing.T, c redis.UniversalClient, key string, by time.Duration) {
	t.Helper()
	const since = 6 // field of the value, see scripts/value.lua
	value, err := c.Get(t.Context(), key).Result()
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Split(value, "|")
	was, err := strconv.ParseInt(fields[since], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	fields[since] = strconv.FormatInt(was-by.Microseconds(), 10)
	if err := c.Set(t.Context(), key, strings.Join(fields, "|"), redis.KeepTTL).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestContract(t *testing.T) {
	leasetest.Run(t, func(t *testing.T) leasetest.Subject {
		r := redisproc.Shared(t)
		s, direct := open(t, r.URL()), client(t, r)
		expireIn := func(t *testing.T, name string, left func(l lease.Lease) time.Duration) {
			t.Helper()
			standing, err := s.Get(soon(t), lease.GetRequest{Name: name})
			if err != nil || !standing.Held && standing.Lease.Closed == 0 {
				t.Fatalf("Get(%q) = %+v, %v, want a lease", name, standing, err)
			}
			if err := direct.PExpire(t.Context(), s.keys.lock(name), left(standing.Lease)).Err(); err != nil {
				t.Fatal(err)
			}
		}
		return leasetest.Subject{
			Store:  s,
			Beside: func(t *testing.T) lease.Store { return open(t, r.URL()) },
			Expire: func(t *testing.T, name string) {
				expireIn(t, name, func(l lease.Lease) time.Duration { return l.Delay })
				s.promote(name)
			},
			Open: func(t *testing.T, name string) {
				expireIn(t, name, func(lease.Lease) time.Duration { return 0 })
				s.promote(name)
			},
			Forget: func(t *testing.T, name string, id lease.ID) {
				t.Helper()
				if end, err := direct.ZScore(t.Context(), s.keys.queue(name), string(id)).Result(); err != nil || end >= 0 {
					t.Fatalf("the place of %s in the line of %q = %v, %v, want one that is kept", id, name, end, err)
				}
				ended := redis.Z{Score: -1, Member: string(id)}
				if err := direct.ZAdd(t.Context(), s.keys.queue(name), ended).Err(); err != nil {
					t.Fatal(err)
				}
			},
			Grace: func(t *testing.T, name string) {
				expireIn(t, name, func(l lease.Lease) time.Duration { return l.Delay + lease.Grace(l.TTL)/2 })
			},
			Age: func(t *testing.T, name string, by time.Duration) {
				t.Helper()
				age(t, direct, s.keys.lock(name), by)
			},
		}
	})
}
