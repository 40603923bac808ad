package lease_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/memstore"
)

// Many clients of several servers want few names, while calls and turns are slow, answers get lost and
// clients go at any moment. Then never do two believe that they hold one name; each name goes to who has
// waited longest; every request is answered once, or not at all if it was cancelled; and when all have
// gone nothing is held, and nobody is in line.
func TestLineUnderFire(t *testing.T) {
	for range 3 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newWorld(t, seed).run(t) })
		})
	}
}

const (
	worldClients = 40
	worldRounds  = 25
	worldNames   = 3
)

// world is a store, servers in front of it, and what everybody may believe.
type world struct {
	seed    uint64
	store   *fake
	lessors []*lease.Lessor
	record  record

	mu      sync.Mutex
	holds   map[string]belief
	granted int
	waited  int
	undone  int // cancelled, taken back or lost
	wrong   []string
}

// belief is what a client may count on.
type belief struct {
	token lease.Token
	until time.Time
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{seed: seed, store: &fake{Store: memstore.New()}, holds: make(map[string]belief)}
	for range 3 {
		w.lessors = append(w.lessors, lease.NewLessor(w.store, lease.Limits{}.WithDefaults()))
	}
	w.record = record{present: make(map[string][]int64), held: make(map[string]lease.Token), complain: w.complain}
	if _, err := w.store.Watch(t.Context(), "", w.record.take); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) complain(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

func (w *world) run(t *testing.T) {
	weather := &weather{random: rand.New(rand.NewPCG(w.seed, 0)), store: w.store.Store}
	w.store.acquire = weather.acquire
	w.store.undo = weather.undo
	var clients sync.WaitGroup
	for n := range worldClients {
		clients.Go(func() { w.client(n, rand.New(rand.NewPCG(w.seed, uint64(n+1)))) })
	}
	clients.Wait()
	time.Sleep(4 * time.Second) // the longest call, the second left to a retry, and delays
	settle()
	for n := range worldNames {
		name := fmt.Sprint("job/", n)
		if s := w.store; s.tokenOf(name) != 0 || s.waiters(name) != 0 {
			w.complain("%s: at the end token %d stands, %d are in line", name, s.tokenOf(name), s.waiters(name))
		}
	}
	for _, l := range w.lessors {
		if n := l.Status().PendingCleanups; n != 0 {
			w.complain("at the end %d cleanups are pending", n)
		}
		if err := l.Close(t.Context()); err != nil {
			w.complain("Close = %v", err)
		}
	}
	if err := w.store.Close(); err != nil {
		w.complain("Close of the store = %v", err)
	}
	for _, wrong := range w.wrong {
		t.Error(wrong)
	}
	// A run in which nothing happened proves nothing.
	if w.granted < worldClients*worldRounds/10 || w.waited < w.granted/4 || w.undone < worldClients || w.record.expired < worldClients/4 {
		t.Errorf("%d granted, %d after waiting, %d given up, %d expired: too few to prove anything", w.granted, w.waited, w.undone, w.record.expired)
	}
}

// client wants names, one after the other, and has no patience.
func (w *world) client(n int, random *rand.Rand) {
	for round := range worldRounds {
		time.Sleep(upTo(random, 500*time.Millisecond))
		r := lease.AcquireRequest{
			Name: fmt.Sprint("job/", random.IntN(worldNames)), ID: id(n*worldRounds + round + 1),
			Owner: fmt.Sprint("client ", n), TTL: in(time.Second),
		}
		if random.IntN(4) > 0 {
			r.Wait = upTo(random, 20*time.Second)
		}
		// It asks again while the outcome is unknown or the wait was too short, at any server.
		for again := true; again && r.Attempt < 4; {
			r.Attempt++
			again = w.attempt(r, w.lessors[random.IntN(len(w.lessors))], random)
		}
	}
}

// attempt sends r once, and does something with what comes of it; it reports whether to send it again.
func (w *world) attempt(r lease.AcquireRequest, l *lease.Lessor, random *rand.Rand) (again bool) {
	sent := time.Now()
	to := &ear{answered: make(chan outcome, 2)}
	a, err := l.Ask(r, to)
	if err != nil {
		w.complain("Ask = %v", err)
		return false
	}
	running := make(chan struct{})
	go func() { a.Run(); close(running) }()
	var got outcome
	select {
	case got = <-to.answered:
	case <-time.After(upTo(random, 30*time.Second)): // patience
		keep := random.IntN(2) == 0
		if a.Cancel(keep) {
			w.count(&w.undone)
			<-running
			if len(to.answered) > 0 {
				w.complain("client %s was answered after it had cancelled", r.Owner)
			}
			return keep
		}
		got = <-to.answered
	}
	<-running
	defer func() {
		if len(to.answered) > 0 {
			w.complain("client %s was answered twice", r.Owner)
		}
	}()
	if got.err != nil {
		return w.refused(r, got.err, random)
	}
	w.hold(r, sent, l, got.grant, random)
	return false
}

// refused reports whether to send r again.
func (w *world) refused(r lease.AcquireRequest, err error, random *rand.Rand) (again bool) {
	switch {
	case errors.Is(err, lease.ErrUnknown):
		w.count(&w.undone)
		return random.IntN(2) == 0
	case errors.As(err, new(*lease.HeldError)):
		return r.Wait > 0 && random.IntN(2) == 0
	case errors.Is(err, lease.ErrUnavailable), errors.Is(err, lease.ErrSuperseded):
	default:
		w.complain("client %s was answered %v", r.Owner, err)
	}
	return false
}

// hold believes in g until it is released, taken back, or over.
func (w *world) hold(r lease.AcquireRequest, sent time.Time, l *lease.Lessor, g lease.Grant, random *rand.Rand) {
	if random.IntN(8) == 0 {
		w.count(&w.undone)
		l.TakeBack(g)
		return
	}
	mine := belief{g.Lease.Token, sent.Add(g.Waited + g.Lease.TTL)}
	w.mu.Lock()
	w.granted++
	if g.Waited > 0 {
		w.waited++
	}
	now, before := time.Now(), w.holds[r.Name]
	if now.Before(before.until) && now.Before(mine.until) {
		w.wrong = append(w.wrong, fmt.Sprintf("%s: granted with token %d while %d is counted on for another %s", r.Name, mine.token, before.token, before.until.Sub(now)))
	}
	if before.token >= mine.token && now.Before(mine.until) {
		w.wrong = append(w.wrong, fmt.Sprintf("%s: token %d was granted after %d", r.Name, mine.token, before.token))
	}
	if mine.token > before.token {
		w.holds[r.Name] = mine
	}
	w.mu.Unlock()

	if random.IntN(6) == 0 {
		time.Sleep(2 * time.Second) // it has crashed: its lease runs out
		return
	}
	time.Sleep(upTo(random, 400*time.Millisecond))
	w.mu.Lock()
	if w.holds[r.Name] == mine {
		w.holds[r.Name] = belief{mine.token, time.Time{}}
	}
	w.mu.Unlock()
	if _, err := l.Release(lease.ReleaseRequest{Name: r.Name, ID: r.ID}); err != nil {
		w.complain("Release = %v", err)
	}
}

func (w *world) count(n *int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*n++
}

// ear notes answers only.
type ear struct{ answered chan outcome }

// Asked implements lease.Asker.
func (*ear) Asked() {}

func (e *ear) Queued(*lease.HeldError) {}
func (e *ear) Answered(g lease.Grant, err error) {
	select {
	case e.answered <- outcome{g, err, time.Now()}:
	default: // a third answer; two are wrong already
	}
}

// weather is what stands between the Lessors and the store.
type weather struct {
	mu     sync.Mutex
	random *rand.Rand
	store  *memstore.Store
}

// roll answers a delay, and a number below 100.
func (x *weather) roll() (time.Duration, int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return upTo(x.random, 40*time.Millisecond), x.random.IntN(100)
}

// acquire delays the call and its answer, sometimes loses that, sometimes the call, and delays turns.
func (x *weather) acquire(ctx context.Context, a lease.Acquisition) (lease.Lease, error) {
	delay, luck := x.roll()
	if luck < 5 {
		return lease.Lease{}, lease.ErrUnavailable
	}
	if turn := a.Turn; turn != nil {
		a.Turn = func(h lease.Handover) {
			delay, _ := x.roll()
			go func() { time.Sleep(delay); turn(h) }()
		}
	}
	time.Sleep(delay)
	granted, err := x.store.Acquire(ctx, a)
	delay, luck = x.roll()
	time.Sleep(delay)
	if luck < 10 {
		return lease.Lease{}, lease.ErrUnknown
	}
	return granted, err
}

func (x *weather) undo(ctx context.Context, u lease.Undoing) error {
	delay, _ := x.roll()
	time.Sleep(delay)
	return x.store.Undo(ctx, u)
}

// record follows what happens to the names by what a watcher is told.
type record struct {
	present  map[string][]int64 // tickets, in order
	held     map[string]lease.Token
	expired  int
	complain func(string, ...any)
}

// take is called by the store for one event at a time.
func (x *record) take(e lease.Event) {
	line := x.present[e.Name]
	at, found := slices.BinarySearch(line, e.Ticket)
	switch e.Kind {
	case lease.EventAcquired:
		if x.held[e.Name] != 0 {
			x.complain("%s: %d was granted while %d stood", e.Name, e.Token, x.held[e.Name])
		}
		x.held[e.Name] = e.Token
		if found && at != 0 || !found && len(line) > 0 {
			x.complain("%s: ticket %d was served while %d waited in front", e.Name, e.Ticket, len(line))
		}
	case lease.EventReleased, lease.EventExpired, lease.EventForced:
		if x.held[e.Name] != e.Token {
			x.complain("%s: %d ended while %d stood", e.Name, e.Token, x.held[e.Name])
		}
		x.held[e.Name] = 0
		if e.Kind == lease.EventExpired {
			x.expired++
		}
		return
	case lease.EventQueued:
		if found {
			x.complain("%s: ticket %d is in line twice", e.Name, e.Ticket)
		}
		x.present[e.Name] = slices.Insert(line, at, e.Ticket)
		return
	case lease.EventLeft:
		if !found {
			x.complain("%s: ticket %d left, which was not in line", e.Name, e.Ticket)
		}
	}
	if found {
		x.present[e.Name] = slices.Delete(line, at, at+1)
	}
}

func upTo(random *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(random.Int64N(int64(d)))
}
