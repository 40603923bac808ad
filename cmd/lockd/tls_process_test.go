package main

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/test/certs"
	"github.com/lockd/lockd/test/lockdproc"
	"github.com/lockd/lockd/test/redisproc"
)

// Over TLS alone a lease is granted, renewed and released with Sentinel and in a Cluster; whose certificate is not
// trusted is refused at the start, and the log says what would be right.
func TestTLSWithSentinelAndInACluster(t *testing.T) {
	by, other := certs.New(t), certs.New(t)
	pair := by.Sign(t, "lockd")
	for name, start := range map[string]func(testing.TB, redisproc.Option) string{
		"sentinel": func(t testing.TB, opt redisproc.Option) string { return redisproc.StartGroup(t, 1, opt).URL() },
		"cluster":  func(t testing.TB, opt redisproc.Option) string { return redisproc.StartCluster(t, opt).URL() },
	} {
		t.Run(name, func(t *testing.T) {
			url := start(t, redisproc.TLS(t, by))
			args := []string{"--redis=" + url, "--redis-cert=" + pair.Cert, "--redis-key=" + pair.Key}
			code, _, stderr := ends(t, 10*time.Second, append(args, "--listen=127.0.0.1:0", "--http=", "--redis-ca="+other.CA)...)
			if code != exitRefused || !strings.Contains(stderr, "not trusted") || !strings.Contains(stderr, "want --redis-ca") {
				t.Errorf("lockd with another CA exits %d and says\n%s\nwant %d and what would be right", code, stderr, exitRefused)
			}
			s := lockdproc.Start(t, append(args, "--redis-ca="+by.CA)...)
			leases := lockdv1.NewLeaseServiceClient(lockdproc.Conn(t, s.Addr()))
			for _, name := range []string{"a", "b", "c", "d"} { // which are at several nodes of a Cluster
				_, err := leases.Acquire(t.Context(), &lockdv1.AcquireRequest{Name: name, LeaseId: id1, Ttl: durationpb.New(time.Minute)})
				if err == nil {
					_, err = leases.Renew(t.Context(), &lockdv1.RenewRequest{Name: name, LeaseId: id1})
				}
				if err != nil {
					t.Errorf("a lease on %q: %v", name, err)
				}
				released, err := leases.Release(t.Context(), &lockdv1.ReleaseRequest{Name: name, LeaseId: id1})
				if err != nil || released.GetOutcome() != lockdv1.ReleaseResponse_HELD {
					t.Errorf("Release(%q) = %v, %v, want that it was held", name, released, err)
				}
			}
		})
	}
}
