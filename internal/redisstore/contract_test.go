package redisstore

import (
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/lease/leasetest"
	"github.com/lockd/lockd/test/redisproc"
)

func TestContract(t *testing.T) {
	leasetest.Run(t, func(t *testing.T) leasetest.Subject {
		r := redisproc.Shared(t)
		s, direct := open(t, r.URL()), client(t, r)
		expireIn := func(t *testing.T, name string, left func(ttl time.Duration) time.Duration) {
			t.Helper()
			l, ok, err := s.Get(soon(t), lease.GetRequest{Name: name})
			if err != nil || !ok {
				t.Fatalf("Get(%q) = %v, %v, want a lease", name, ok, err)
			}
			if err := direct.PExpire(t.Context(), s.keys.lock(name), left(l.TTL)).Err(); err != nil {
				t.Fatal(err)
			}
		}
		return leasetest.Subject{
			Store: s,
			Expire: func(t *testing.T, name string) {
				expireIn(t, name, func(time.Duration) time.Duration { return 0 })
			},
			Grace: func(t *testing.T, name string) {
				expireIn(t, name, func(ttl time.Duration) time.Duration { return lease.Grace(ttl) / 2 })
			},
		}
	})
}
