package redlock

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lockd/lockd/internal/redlock/ballot"
)

// maxBare is how many names are known at most; of more, Status tells this number.
const maxBare = 1 << 16

// bare are the leases that stood on no more nodes than decide when they were last granted or renewed through this server. One more
// node that fails loses them. It is for Status: nothing is decided by it.
type bare struct {
	some atomic.Bool // there may be any

	mu    sync.Mutex
	until map[string]time.Time // when it has surely run out, by name
}

func (b *bare) note(name string, until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until == nil {
		b.until = make(map[string]time.Time)
	}
	if len(b.until) < maxBare {
		b.until[name] = until
		b.some.Store(true)
	}
}

// forget is for a name that is on more nodes now, or free.
func (b *bare) forget(name string) {
	if !b.some.Load() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.until, name)
	b.some.Store(len(b.until) > 0)
}

// count forgets those that have run out, and answers how many are left.
func (b *bare) count(now time.Time) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, until := range b.until {
		if !now.Before(until) {
			delete(b.until, name)
		}
	}
	b.some.Store(len(b.until) > 0)
	return len(b.until)
}

// standing answers what is to be told of each seat of a round that a quorum decided for token, and notes by how many more it stands.
func (s *Store) standing(name string, token int64, whole time.Duration) func(*seat) {
	var stands, missing atomic.Int32
	n := len(s.queues)
	q := ballot.Quorum(n)
	return func(said *seat) {
		if said.said.Kind == ballot.Stands && said.said.Token <= token { // if it is less, the token is being written there
			if int(stands.Add(1)) == q+1 {
				s.bare.forget(name)
			}
		} else if int(missing.Add(1)) == n-q {
			s.bare.note(name, time.Now().Add(whole))
		}
	}
}

// bareWarning is what an operator should know of leases that bear no failure more; "" if there is none.
func (s *Store) bareWarning() string {
	count, n := s.bare.count(time.Now()), len(s.queues)
	if count == 0 {
		return ""
	}
	return fmt.Sprintf("%d leases stand on %d of %d nodes, as of when they were last granted or renewed here: one more node that fails loses them", count, ballot.Quorum(n), n)
}
