package lockd_test

import (
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lockd/lockd/clients/go/lockdtest"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// A holder is told who asks for its lease, why, and when it ends otherwise; of requests that it did not look at, the
// latest; and the lease stands meanwhile.
func TestReleaseRequested(t *testing.T) {
	server := lockdtest.Start(t)
	c := server.Client(t)
	l, err := c.Acquire(t.Context(), "job")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(server.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	request := func(reason string, in time.Duration) {
		t.Helper()
		req := &lockdv1.RequestReleaseRequest{Name: "job", Token: l.Token(), By: "ana", Reason: reason}
		if in > 0 {
			req.ForceIn = durationpb.New(in)
		}
		if _, err := lockdv1.NewAdminServiceClient(conn).RequestRelease(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	hear := func(reason string) time.Time {
		t.Helper()
		for {
			select {
			case got := <-l.ReleaseRequested():
				if got.By != "ana" {
					t.Errorf("%+v asks, want ana", got)
				}
				if got.Reason == reason {
					return got.ForcedAt
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("%q was not heard of", reason)
			}
		}
	}
	request("deploy", 0)
	if at := hear("deploy"); !at.IsZero() {
		t.Errorf("it is forced at %s, want never", at)
	}
	request("first", 0)
	request("second", time.Minute)
	if in := time.Until(hear("second")); in < 50*time.Second || in > time.Minute {
		t.Errorf("it is forced in %s, want a minute", in)
	}
	if err := l.Err(); err != nil {
		t.Errorf("the lease has ended: %v", err)
	}
}
