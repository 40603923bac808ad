package lease_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/lease/leasetest"
	"github.com/lockd/lockd/internal/memstore"
)

// A fake is a store in memory that notes what it is asked and can be made to misbehave. Its hooks
// answer instead of the store and may ask it.
type fake struct {
	*memstore.Store
	acquire func(context.Context, lease.Acquisition) (lease.Lease, error)
	undo    func(context.Context, lease.Undoing) error
	release func(context.Context, lease.ReleaseRequest) (lease.Released, error)
	force   func(context.Context, lease.ForceRequest) (lease.Lease, error)
	start   func([]*lease.Call)
	renewed func() // before a renewal is answered

	mu    sync.Mutex
	calls []asked
}

// onAcquire changes the hook while calls may come.
func (f *fake) onAcquire(hook func(context.Context, lease.Acquisition) (lease.Lease, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.acquire = hook
}

// onUndo changes the hook while calls may come.
func (f *fake) onUndo(hook func(context.Context, lease.Undoing) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.undo = hook
}

// fails is a hook that fails.
func fails(err error) func(context.Context, lease.Acquisition) (lease.Lease, error) {
	return func(_ context.Context, a lease.Acquisition) (lease.Lease, error) {
		return lease.Lease{}, fmt.Errorf("acquire %q: %w", a.Name, err)
	}
}

// asked is one call that reached the store.
type asked struct {
	method string
	at     time.Time
	left   time.Duration // until the deadline of its ctx; 0 if it has none
	args   any
}

func (f *fake) note(ctx context.Context, method string, args any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	left := time.Duration(0)
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	f.calls = append(f.calls, asked{method, time.Now(), left, args})
}

// noted answers the calls of a method so far; "" stands for all.
func (f *fake) noted(method string) []asked {
	f.mu.Lock()
	defer f.mu.Unlock()
	var calls []asked
	for _, c := range f.calls {
		if method == "" || c.method == method {
			calls = append(calls, c)
		}
	}
	return calls
}

func (f *fake) Acquire(ctx context.Context, a lease.Acquisition) (lease.Lease, error) {
	f.note(ctx, "Acquire", a)
	f.mu.Lock()
	acquire := f.acquire
	f.mu.Unlock()
	if acquire != nil {
		return acquire(ctx, a)
	}
	return f.Store.Acquire(ctx, a)
}

func (f *fake) Undo(ctx context.Context, u lease.Undoing) error {
	f.note(ctx, "Undo", u)
	f.mu.Lock()
	undo := f.undo
	f.mu.Unlock()
	if undo != nil {
		return undo(ctx, u)
	}
	return f.Store.Undo(ctx, u)
}

func (f *fake) Renew(ctx context.Context, r lease.Renewal) (lease.Lease, error) {
	f.note(ctx, "Renew", r)
	renewed, err := f.Store.Renew(ctx, r)
	if f.renewed != nil {
		f.renewed()
	}
	return renewed, err
}

func (f *fake) Release(ctx context.Context, r lease.ReleaseRequest) (lease.Released, error) {
	f.note(ctx, "Release", r)
	if f.release != nil {
		return f.release(ctx, r)
	}
	return f.Store.Release(ctx, r)
}

func (f *fake) Start(calls []*lease.Call) {
	if f.start != nil {
		f.start(calls)
		return
	}
	leasetest.Start(f, calls)
}

func (f *fake) ForceRelease(ctx context.Context, r lease.ForceRequest) (lease.Lease, error) {
	f.note(ctx, "ForceRelease", r)
	if f.force != nil {
		return f.force(ctx, r)
	}
	return f.Store.ForceRelease(ctx, r)
}

func (f *fake) Get(ctx context.Context, r lease.GetRequest) (lease.Standing, error) {
	f.note(ctx, "Get", r)
	return f.Store.Get(ctx, r)
}

func (f *fake) List(ctx context.Context, r lease.ListRequest) (lease.Page, error) {
	f.note(ctx, "List", r)
	return f.Store.List(ctx, r)
}

// lost grants in the store and loses the answer.
func (f *fake) lost(ctx context.Context, a lease.Acquisition) (lease.Lease, error) {
	if _, err := f.Store.Acquire(ctx, a); err != nil {
		return lease.Lease{}, err
	}
	return lease.Lease{}, fmt.Errorf("acquire %q: %w", a.Name, lease.ErrUnknown)
}

// tokenOf answers the token in force on name, 0 if it is free, asking the memory itself.
func (f *fake) tokenOf(name string) lease.Token {
	standing, _ := f.Store.Get(context.Background(), lease.GetRequest{Name: name})
	return standing.Lease.Token
}

// waiters answers how many are in line for name.
func (f *fake) waiters(name string) int {
	standing, _ := f.Store.Get(context.Background(), lease.GetRequest{Name: name})
	return standing.Waiting
}

// inBubble runs f with a Lessor over a fake store, on a clock that moves when everybody waits. When
// f returns, whatever is under way must come to its end in reasonable time.
func inBubble(t *testing.T, f func(t *testing.T, l *lease.Lessor, s *fake)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &fake{Store: memstore.New()}
		l := lease.NewLessor(s, lease.Limits{}.WithDefaults())
		f(t, l, s)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := l.Close(ctx); err != nil {
			t.Errorf("Close = %v, want nil", err)
		}
		if n := l.Status().PendingCleanups; n != 0 {
			t.Errorf("%d cleanups are pending after Close, want none", n)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close of the store = %v, want nil", err)
		}
	})
}

// id returns a lease id; n tells them apart.
func id(n int) lease.ID { return lease.ID(fmt.Sprintf("%032x", n)) }

// request asks for name as a first attempt with lease id n.
func request(name string, n int) lease.AcquireRequest {
	return lease.AcquireRequest{Name: name, ID: id(n), Attempt: 1, Owner: "ada@host:1"}
}

func in(d time.Duration) *time.Duration { return &d }

// grant acquires r, which must succeed.
func grant(t *testing.T, l *lease.Lessor, r lease.AcquireRequest) lease.Grant {
	t.Helper()
	g, err := l.Acquire(t.Context(), r)
	if err != nil {
		t.Fatalf("Acquire(%q) = %v, want a lease", r.Name, err)
	}
	return g
}

// outcome is how an Acquire in a goroutine of its own ended, and when.
type outcome struct {
	grant lease.Grant
	err   error
	at    time.Time
}

// begin acquires r in a goroutine.
func begin(ctx context.Context, l *lease.Lessor, r lease.AcquireRequest) <-chan outcome {
	ended := make(chan outcome, 1)
	go func() {
		g, err := l.Acquire(ctx, r)
		ended <- outcome{g, err, time.Now()}
	}()
	return ended
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s = %v, want %v", what, err, want)
	}
}

// wantGrant waits for the answer of ended, which must be a lease.
func wantGrant(t *testing.T, ended <-chan outcome) outcome {
	t.Helper()
	got := <-ended
	if got.err != nil {
		t.Fatalf("Acquire = %v, want a lease", got.err)
	}
	return got
}

func free(t *testing.T, l *lease.Lessor, name string, n int) {
	t.Helper()
	if out, err := l.Release(lease.ReleaseRequest{Name: name, ID: id(n)}); err != nil || out != lease.Held {
		t.Fatalf("Release(%q) = %d, %v, want Held", name, out, err)
	}
}

func wantHeld(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.As(err, new(*lease.HeldError)) {
		t.Errorf("%s = %v, want *HeldError", what, err)
	}
}
