package redlock

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redisconn"
)

const (
	// callTimeout bounds every call, whatever the nodes' own deadline.
	callTimeout = 500 * time.Millisecond
)

// Store keeps leases in a quorum of nodes. It is a lease.Store, safe for concurrent use.
type Store struct {
	group    *group
	keys     keys
	timeout  time.Duration // see Config.NodeTimeout
	instance string        // this process: random, new at every start
	queues   []*queue
	owed     []*owed // by each node
	bare     bare
	execs    atomic.Uint64

	order    sync.Mutex   // of what is put, at all nodes
	proposed int64        // guarded by order
	seen     atomic.Int64 // the largest fence of any node

	lines   *lines
	watches *watches
	repairs repairs

	crew     *crew
	errands  *errands
	counting sync.WaitGroup // redsync's goroutines
	cancel   context.CancelFunc
	running  sync.WaitGroup // whatever runs until Close
}

// Open finds the group that the nodes are, or founds one if they are new. It tries for up to 4 s. Errors:
// redisconn.ErrUnreachable, *redisconn.RefusedError, or what c.Check says.
func Open(ctx context.Context, c Config) (*Store, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	g, err := openGroup(ctx, c.group())
	if err != nil {
		return nil, err
	}
	s := &Store{
		group: g, keys: newKeys(c.KeyPrefix), timeout: c.NodeTimeout,
		instance: fmt.Sprintf("%016x", rand.Uint64()), crew: new(crew),
	}
	s.errands = new(errands)
	s.errands.ctx, s.cancel = context.WithCancel(context.Background())
	for i, n := range g.nodes {
		s.queues, s.owed = append(s.queues, newQueue(s, i, n)), append(s.owed, newOwed(s, i))
	}
	s.lines, s.watches = newLines(s), newWatches(s)
	for i := range s.queues {
		s.running.Go(func() { s.keepListening(s.errands.ctx, i) })
		s.running.Go(func() { s.owed[i].run(s.errands.ctx) })
	}
	return s, nil
}

// Close ends what the store does by itself, and every connection. Who stands in line here is away from then on.
func (s *Store) Close() error {
	s.lines.close()
	s.crew.stop()
	s.watches.close()
	s.errands.stop(s.cancel)
	for _, q := range s.queues {
		q.stop()
	}
	s.counting.Wait()
	s.running.Wait()
	return s.group.close()
}

// Start implements lease.Store. What is asked is put to the nodes in the order of calls; somebody else waits for the answers.
func (s *Store) Start(calls []*lease.Call) {
	for _, c := range calls {
		settle := s.begin(c)
		s.crew.start(func() { c.To.Settled(settle()) })
	}
}

// begin asks the nodes for what c wants, and returns what waits for what comes of it.
func (s *Store) begin(c *lease.Call) func() lease.Result {
	switch {
	case c.Acquire != nil:
		return s.beginAcquire(*c.Acquire, c.Deadline)
	case c.Renew != nil:
		r := s.newRound(renewing(*c.Renew, c.Deadline), nil)
		s.put(r)
		return func() (got lease.Result) {
			got.Lease, got.Err = s.renew(r, *c.Renew)
			return got
		}
	default:
		s.repairs.releasing(c.Release.ID)
		r := s.newRound(releasing(*c.Release, c.Deadline), nil)
		r.done = answeredIt
		s.put(r)
		return func() (got lease.Result) {
			got.Released, got.Err = s.release(r, *c.Release)
			return got
		}
	}
}

func (s *Store) beginAcquire(a lease.Acquisition, until time.Time) func() lease.Result {
	var r *round
	e, err := s.lines.enter(a)
	if err == nil {
		err = s.group.remembers(a)
	}
	if err == nil && a.Told == 0 {
		r, err = s.propose(e.as(a), e.flags, e.wants, until)
	}
	if err != nil {
		err = fmt.Errorf("acquire %q: %w", a.Name, err)
		return func() lease.Result { return lease.Result{Err: err} }
	}
	return func() (got lease.Result) {
		got.Lease, got.Err = s.acquire(a, until, r, e)
		return got
	}
}

// Acquire implements lease.Store.
func (s *Store) Acquire(ctx context.Context, a lease.Acquisition) (lease.Lease, error) {
	got := lease.Await(ctx, s, &lease.Call{Acquire: &a})
	return got.Lease, got.Err
}

// Renew implements lease.Store.
func (s *Store) Renew(ctx context.Context, r lease.Renewal) (lease.Lease, error) {
	got := lease.Await(ctx, s, &lease.Call{Renew: &r})
	return got.Lease, got.Err
}

// Release implements lease.Store.
func (s *Store) Release(ctx context.Context, r lease.ReleaseRequest) (lease.Released, error) {
	got := lease.Await(ctx, s, &lease.Call{Release: &r})
	return got.Released, got.Err
}

// heard takes what a node says with every answer: its fence, and how many listen to events there.
func (s *Store) heard(node int, fence, listening any) {
	text, _ := fence.(string)
	n, _ := strconv.ParseInt(text, 10, 64)
	for seen := s.seen.Load(); n > seen && !s.seen.CompareAndSwap(seen, n); seen = s.seen.Load() {
	}
	count, _ := listening.(int64)
	s.watches.listening[node].Store(count)
	s.owed[node].answering()
}

// Pools answers what is open to each node now, for scripts.
func (s *Store) Pools() (all []redisconn.Pool) {
	for _, n := range s.group.nodes {
		all = append(all, redisconn.PoolOf(n.address, n.client))
	}
	return all
}

// nextExec tells the executions here apart.
func (s *Store) nextExec() string { return strconv.FormatUint(s.execs.Add(1), 16) }

// Status implements lease.Store.
func (s *Store) Status() lease.Status {
	status := lease.Status{Kind: "redlock"}
	status.Nodes, status.Refusal, status.Warnings = s.group.status()
	if warning := s.bareWarning(); warning != "" {
		status.Warnings = append(status.Warnings, warning)
	}
	for _, n := range s.group.nodes {
		status.Desynchronised += n.desync.Load()
	}
	return status
}
