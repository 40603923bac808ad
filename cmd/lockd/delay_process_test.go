package main

import (
	"os/exec"
	"regexp"
	"testing"
	"time"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/test/lockdproc"
	"github.com/lockd/lockd/test/proc"
	"github.com/lockd/lockd/test/redisproc"
)

// delayPolicy closes names after an unclean loss.
const delayPolicy = "names:\n  - under: job\n    lock-delay: 2s\n"

const (
	policyDelay = 2 * time.Second
	shortTTL    = time.Second
	shortGrace  = 500 * time.Millisecond
	tardy       = 2 * time.Second // by which a machine that runs many tests at once may be late
)

// closedNames are two lockd on one Redis that keep names closed.
func closedNames(t *testing.T) (a, b *lockdproc.Server) {
	t.Helper()
	r, policy := redisproc.Start(t), write(t, "policy.yaml", delayPolicy)
	return lockdproc.Start(t, "--redis", r.URL(), "--policy", policy), lockdproc.Start(t, "--redis", r.URL(), "--policy", policy)
}

// nextAt has somebody wait for job at a lockd, and answers when it was granted.
func nextAt(t *testing.T, s *lockdproc.Server) (leases lockdv1.LeaseServiceClient, granted <-chan time.Time) {
	t.Helper()
	leases = lockdv1.NewLeaseServiceClient(lockdproc.Conn(t, s.Addr()))
	next := make(chan time.Time, 1)
	go func() {
		defer close(next)
		ask := &lockdv1.AcquireRequest{Name: "job", LeaseId: id2, Attempt: 1, Wait: durationpb.New(time.Minute)}
		if _, err := leases.Acquire(t.Context(), ask); err != nil {
			t.Error(err)
			return
		}
		next <- time.Now()
	}()
	eventually(t, "somebody waits", tardy, func() bool {
		got, err := leases.Get(t.Context(), &lockdv1.GetRequest{Name: "job"})
		return err == nil && got.GetWaiterCount() == 1
	})
	return leases, next
}

// When a holder is killed, the next one, at another lockd, has the name after ttl, grace and lock-delay; until then whoever
// asks is told that it is closed, and for how long.
func TestAKilledHolderLeavesTheNameClosed(t *testing.T) {
	a, b := closedNames(t)
	holder := &proc.Process{T: t, Name: "lockctl"}
	t.Cleanup(holder.Remove)
	cmd := exec.Command(lockdproc.Build(t, "lockctl"), "run", "--server", a.Addr(), "--ttl", shortTTL.String(), "job", "--", "sh", "-c", "echo holding; exec sleep 1000")
	holder.Must(holder.Run(cmd))
	_, err := holder.Await(regexp.MustCompile(`(?m)^holding$`), 20*time.Second)
	holder.Must(err)
	leases, next := nextAt(t, b)
	killed := time.Now()
	holder.Kill()

	eventually(t, "the name is closed", shortTTL+shortGrace+tardy, func() bool {
		got, err := leases.Get(t.Context(), &lockdv1.GetRequest{Name: "job"})
		return err == nil && !got.GetHeld() && got.GetLease().GetClosedFor().AsDuration() > 0
	})
	_, err = leases.Acquire(t.Context(), &lockdv1.AcquireRequest{Name: "job", LeaseId: id1, Attempt: 1})
	var held *lockdv1.Held
	for _, detail := range status.Convert(err).Details() {
		if d, ok := detail.(*lockdv1.Held); ok {
			held = d
		}
	}
	if left := held.GetLease().GetClosedFor().AsDuration(); left <= 0 || left > policyDelay {
		t.Errorf("Acquire = %v, want LEASE_HELD, and the name closed for up to %s", err, policyDelay)
	}

	took := (<-next).Sub(killed)
	if least, most := shortGrace+policyDelay, shortTTL+shortGrace+policyDelay+tardy; took < least || took > most {
		t.Errorf("the next one had the name %s after its holder was killed, want %s to %s", took, least, most)
	}
}

// When a holder releases, the next one has the name at once.
func TestAReleaseLeavesNoNameClosed(t *testing.T) {
	a, b := closedNames(t)
	at := lockdv1.NewLeaseServiceClient(lockdproc.Conn(t, a.Addr()))
	if _, err := at.Acquire(t.Context(), &lockdv1.AcquireRequest{Name: "job", LeaseId: id1, Attempt: 1}); err != nil {
		t.Fatal(err)
	}
	_, next := nextAt(t, b)
	released := time.Now()
	if _, err := at.Release(t.Context(), &lockdv1.ReleaseRequest{Name: "job", LeaseId: id1}); err != nil {
		t.Fatal(err)
	}
	if took := (<-next).Sub(released); took >= policyDelay {
		t.Errorf("the next one had the name %s after its release, want it at once", took)
	}
}
