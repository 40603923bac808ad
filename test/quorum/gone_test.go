//go:build !race

package quorum

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// granted is the token of a lease that has to be granted, soon.
func (g *group) granted(t *testing.T, name, id string) (token int64) {
	t.Helper()
	until(t, 5*time.Second, func() string {
		got, err := g.Acquire(t.Context(), &lockdv1.AcquireRequest{Name: name, LeaseId: id, Attempt: 1})
		if err != nil {
			return err.Error()
		}
		token = got.GetLease().GetToken()
		return ""
	})
	return token
}

// With three of five gone everybody is told so within a node's deadline and a little more; nothing is granted, and nothing left
// behind: 2 s after they are back the name is granted.
func TestThreeOfFiveAreGone(t *testing.T) {
	for what, f := range faults {
		if f.out > 0 {
			continue // who has forgotten is out for long after
		}
		t.Run(what, func(t *testing.T) {
			g := start(t, nil, f.opts...)
			held := newID()
			last := g.granted(t, "held", held)
			for i := range 3 {
				f.hurt(t, g, i)
			}
			for range 5 {
				began := time.Now()
				_, err := g.Acquire(t.Context(), &lockdv1.AcquireRequest{Name: "job", LeaseId: newID(), Attempt: 1})
				if took := time.Since(began); status.Code(err) != codes.Unavailable || took > nodeDeadline+littleMore {
					t.Errorf("Acquire = %v after %s, want UNAVAILABLE within %s", err, took, nodeDeadline+littleMore)
				}
			}
			for i := range 3 {
				f.heal(t, g, i)
			}
			back := time.Now()
			until(t, 2*time.Second, func() string {
				got, err := g.Acquire(t.Context(), &lockdv1.AcquireRequest{Name: "job", LeaseId: newID(), Attempt: 1})
				switch {
				case err != nil:
					return err.Error()
				case got.GetLease().GetToken() <= last:
					t.Errorf("the token went from %d to %d, want larger", last, got.GetLease().GetToken())
				}
				return ""
			})
			t.Logf("%s: service was back after %s", what, time.Since(back))
		})
	}
}
