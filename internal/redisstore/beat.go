package redisstore

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// beatEvery is how often an instance with waiters says that it lives, and hears what it missed: well
	// within lease.Unclaimed, so that a lost message costs nobody the turn.
	beatEvery = 500 * time.Millisecond
	// aliveFor is how old the last beat of a living instance may be: some may fail.
	aliveFor = 3 * time.Second
	// comeBack is how long after others an instance may be back when Redis was started again: some tries of
	// listenAgain, and a beat.
	comeBack = 300 * time.Millisecond
)

// keepBeating says that this process lives for as long as somebody waits here, until ctx ends.
func (s *Store) keepBeating(ctx context.Context) {
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-s.listens: // others have to know
		}
		var beats sync.WaitGroup
		for _, shard := range s.all() {
			shard.waiters.forgetDoubts(time.Now().Add(-2 * callTimeout))
			if len(shard.waiters.all()) > 0 {
				beats.Go(func() {
					shard.dead = shard.beat(ctx, shard.dead)
					shard.askAgain()
				})
			}
		}
		beats.Wait()
	}
}

// beatDue reports whether an asking for a place has to beat as well: whoever has just come to wait here
// must not be taken for dead until the next beat. So all do until one is known to have beaten.
func (s *Store) beatDue() bool {
	last := s.beaten.Load()
	return last == 0 || time.Since(s.clock.Base)-time.Duration(last) >= beatEvery
}

// beatAt notes a beat that succeeded, and began at this time.
func (s *Store) beatAt(began time.Time) { s.beaten.Store(int64(began.Sub(s.clock.Base))) }

// unanswered notes a call that Redis did not serve.
func (s *Store) unanswered() { s.missed.Store(int64(time.Since(s.clock.Base))) }

// failedAt is Redis's TIME, in µs, of the last call that it did not serve; 0: none. Around then all may
// have been silent, and whoever is heard first must not take the others for dead.
func (s *Store) failedAt() int64 {
	last := s.missed.Load()
	if last == 0 {
		return 0
	}
	return s.clock.At(s.clock.Base.Add(time.Duration(last)))
}

// beat is one beat, after one that said who is dead. What it hears of is done in the background.
func (s *Store) beat(ctx context.Context, known []string) (dead []string) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	began := time.Now()
	a, err := s.run(ctx, beatScript, []string{s.keys.beats(), s.keys.given()}, s.instance, s.keys.channels())
	if err != nil || len(a.replies) != 3 {
		return known // the next one is soon
	}
	s.beatAt(began)
	if since := a.replies[0].Decimal(1); s.since.Swap(since) != since {
		s.waiters.loseBefore(since) // others may have passed them over, or Redis lost them
	}
	for i := range a.replies[1] {
		dead = append(dead, a.replies[1].Text(i))
	}
	if slices.ContainsFunc(dead, func(one string) bool { return !slices.Contains(known, one) }) {
		s.lookAtAll() // what was handed to it ran out, and may have been nobody's since
	}
	for i := range a.replies[2] {
		s.told(a.replies[2].Text(i))
	}
	return dead
}

// lookAtAll has every name looked at that somebody waits for here.
func (s *Store) lookAtAll() {
	for _, shard := range s.all() {
		for _, name := range shard.waiters.all() {
			s.alarms.arm(name, 0)
		}
	}
}

// lastBeat takes our beats back, so that nobody here is handed anything any more.
func (s *Store) lastBeat() {
	if s.beaten.Load() == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	_ = s.client.HDel(ctx, s.keys.beats(), s.instance).Err() // otherwise it is noticed within aliveFor
}
