// Package redisstore keeps leases in one Redis, by scripts that check and write in one step.
//
// A lease is a string key that expires with the lease and its grace; the fencing token comes from
// one fence per shard that never expires and never goes back, also not when Redis lost its data,
// as long as its clock does not step back by more than the outage. What holds under which
// assumption is in docs/guarantees.md. In particular a Redis that loses acknowledged writes in a
// crash can let two holders hold one name; their tokens still differ and increase.
package redisstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
)

// maxSkew is how far this process's clock and Redis's may be apart while new leases are granted.
// Tokens grow by the clock after a wipe, and keys expire by it: beyond this neither is trusted.
const maxSkew = 2 * time.Second

// Store keeps leases in one Redis. It is a lease.Store, safe for concurrent use.
type Store struct {
	address string
	client  *redis.Client
	conns   *connections
	keys    keys
	clock   *clock
	calls   chan struct{} // holds one for each script call under way; see maxCalls
	notice  func(string)

	refusal        atomic.Pointer[string] // why nothing new is granted, as last checked; never nil
	desynchronised atomic.Int64
	node           atomic.Pointer[checked] // as last checked; never nil

	stop    context.CancelFunc
	running sync.WaitGroup // the checker
}

// Open connects, checks that leases may be kept there and goes on checking until Close. It tries
// for up to 4 s. Errors: ErrUnreachable, *RefusedError, or what c.Check says.
func Open(ctx context.Context, c Config) (*Store, error) {
	options, err := c.options()
	if err != nil {
		return nil, err
	}
	s := &Store{address: options.Addr, conns: newConnections(), keys: newKeys(c.KeyPrefix), clock: newClock(), calls: make(chan struct{}, maxCalls), notice: c.Notice}
	if s.notice == nil {
		s.notice = func(string) {}
	}
	options.Dialer = s.conns.dial
	options.OnConnect = s.onConnect
	s.client = redis.NewClient(options)
	s.refusal.Store(new(string))
	s.node.Store(&checked{node: lease.Node{Address: s.address}})
	if err := s.firstCheck(ctx); err != nil {
		return nil, errors.Join(err, s.client.Close())
	}
	var running context.Context
	running, s.stop = context.WithCancel(context.Background())
	s.running.Go(func() { s.keepChecking(running) })
	return s, nil
}

// Close ends the checks and closes every connection.
func (s *Store) Close() error {
	s.stop()
	s.running.Wait()
	return s.client.Close()
}

// Acquire implements lease.Store.
func (s *Store) Acquire(ctx context.Context, a lease.Acquisition) (lease.Lease, error) {
	for try := 1; ; try++ {
		granted, err := s.acquireOnce(ctx, a)
		// Late by our own reckoning of Redis's clock, which that answer has just mended: nothing was
		// done, and what is left of the call is enough to be on time.
		if errors.Is(err, errLate) && try < 3 && ctx.Err() == nil {
			continue
		}
		return granted, err
	}
}

func (s *Store) acquireOnce(ctx context.Context, a lease.Acquisition) (lease.Lease, error) {
	deadline, _ := ctx.Deadline()
	payload, err := encodePayload(a.Owner, a.Metadata)
	if err != nil {
		return lease.Lease{}, fmt.Errorf("acquire %q: %w", a.Name, err)
	}
	grants := 1
	if *s.refusal.Load() != "" {
		grants = 0
	}
	keys := []string{s.keys.fence(), s.keys.lock(a.Name)}
	reply, err := s.runOne(ctx, acquireScript, keys,
		time.Now().UnixMicro(), s.clock.at(deadline), maxSkew.Microseconds(), grants,
		string(a.ID), a.Tag.Attempt, a.Tag.Exec, int64(a.Told), a.TTL.Milliseconds(), px(a.TTL), payload)
	if err != nil {
		return lease.Lease{}, s.failed("acquire", a.Name, err)
	}
	l, err := s.decodeAcquire(a.Name, reply)
	if err != nil {
		return lease.Lease{}, fmt.Errorf("acquire %q: %w", a.Name, err)
	}
	return l, nil
}

// decodeAcquire turns an operation's reply, see acquire.lua, into a lease or an error.
func (s *Store) decodeAcquire(name string, r reply) (lease.Lease, error) {
	switch r.kind() {
	case "GRANTED":
		return r.lease(name, r.millis(2), r.millis(3))
	case "HELD":
		holder, err := r.lease(name, 0, r.millis(2))
		if err != nil {
			return lease.Lease{}, err
		}
		return lease.Lease{}, &lease.HeldError{Holder: holder}
	case "SUPERSEDED":
		return lease.Lease{}, lease.ErrSuperseded
	case "LOST":
		return lease.Lease{}, lease.ErrLost
	case "LATE":
		return lease.Lease{}, errLate
	case "REFUSED":
		return lease.Lease{}, fmt.Errorf("%w: %s", lease.ErrGrantsRefused, *s.refusal.Load())
	case "SKEW":
		skew, _ := strconv.ParseInt(r.text(1), 10, 64)
		return lease.Lease{}, fmt.Errorf("%w: %s", lease.ErrGrantsRefused, skewProblem(time.Duration(skew)*time.Microsecond))
	default:
		return lease.Lease{}, r.problem()
	}
}

// Undo implements lease.Store. It repeats until Redis's own clock says that the execution can
// arrive no more; what arrived before that has then been seen.
func (s *Store) Undo(ctx context.Context, u lease.Undoing) error {
	// Half a second beyond the deadline covers what our reckoning of Redis's clock may be off by:
	// it is learnt from replies that were under way for no longer than that.
	sure := u.Deadline.Add(callTimeout)
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		call, cancel := context.WithTimeout(ctx, callTimeout)
		at, err := s.undoOnce(call, u)
		cancel()
		if err == nil && at > s.clock.at(sure) {
			return nil
		}
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("undo on %q: %w", u.Name, lease.ErrUnknown)
		}
	}
}

// undoOnce answers Redis's TIME in µs at which the execution was not, or no longer, in force.
func (s *Store) undoOnce(ctx context.Context, u lease.Undoing) (int64, error) {
	answer, err := s.run(ctx, undoScript, []string{s.keys.lock(u.Name)}, string(u.ID), u.Tag.Attempt, u.Tag.Exec)
	if err != nil {
		return 0, s.failed("undo", u.Name, err)
	}
	return answer.time, nil
}

// Renew implements lease.Store.
func (s *Store) Renew(ctx context.Context, r lease.Renewal) (lease.Lease, error) {
	reply, err := s.runOne(ctx, renewScript, []string{s.keys.lock(r.Name)}, string(r.ID), r.TTL.Milliseconds(), px(r.TTL))
	if err != nil {
		return lease.Lease{}, s.failed("renew", r.Name, err)
	}
	switch reply.kind() {
	case "RENEWED":
		return reply.lease(r.Name, reply.millis(2), reply.millis(3))
	case "LOST":
		return lease.Lease{}, fmt.Errorf("renew %q: %w", r.Name, lease.ErrLost)
	default:
		return lease.Lease{}, fmt.Errorf("renew %q: %w", r.Name, reply.problem())
	}
}

// Release implements lease.Store.
func (s *Store) Release(ctx context.Context, r lease.ReleaseRequest) (lease.Released, error) {
	reply, err := s.runOne(ctx, releaseScript, []string{s.keys.lock(r.Name)}, string(r.ID))
	if err != nil {
		return lease.Released{}, s.failed("release", r.Name, err)
	}
	switch reply.kind() {
	case "HELD":
		// Attempts before the one that stood may be on their way still, each able to grant anew.
		once := reply.number(1) == 1 && reply.text(2) != lease.ExecReplayed
		return lease.Released{Outcome: lease.Held, Repeat: !once}, nil
	case "GONE":
		return lease.Released{Outcome: lease.Gone, Repeat: true}, nil
	case "OTHER":
		return lease.Released{Outcome: lease.HeldByOther, Repeat: true}, nil
	default:
		return lease.Released{}, fmt.Errorf("release %q: %w", r.Name, reply.problem())
	}
}

// ForceRelease implements lease.Store.
func (s *Store) ForceRelease(ctx context.Context, r lease.ForceRequest) (lease.Lease, error) {
	reply, err := s.runOne(ctx, forceScript, []string{s.keys.fence(), s.keys.lock(r.Name)}, int64(r.Token))
	if err != nil {
		return lease.Lease{}, s.failed("force-release", r.Name, err)
	}
	if reply.kind() != "FORCED" && reply.kind() != "STALE" {
		return lease.Lease{}, fmt.Errorf("force-release %q: %w", r.Name, reply.problem())
	}
	stale := &lease.TokenError{Name: r.Name, Token: r.Token}
	if len(reply) == 1 {
		return lease.Lease{}, stale
	}
	held, err := reply.lease(r.Name, 0, reply.millis(2))
	if err != nil {
		return lease.Lease{}, fmt.Errorf("force-release %q: %w", r.Name, err)
	}
	if reply.kind() == "STALE" {
		stale.InForce = &held
		return lease.Lease{}, stale
	}
	return held, nil
}

// Get implements lease.Store.
func (s *Store) Get(ctx context.Context, r lease.GetRequest) (lease.Lease, bool, error) {
	found, err := s.look(ctx, []string{r.Name})
	if err != nil || len(found) == 0 {
		return lease.Lease{}, false, err
	}
	return found[0], true, nil
}

// look answers the leases among names that are held. With errForeign the others are answered still.
func (s *Store) look(ctx context.Context, names []string) (found []lease.Lease, foreign error) {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = s.keys.lock(name)
	}
	answer, err := s.run(ctx, lookScript, keys)
	if err != nil {
		return nil, s.failed("look at", names[0], err)
	}
	for i, reply := range answer.replies {
		if reply.kind() == "FREE" {
			continue
		}
		l, err := reply.lease(names[i], 0, reply.millis(2)) // an ERROR's text is no lock either
		if err != nil {
			foreign = fmt.Errorf("look at %q: %w", names[i], err)
			continue
		}
		found = append(found, l)
	}
	return found, foreign
}

// px is what a lock key of ttl is set to expire after, in milliseconds: the grace is the store's.
func px(ttl time.Duration) int64 { return (ttl + lease.Grace(ttl)).Milliseconds() }
