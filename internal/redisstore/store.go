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
	"github.com/lockd/lockd/internal/redisconn"
)

// Store keeps leases in one Redis. It is a lease.Store, safe for concurrent use.
type Store struct {
	target  redisconn.Target
	address string      // as messages name it
	shared  bool        // see Config.Shared
	claimed atomic.Bool // whether our key prefix has been recorded; see recordPrefix
	// minReplicas is how many replicas have to have a lease before it is told; see replicas.go.
	minReplicas int
	client      redis.UniversalClient
	cluster     *redis.ClusterClient // client, if it is one
	front       *Store               // of a shard: what all share is there; otherwise the Store itself
	shards      []*Store             // of a Cluster's front; see shards.go
	conns       *redisconn.Connections
	keys        keys
	clock       *redisconn.Clock
	calls       redisconn.Room // holds one for each script call under way; see maxCalls
	rooms       *rooms         // a Cluster's front's: calls of each node
	errandRooms *rooms         // and errands
	owedRooms   *rooms         // and undoings that are owed
	clients     clients        // and where each of them is
	members     members        // and who they are
	notice      func(string)
	meters      redisconn.Meters // a front's

	batch *batch
	crew  *crew // asks for names with a line

	refusal        atomic.Pointer[string] // why nothing new is granted, as last checked; never nil
	desynchronised atomic.Int64
	found          atomic.Pointer[checked] // as last checked; never nil
	restarted      atomic.Int64            // when a check last found another run of Redis than before, in ns since 1970; 0: none has

	instance string // this process, for the line: random, new at every start
	waiters  *waiters
	alarms   *alarms
	hub      *hub
	listens  chan struct{}  // has room for one: the subscription has begun anew
	errands  redisconn.Room // holds one for each errand under way; see errand
	owed     redisconn.Room // holds one for each undoing that is owed; see owe
	mending  atomic.Bool    // whether askAgain is under way
	beaten   atomic.Int64   // when the last beat began that is known to have succeeded, in ns since clock.Base; 0: none
	missed   atomic.Int64   // when Redis last did not serve a call, as beaten
	since    atomic.Int64   // since when Redis knows that this instance lives, as last heard; see scripts/alive.lua

	dead []string // instances, as the last beat said; keepBeating's own

	background context.Context // ends with Close
	stop       context.CancelFunc
	running    sync.WaitGroup // whatever runs in it
}

// Open connects, checks that leases may be kept there and goes on checking until Close. It tries
// for up to 4 s. Errors: redisconn.ErrUnreachable, *redisconn.RefusedError, or what c.Check says.
func Open(ctx context.Context, c Config) (*Store, error) {
	at, err := c.target()
	if err != nil {
		return nil, err
	}
	s := &Store{
		target: at, address: at.String(), shared: c.Shared, minReplicas: c.MinReplicas,
		conns: redisconn.NewConnections(at), keys: newKeys(c.KeyPrefix, at.DB), clock: redisconn.NewClock(),
		calls: make(redisconn.Room, maxCalls), rooms: newRooms(maxCalls), errandRooms: newRooms(maxErrands), owedRooms: newRooms(maxOwed),
		clients: clients{byNode: make(map[string]*redis.Client)}, notice: c.Notice,
		instance: newInstance(), waiters: newWaiters(), alarms: newAlarms(), errands: make(redisconn.Room, maxErrands),
		owed: make(redisconn.Room, maxOwed), listens: make(chan struct{}, 1),
	}
	s.front, s.hub = s, newHub(s)
	s.meters = redisconn.MetersFor(s.address, measured, c.Meter)
	s.batch, s.crew = newBatch(s, maxBatches), newCrew(maxCalls)
	if s.notice == nil {
		s.notice = func(string) {}
	}
	s.connect()
	s.refusal.Store(new(string))
	s.found.Store(&checked{nodes: []lease.Node{{Address: s.address}}})
	s.background, s.stop = context.WithCancel(context.Background())
	if at.Cluster {
		s.makeShards()
	}
	if err := s.firstCheck(ctx); err != nil {
		s.stop()
		return nil, errors.Join(err, s.client.Close())
	}
	at.Secrets.TryWith(s.trySecret)
	s.running.Go(func() { s.keepChecking(s.background) })
	s.running.Go(func() { s.keepListening(s.background) })
	s.running.Go(func() { s.keepBeating(s.background) })
	s.running.Go(func() { s.alarms.ring(s.background, func(name string) { s.of(name).promoteSoon(name) }) })
	return s, nil
}

func newInstance() string { return fmt.Sprintf("%016x", rand.Uint64()) }

// Close ends what the store does by itself and closes every connection. Who stands in line here is away
// from then on.
func (s *Store) Close() error {
	s.stop()
	for _, shard := range s.all() {
		shard.batch.stop()
		shard.crew.stop()
	}
	s.running.Wait() // after what was asked for, which may leave errands
	for _, shard := range s.all() {
		shard.running.Wait()
	}
	s.target.Secrets.TryWith(nil)
	s.hub.close()
	for _, shard := range s.all() {
		shard.lastBeat()
	}
	return s.client.Close()
}

// Pools answers what is open to Redis now.
func (s *Store) Pools() []redisconn.Pool {
	return []redisconn.Pool{redisconn.PoolOf(s.address, s.client)}
}

// renewed answers what batch.lua says of a renewal.
func (s *Store) renewed(op *operation, got settled) (lease.Lease, error) {
	l, err := s.renewedAs(op.name, got)
	return boundedAt(l, op.call.Renew.MaxHold, got.at), err
}

func (s *Store) renewedAs(name string, got settled) (lease.Lease, error) {
	reply, err := got.reply, got.err
	if err != nil {
		return lease.Lease{}, s.failed("renew", name, err)
	}
	switch reply.Kind() {
	case "RENEWED":
		return leaseOf(reply, name, reply.Millis(2), reply.Millis(3))
	case "LOST":
		return lease.Lease{}, fmt.Errorf("renew %q: %w", name, lease.ErrLost)
	}
	if len(reply) != 1 {
		return lease.Lease{}, fmt.Errorf("renew %q: %w", name, problemOf(reply))
	}
	l, err := decodeLock(reply.Text(0))
	if err != nil {
		return lease.Lease{}, fmt.Errorf("renew %q: %w", name, err)
	}
	return l.lease(name, 0, l.px), nil
}

// maxShown is how many waiters one Get answers at most: Redis does nothing else meanwhile.
const maxShown = 1000

// Get implements lease.Store.
func (s *Store) Get(ctx context.Context, r lease.GetRequest) (lease.Standing, error) {
	s = s.of(r.Name)
	answer, err := s.runLine(ctx, standingScript, r.Name, min(r.Waiters, maxShown))
	if err != nil {
		return lease.Standing{}, s.failed("look at", r.Name, err)
	}
	standing, err := decodeStanding(r.Name, answer.replies[0], answer.replies[1])
	if err != nil {
		return lease.Standing{}, fmt.Errorf("look at %q: %w", r.Name, err)
	}
	return standing, nil
}

// decodeStanding reads what standing.lua says.
func decodeStanding(name string, holder, line reply) (lease.Standing, error) {
	standing := lease.Standing{Waiting: int(line.Number(0))}
	if holder.Kind() != "FREE" {
		l, err := leaseOf(holder, name, 0, holder.Millis(2)) // an ERROR's text is no lock either
		if err != nil {
			return lease.Standing{}, err
		}
		standing.Held, standing.Lease = l.Closed == 0, l
	}
	for i := 1; i+2 < len(line); i += 3 {
		var p payload
		if err := p.decode(line.Text(i + 2)); err != nil {
			return lease.Standing{}, fmt.Errorf("%w (%w)", errForeign, err)
		}
		standing.Waiters = append(standing.Waiters, lease.Waiter{
			Owner: p.Owner, Principal: p.Principal, Ticket: line.Decimal(i), Since: time.UnixMicro(line.Decimal(i + 1)),
		})
	}
	return standing, nil
}

// look answers the leases among names that are held. With errForeign the others are answered still.
func (s *Store) look(ctx context.Context, names []string) (found []lease.Lease, foreign error) {
	parts := make(map[*Store][]string)
	for _, name := range names {
		shard := s.of(name)
		parts[shard] = append(parts[shard], name)
	}
	for shard, part := range parts {
		some, err := shard.lookInShard(ctx, part)
		if err != nil && !errors.Is(err, errForeign) {
			return nil, err
		}
		found, foreign = append(found, some...), errors.Join(foreign, err)
	}
	return found, foreign
}

// lookInShard is look for names of one shard.
func (s *Store) lookInShard(ctx context.Context, names []string) (found []lease.Lease, foreign error) {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = s.keys.lock(name)
	}
	answer, err := s.run(ctx, lookScript, keys)
	if isApart(err) && len(names) > 1 {
		return s.lookAtEach(ctx, names)
	}
	if err != nil {
		return nil, s.failed("look at", names[0], err)
	}
	for i, reply := range answer.replies {
		if reply.Kind() == "FREE" {
			continue
		}
		l, err := leaseOf(reply, names[i], 0, reply.Millis(2)) // an ERROR's text is no lock either
		if err != nil {
			foreign = fmt.Errorf("look at %q: %w", names[i], err)
			continue
		}
		found = append(found, l)
	}
	return found, foreign
}

// lookAtEach is look for names whose keys are apart.
func (s *Store) lookAtEach(ctx context.Context, names []string) (found []lease.Lease, foreign error) {
	for _, name := range names {
		one, err := s.lookInShard(ctx, []string{name})
		if err != nil && !errors.Is(err, errForeign) {
			return nil, err
		}
		found, foreign = append(found, one...), errors.Join(foreign, err)
	}
	return found, foreign
}

// px is what a lock key of ttl is set to expire after, in milliseconds, but for a lock-delay: the grace is the store's.
func px(ttl time.Duration) int64 { return (ttl + lease.Grace(ttl)).Milliseconds() }

// appendPX appends the px of a's lock, and its lock-delay if it has one: see scripts/value.lua.
func appendPX(b []byte, a lease.Acquisition) []byte {
	b = strconv.AppendInt(b, px(a.TTL), 10)
	if delay := a.LockDelay.Milliseconds(); delay > 0 {
		b = strconv.AppendInt(append(b, '+'), delay, 10)
	}
	return b
}
