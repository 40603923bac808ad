package redisstore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redisconn"
)

// The line itself is in Redis; see scripts/line.lua. Here is what this process does for those who wait
// in it: it tells them that their turn has come, takes up what another process handed them, and
// looks again where an answer or a message may have been lost.

const (
	// maxErrands bounds what is done at once for those who wait, at each node of a Cluster; more waits, or is left to the next beat.
	maxErrands = 256
	// maxOwed bounds what is undone at once for those who have gone. It takes as long as Redis is away, so it takes no
	// room from errands.
	maxOwed = 256
	// healAfter is when a name is looked at whose call had no answer: what it handed over must be told.
	healAfter = 20 * time.Millisecond
	// promoteAgain is when a name is looked at whose line could not go on.
	promoteAgain = 400 * time.Millisecond
	// unansweredAgain is when a name is looked at after a look that had no answer. When Redis is back
	// sooner, the subscription says so.
	unansweredAgain = 2 * time.Second
	// roomAgain is when a name is looked at for which too much was under way at its node.
	roomAgain = 100 * time.Millisecond
	// mendersAtOnce is for how many names places are asked for again at once.
	mendersAtOnce = 16
	// longestLook bounds the time between two looks, also at a key that somebody made permanent.
	longestLook = time.Hour
)

// runLine runs a script of line.lua's kind for one name, and does what became of the name. There are
// two replies.
func (s *Store) runLine(ctx context.Context, script *redis.Script, name string, args ...any) (answer, error) {
	head := s.lineHead(name)
	began := time.Now() // before any waiting for a connection: too early is safe
	a, err := s.run(ctx, script, s.keys.ofLine(name), append(head, args...)...)
	if err == nil && len(a.replies) != 2 {
		err = fmt.Errorf("script answered %d replies, want 2", len(a.replies))
	}
	if err != nil {
		if script != promoteScript && script != standingScript && s.waiters.waits(name) {
			s.alarms.arm(name, healAfter)
		}
		return answer{}, err
	}
	if script != standingScript {
		s.handed(name, began, a.replies[1])
	}
	return a, nil
}

// lineHead is what every script of line.lua's kind is told first.
func (s *Store) lineHead(name string) []any {
	return append(s.guard(), name, s.instance, s.keys.channels(), s.failedAt())
}

// handed does what is to be done after a hand-over: see line.lua.
func (s *Store) handed(name string, began time.Time, r reply) {
	switch r.Kind() {
	case "MINE":
		l, err := leaseOf(r, name, 0, r.Millis(2))
		id, tag, ok := holder(r.Text(1))
		if err != nil || !ok {
			return // our own script wrote it
		}
		s.waiters.turn(name, id, tag, lease.Handover{Lease: l, Began: began})
		if s.waiters.waits(name) {
			s.alarms.arm(name, r.Millis(2))
		}
	case "THEIRS":
		s.alarms.arm(name, r.Millis(2)) // whoever it was given to, and whoever waits: it must not end here
	case "CLOSED":
		s.alarms.arm(name, r.Millis(1)) // also if those who wait do so elsewhere: their servers may not hear of it
	case "AGAIN":
		s.alarms.arm(name, 0)
	case "UNCONFIRMED":
		s.alarms.arm(name, healAfter) // it is told when it is asked for again, and confirmed then
	case "STANDS":
		s.alarms.arm(name, promoteAgain)
	}
}

// closed is told that a name was closed for so long: whoever waits would look only when the lease was to be over.
func (s *Store) closed(name string, opensIn time.Duration) {
	if s.waiters.waits(name) {
		s.alarms.arm(name, opensIn)
	}
}

// holder answers who holds a lock of this value, and with which tag.
func holder(value string) (lease.ID, lease.Tag, bool) {
	f := strings.SplitN(value, "|", 4)
	if len(f) != 4 {
		return "", lease.Tag{}, false
	}
	attempt, err := strconv.ParseUint(f[1], 10, 32)
	return lease.ID(f[0]), lease.Tag{Attempt: uint32(attempt), Exec: f[2]}, err == nil
}

// errand does f in the background, unless too much is under way there already.
func (s *Store) errand(f func()) {
	room := s.errandRoom()
	select {
	case room <- struct{}{}:
		s.carryOut(room, f)
	default:
	}
}

// promoteSoon has the name promoted as soon as not too much is under way. Where that is at one node of many, the names
// of the others do not wait for it.
func (s *Store) promoteSoon(name string) {
	room, promote := s.errandRoom(), func() { s.promote(name) }
	select {
	case room <- struct{}{}:
		s.carryOut(room, promote)
		return
	default:
	}
	if s.cluster != nil {
		s.alarms.arm(name, roomAgain)
		return
	}
	select {
	case room <- struct{}{}:
		s.carryOut(room, promote)
	case <-s.background.Done():
	}
}

func (s *Store) carryOut(room redisconn.Room, f func()) {
	s.running.Go(func() {
		defer room.Leave()
		f()
	})
}

// promote hands a free name over, and mends what was missed here: whoever holds the name and was not told
// is, and whoever waits here although nobody stands in line asks again.
func (s *Store) promote(name string) {
	ctx, cancel := context.WithTimeout(s.background, callTimeout)
	defer cancel()
	a, err := s.runLine(ctx, promoteScript, name)
	if err != nil {
		s.alarms.arm(name, unansweredAgain/2+rand.N(unansweredAgain))
		return
	}
	found, waits := a.replies[0], s.waiters.waits(name)
	switch {
	case found.Kind() == "HELD":
		s.lookAtHolder(name, found, waits)
	case found.Kind() == "ERROR" && waits:
		s.alarms.arm(name, 2*time.Second) // somebody's key; it may go
	case a.replies[1].Kind() == "NOBODY" && waits:
		s.waiters.lose(name)
		s.askAgain()
	}
}

func (s *Store) lookAtHolder(name string, found reply, waits bool) {
	id, tag, _ := holder(found.Text(1))
	l, err := leaseOf(found, name, 0, found.Millis(2))
	// Where those in line are nobody's any more somebody has to step over them, or their keys stay for as long
	// as they would have waited.
	if lined := found.Number(3) == 1; err != nil || !waits && !lined {
		return
	}
	if l.Closed > 0 { // the id is nobody's, though who had it may wait again
	} else if here, twice := s.waiters.untold(name, id, tag, l.Token); twice {
		s.askFor(name, id)
	} else if here {
		s.alarms.arm(name, healAfter)
		return
	}
	in := l.FreeIn()
	if in <= 0 {
		in = longestLook // made permanent by hand
	}
	s.alarms.arm(name, min(in, longestLook))
}

// told is given what another process tells of a hand-over to this one, by message or in a note.
func (s *Store) told(text string) {
	const fields = 4
	f := strings.SplitN(text, "|", fields)
	if len(f) != fields {
		return
	}
	// Whether it stands still, and for whom, Redis knows. Should too much be under way, the note is
	// looked at again with the next beat.
	shard := s.of(f[3])
	shard.errand(func() { shard.askFor(f[3], lease.ID(f[0])) })
}

// askFor asks once more for a waiter, with the tag that it has: what was handed to it is taken up, for a
// whole ttl; otherwise it has its place again.
func (s *Store) askFor(name string, id lease.ID) {
	ctx, cancel := context.WithTimeout(s.background, callTimeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	w := s.waiters.askAgain(name, id, deadline)
	if w == nil {
		return
	}
	began := time.Now()
	granted, err := s.insist(ctx, w.a)
	if told := s.waiters.askedAgain(w, granted, began, err); told != 0 {
		s.owe(runsOut(w.a, deadline), func(ctx context.Context) { s.takeBack(ctx, w.a, told) })
	}
}

// takeBack undoes what an asking may have done after the lease told had ended: it has been answered,
// so once is enough. That lease, should it stand still, is left alone.
func (s *Store) takeBack(ctx context.Context, a lease.Acquisition, told lease.Token) {
	for {
		if _, err := s.leave(ctx, lease.Undoing{Name: a.Name, ID: a.ID, Tag: a.Tag}, told); err == nil || !sleep(ctx, promoteAgain) {
			return
		}
	}
}

// askAgain has everybody ask again who may have lost the place: names side by side, each in its order.
// Who could not be asked for is lost still, and asked for after a later beat.
func (s *Store) askAgain() {
	if !s.waiters.anyLost() || !s.mending.CompareAndSwap(false, true) {
		return
	}
	s.running.Go(func() {
		defer s.mending.Store(false)
		var menders sync.WaitGroup
		room := make(chan struct{}, mendersAtOnce)
		for name, ids := range s.waiters.takeLost() {
			room <- struct{}{}
			menders.Go(func() {
				defer func() { <-room }()
				for _, id := range ids {
					s.askFor(name, id)
				}
			})
		}
		menders.Wait()
	})
}
