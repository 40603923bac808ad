package line

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/test/fleet"
	"github.com/lockd/lockd/test/history"
	"github.com/lockd/lockd/test/lockdproc"
	"github.com/lockd/lockd/test/redisproc"
)

// patience bounds whatever must happen, on a machine that is busy with other things.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	if fleet.IsClient() {
		return
	}
	goleak.VerifyTestMain(lockdproc.Main{M: redisproc.Main{M: m}})
}

// api is a lockd as one who speaks the bare protocol sees it: nothing is tried again, nothing renewed.
type api struct {
	lockdv1.LeaseServiceClient
	admin lockdv1.AdminServiceClient
}

func connect(t *testing.T, s *lockdproc.Server) api {
	t.Helper()
	conn := lockdproc.Conn(t, s.Addr())
	return api{lockdv1.NewLeaseServiceClient(conn), lockdv1.NewAdminServiceClient(conn)}
}

func newID() string {
	var bits [16]byte
	_, _ = rand.Read(bits[:]) // it never fails
	return hex.EncodeToString(bits[:])
}

func want(name, id string, attempt uint32, wait time.Duration) *lockdv1.AcquireRequest {
	return &lockdv1.AcquireRequest{
		Name: name, LeaseId: id, Attempt: attempt, Owner: id[:8], Ttl: durationpb.New(time.Minute), Wait: durationpb.New(wait),
	}
}

// acquire must succeed at once.
func (a api) acquire(t *testing.T, name, id string) *lockdv1.Lease {
	t.Helper()
	resp, err := a.Acquire(soon(t), want(name, id, 1, 0), grpc.WaitForReady(true))
	if err != nil {
		t.Fatalf("Acquire(%s) = %v, want a lease", name, err)
	}
	return resp.GetLease()
}

// release must succeed.
func (a api) release(t *testing.T, name, id string) {
	t.Helper()
	resp, err := a.Release(soon(t), &lockdv1.ReleaseRequest{Name: name, LeaseId: id}, grpc.WaitForReady(true))
	if err != nil || resp.GetOutcome() != lockdv1.ReleaseResponse_HELD {
		t.Fatalf("Release(%s) = %v, %v, want HELD", name, resp, err)
	}
}

// waiting is somebody who stands in line.
type waiting struct {
	id     string
	ticket int64
	since  time.Time
	done   chan answered
}

type answered struct {
	lease *lockdv1.Lease
	at    time.Time
	err   error
}

// wait has id ask for name, and returns when it stands in line.
func (a api) wait(t *testing.T, name, id string, attempt uint32) *waiting {
	t.Helper()
	w := &waiting{id: id, done: make(chan answered, 1)}
	ctx := soon(t)
	asked := make(chan struct{})
	go func() {
		close(asked)
		resp, err := a.Acquire(ctx, want(name, id, attempt, time.Minute), grpc.WaitForReady(true))
		w.done <- answered{resp.GetLease(), time.Now(), err}
	}()
	<-asked
	until(t, "it stands in line", func() bool {
		for _, one := range a.get(t, name).GetWaiters() {
			if one.GetOwner() == id[:8] {
				w.ticket, w.since = one.GetTicket(), one.GetSince().AsTime()
				return true
			}
		}
		return false
	})
	return w
}

// granted waits until its turn has come.
func (w *waiting) granted(t *testing.T) answered {
	t.Helper()
	select {
	case got := <-w.done:
		if got.err != nil {
			t.Fatalf("who waited got %v, want a lease", got.err)
		}
		return got
	case <-soon(t).Done():
		t.Fatalf("who waited got nothing within %s", patience)
	}
	return answered{}
}

func (a api) get(t *testing.T, name string) *lockdv1.GetResponse {
	t.Helper()
	resp, err := a.Get(soon(t), &lockdv1.GetRequest{Name: name}, grpc.WaitForReady(true))
	if err != nil {
		t.Fatalf("Get(%s) = %v", name, err)
	}
	return resp
}

// line is who waits for name, in order, by their lease ids.
func (a api) line(t *testing.T, name string) (owners []string) {
	t.Helper()
	for _, w := range a.get(t, name).GetWaiters() {
		owners = append(owners, w.GetOwner())
	}
	return owners
}

// right fails the test if anything in a history must not be.
func right(t *testing.T, records []history.Record) []history.Hold {
	t.Helper()
	holds := history.Holds(records)
	wrong := append(history.CheckExclusive(holds), history.CheckTokens(holds)...)
	for i, err := range wrong {
		if i == 10 {
			t.Errorf("... and %d more", len(wrong)-i)
			break
		}
		t.Error(err)
	}
	return holds
}

// until waits for ok, looking again and again, and fails the test if it takes too long.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s until %s", patience, what)
		}
		<-tick.C
	}
}

// soon is a context for what must happen now.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}
