package rpc

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/lockd/lockd/internal/auth"
	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// Traffic bounds what may be asked. A field that is 0 bounds nothing.
type Traffic struct {
	Streams int // calls that are open at once, streams and unary ones
	Rate    int // requests in any second: unary calls, and a session's operations, cancellations and resumptions
}

// Bounds bound what may be asked, and over how many connections.
type Bounds struct {
	All         Traffic // by all together
	Each        Traffic // by each principal that a policy says nothing else of; nobody who is not authenticated is one
	Connections int     // from everywhere; 0: no bound
	FromOne     int     // from one address; 0: no bound
}

// Validate reports everything that is wrong with b, a line each: no bound is negative.
func (b Bounds) Validate() error {
	return lease.NotNegative(map[string]int{
		"max-streams": b.All.Streams, "max-rate": b.All.Rate, "tenant-streams": b.Each.Streams, "tenant-rate": b.Each.Rate,
		"max-connections": b.Connections, "max-connections-from-one": b.FromOne,
	})
}

const (
	// holdUp is how long who asks too much is made to wait at most: a session before its next message is read, a
	// call before it is refused. Refusing costs as much as many a request, so who does not mind being refused must not
	// be refused as fast as it asks. A session's renewals wait too, which they can: the smallest ttl is longer.
	holdUp = 250 * time.Millisecond
	// maxHeldUp is how many calls of one principal are held up at once; more are refused at once.
	maxHeldUp = 256
	// reserve multiplies a rate for what keeps or ends a lease: it is counted like the rest, but refused only beyond that, so
	// that who acquires too much can still renew and release.
	reserve = 2
)

// gate counts who asks for how much.
type gate struct {
	bounds atomic.Pointer[Bounds]
	began  time.Time

	rate window // of all

	mu       sync.Mutex
	open     int // calls of all
	visitors map[string]*visitor
	tidied   time.Time
}

// visitor is a principal that asks; "" is everybody while nobody is authenticated.
type visitor struct {
	who  string
	rate window

	// Guarded by gate.mu.
	open   int
	heldUp int
}

func newGate(b Bounds) *gate {
	g := &gate{began: time.Now(), visitors: make(map[string]*visitor)}
	g.bounds.Store(&b)
	return g
}

// enter counts a call in of who has limits of its own perhaps; leave counts it out again, unless there was an error.
func (g *gate) enter(who string, own *auth.Limits) (*visitor, error) {
	b := g.bounds.Load()
	g.mu.Lock()
	defer g.mu.Unlock()
	v := g.visitors[who]
	if v == nil {
		g.tidyLocked()
		v = &visitor{who: who}
		g.visitors[who] = v
	}
	if most := b.All.Streams; most > 0 && g.open >= most {
		return v, &lease.LimitError{What: "open calls", Limit: most, RetryIn: time.Second}
	}
	if most := cmp.Or(own.Streams, b.Each.Streams); most > 0 && who != "" && v.open >= most {
		return v, &lease.LimitError{What: "open calls", Limit: most, Whose: who, RetryIn: time.Second}
	}
	g.open++
	v.open++
	return v, nil
}

// visitor answers who has a call open.
func (g *gate) visitor(who string) *visitor {
	g.mu.Lock()
	defer g.mu.Unlock()
	if v := g.visitors[who]; v != nil {
		return v
	}
	return &visitor{who: who} // nobody who came through the interceptors
}

func (g *gate) leave(v *visitor) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open--
	v.open--
}

// tidyLocked forgets, now and then, who has not been here lately.
func (g *gate) tidyLocked() {
	const many, often = 1024, time.Second
	if len(g.visitors) < many || time.Since(g.tidied) < often {
		return
	}
	g.tidied = time.Now()
	for who, v := range g.visitors {
		if v.open == 0 && v.heldUp == 0 && v.rate.idle(g.tidied.Sub(g.began)) {
			delete(g.visitors, who)
		}
	}
}

// ask counts n requests of v, and refuses them if there were too many lately. What is refused is not counted,
// so that who goes on asking is served as often as it may be.
func (g *gate) ask(v *visitor, own *auth.Limits, n int, vital bool, at time.Time) error {
	b := g.bounds.Load()
	each := cmp.Or(own.Rate, b.Each.Rate)
	if each == 0 && b.All.Rate == 0 {
		return nil
	}
	since, room := at.Sub(g.began), 1
	if vital {
		room = reserve
	}
	if most := each; most > 0 && v.who != "" {
		if in := v.rate.take(n, room*most, since); in > 0 {
			return &lease.LimitError{What: "requests per second", Limit: most, Whose: v.who, RetryIn: in}
		}
	}
	if most := b.All.Rate; most > 0 {
		if in := g.rate.take(n, room*most, since); in > 0 {
			return &lease.LimitError{What: "requests per second", Limit: most, RetryIn: in}
		}
	}
	return nil
}

// window counts requests in the last second: those of this second, and of the one before the part that is still
// within. It takes the latter for evenly spread, so it can be wrong by a part of a burst, never by more than
// twice the limit.
type window struct {
	mu          sync.Mutex
	second      int64 // which one now is of
	now, before int
}

// take counts n requests if there are at most most of them then; otherwise it answers when there will be room. A
// message may have more in it than a second has room for: what finds an empty window is let in.
func (w *window) take(n, most int, at time.Duration) (in time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moveLocked(at)
	gone := max(0, at-time.Duration(w.second)*time.Second)
	room := most - n - w.now
	within := float64(w.before) * (1 - gone.Seconds())
	switch {
	case float64(room) >= within, w.now == 0 && within < 1:
		w.now += n
		return 0
	case room >= 0: // once enough of the second before is out
		return max(time.Millisecond, time.Duration((within-float64(room))/float64(w.before)*float64(time.Second)))
	default: // in the next second, once enough of this one is out
		out := min(1, float64(w.now+n-most)/float64(max(1, w.now)))
		return time.Second - gone + time.Duration(out*float64(time.Second))
	}
}

func (w *window) moveLocked(at time.Duration) {
	switch second := int64(at / time.Second); {
	case second <= w.second: // who comes late counts now
	case second == w.second+1:
		w.second, w.before, w.now = second, w.now, 0
	default:
		w.second, w.before, w.now = second, 0, 0
	}
}

// idle reports that nothing is counted any more.
func (w *window) idle(at time.Duration) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moveLocked(at)
	return w.now == 0 && w.before == 0
}

// limitUnary counts a call, and refuses it when there are too many.
func (a *around) limitUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	now := time.Now()
	own := callerOf(ctx).Limits(now)
	v, err := a.gate.enter(principalOf(ctx), own)
	if err == nil {
		defer a.gate.leave(v)
		err = a.gate.ask(v, own, 1, vital[info.FullMethod], now)
	}
	if err != nil {
		a.holdUp(ctx, v, err)
		return nil, err
	}
	return next(ctx, req)
}

// limitStream counts a stream.
func (a *around) limitStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	now := time.Now()
	own := callerOf(stream.Context()).Limits(now)
	v, err := a.gate.enter(principalOf(stream.Context()), own)
	if err == nil {
		defer a.gate.leave(v)
		err = a.gate.ask(v, own, 1, vital[info.FullMethod], now)
	}
	if err != nil {
		a.holdUp(stream.Context(), v, err)
		return err
	}
	return next(srv, stream)
}

// holdUp waits for a moment before v hears that it asks too much, also if it does not want to hear it any more: as long as
// the call stands, it counts among those that its connection may have.
func (a *around) holdUp(ctx context.Context, v *visitor, err error) {
	var over *lease.LimitError
	if !errors.As(err, &over) || !a.gate.heldUp(v, 1) {
		charge(ctx, 1) // who is held up is slow already
		return
	}
	defer a.gate.heldUp(v, -1)
	timer := time.NewTimer(min(over.RetryIn, holdUp))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-a.ending.Done():
	}
}

// heldUp counts who is held up, unless there are too many.
func (g *gate) heldUp(v *visitor, n int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n > 0 && v.heldUp >= maxHeldUp {
		return false
	}
	v.heldUp += n
	return true
}

// vital are the calls that keep or end a lease, and those of whoever judges whether this server lives.
var vital = map[string]bool{
	lockdv1.LeaseService_Renew_FullMethodName:   true,
	lockdv1.LeaseService_Release_FullMethodName: true,
	healthpb.Health_Check_FullMethodName:        true,
	healthpb.Health_Watch_FullMethodName:        true,
}

// principalOf answers who calls, as authenticated; "" while nobody is.
func principalOf(ctx context.Context) string {
	principal, _ := callerOf(ctx).Check(time.Now())
	return principal
}
