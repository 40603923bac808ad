package lockd

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// link is a client's way to lockd: one stream at a time, kept by a goroutine of its own (run), and unary
// calls where Session does not work. It knows the leases that are held, to be told of their loss.
//
// Locks are taken in the order link, stream; nothing is called back with either held.
type link struct {
	rpc        lockdv1.LeaseServiceClient
	connected  atomic.Bool  // there has been a connection
	reached    atomic.Int32 // the stage
	unaryWorks atomic.Bool  // a unary call was answered since streams went without a welcome
	wake       chan struct{}
	ctx        context.Context // ends with close: no stream is looked for any more
	cancel     context.CancelFunc
	running    sync.WaitGroup // run and the streams' goroutines

	mu      sync.Mutex
	wanted  bool          // somebody has asked for a way
	current *stream       // takes operations; nil: there is none
	moving  reason        // why another is looked for
	asked   time.Time     // when moving was set
	unary   bool          // Session does not work here
	failed  error         // why no connection came about, the last time
	changed chan struct{} // closed, and made anew, when any of the three does
	streams map[*stream]struct{}
	leases  map[holding]*Lease // not ended
	early   map[holding]error  // losses that came before their lease was known here; at most maxEarly
}

// maxEarly bounds the losses that nobody has asked for: most are of leases that were just released.
const maxEarly = 1024

// holding names a lease as lockd does in its notices.
type holding struct {
	name  string
	token int64
}

// stage is how far the end of a client has come.
type stage int32

const (
	working   stage = iota
	closing         // nothing is acquired any more, nor renewed
	abandoned       // nor is anything given back
)

func (l *link) stage() stage { return stage(l.reached.Load()) }

// reach ends the calls that nobody waits for from that stage on. The contexts that say the same have been ended.
func (l *link) reach(stage stage) {
	l.reached.Store(int32(stage)) // first: whatever is begun later sees it
	l.mu.Lock()
	streams := slices.Collect(maps.Keys(l.streams))
	l.mu.Unlock()
	for _, s := range streams {
		s.wakeAll()
	}
}

// reason is why another stream than the current one is looked for.
type reason int

const (
	content    reason = iota // none is
	isDraining               // its lockd is going away
	isMute                   // it does not answer
	isRefusing               // its lockd cannot serve
)

// newLink returns a link whose goroutines run until close.
func newLink(rpc lockdv1.LeaseServiceClient) *link {
	l := &link{
		rpc: rpc, wake: make(chan struct{}, 1), changed: make(chan struct{}),
		streams: make(map[*stream]struct{}), leases: make(map[holding]*Lease), early: make(map[holding]error),
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.running.Go(l.run)
	return l
}

// way returns where to send an operation, acquisitions not to a lockd that is going away. It waits for
// one until ctx ends; before there has been any connection, only until one could not be made.
func (l *link) way(ctx context.Context, acquiring bool) (way, error) {
	var before error
	for first := true; ; first = false {
		l.mu.Lock()
		way, changed, failed := l.wayLocked(acquiring), l.changed, l.failed
		if !l.wanted {
			l.wanted = true
			l.wakeRun()
		}
		l.mu.Unlock()
		switch {
		case way != nil:
			return way, nil
		case first:
			before = failed
		case failed != before && (!l.connected.Load() || isDenied(failed)):
			return nil, failed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if failed == nil {
				failed = status.Error(codes.Unavailable, "there is no connection")
			}
			return nil, failed
		}
	}
}

// ready is way if there is one now; else nil.
func (l *link) ready(acquiring bool) way {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wayLocked(acquiring)
}

func (l *link) wayLocked(acquiring bool) way {
	switch {
	case l.unary: // also while a stream that leads nowhere stands
		return unary{link: l, rpc: l.rpc}
	case l.current != nil && l.current.takes(acquiring):
		return l.current
	}
	return nil
}

// hold has the loss of a lease that was granted by way told to it.
func (l *link) hold(lease *Lease, by way) {
	is := holding{lease.name, lease.token}
	l.mu.Lock()
	l.leases[is] = lease
	early := l.early[is]
	delete(l.early, is)
	if s := l.current; s != nil && by != way(s) {
		s.resume(is)
	}
	l.mu.Unlock()
	if early != nil {
		lease.end(early)
	}
	lease.mu.Lock()
	ended := lease.cause != nil
	lease.mu.Unlock()
	if ended { // before it was known here
		l.drop(lease)
	}
}

// drop forgets a lease that has ended.
func (l *link) drop(lease *Lease) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.leases, holding{lease.name, lease.token})
}

// lost ends a lease that lockd says is gone. Of leases that are not held here any more it is no news; one that
// is not held yet, its grant being on its way to whoever waits for it, learns of it in hold.
func (l *link) lost(notice *lockdv1.Lost) {
	is, cause := holding{notice.GetName(), notice.GetToken()}, lossCause(notice.GetLoss())
	l.mu.Lock()
	lease := l.leases[is]
	if lease == nil {
		l.rememberLocked(is, cause)
	}
	l.mu.Unlock()
	if lease != nil {
		lease.end(cause)
	}
}

func (l *link) rememberLocked(is holding, cause error) {
	if len(l.early) >= maxEarly {
		for one := range l.early {
			delete(l.early, one)
			break
		}
	}
	l.early[is] = cause
}

// moveOn has another stream looked for, because of s.
func (l *link) moveOn(s *stream, why reason) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s != l.current || l.moving == isDraining {
		return
	}
	if l.moving == content {
		l.asked = time.Now()
	}
	l.moving = why
	l.wakeRun()
}

// use has operations go to s from now on and reports whether they do: an old stream that has come to
// life meanwhile stays, and so does a lockd that cannot serve if s leads to the same.
func (l *link) use(s *stream) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	old, why := l.current, l.moving
	if s.hasEnded() || s.isLeaving() {
		return false
	}
	l.moving, l.unary, l.failed = content, false, nil
	l.changeLocked()
	switch {
	case old == nil:
	case why == isMute && old.heardSince(l.asked), why == isRefusing && old.instance == s.instance:
		return false
	case why == isDraining:
		old.retire()
	default:
		old.cancel() // what has no answer there is asked for again here
	}
	l.current = s
	s.resume(slices.Collect(maps.Keys(l.leases))...)
	return true
}

// useUnary has operations go by unary calls until there is a stream.
func (l *link) useUnary() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unary = true
	l.changeLocked()
}

// fail notes that no stream could be had.
func (l *link) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// It is no answer to any operation, so what it says is all that counts.
	l.failed = status.Error(codes.Unavailable, status.Convert(err).Message())
	if isDenied(err) { // it would be the answer to every one
		l.failed = status.Error(status.Code(err), status.Convert(err).Message())
	}
	l.changeLocked()
}

// isDenied reports whether lockd does not know who calls, or lets them do nothing.
func isDenied(err error) bool {
	code := status.Code(err)
	return code == codes.Unauthenticated || code == codes.PermissionDenied
}

// ended is told of the end of s.
func (l *link) ended(s *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.streams, s)
	if s == l.current {
		l.current, l.moving = nil, content
		l.changeLocked()
	}
}

// changeLocked wakes those who wait for a way, and run.
func (l *link) changeLocked() {
	close(l.changed)
	l.changed = make(chan struct{})
	l.wakeRun()
}

func (l *link) wakeRun() {
	select {
	case l.wake <- struct{}{}:
	default: // it will look anyway
	}
}
