package lockd

import (
	"testing"
	"testing/synctest"
)

// A panic in the function of WithQueued reaches the caller, and nothing is left behind: neither the place in
// line, nor the lease if its turn came meanwhile.
func TestQueuedPanics(t *testing.T) {
	for name, turn := range map[string]bool{"in line": false, "granted meanwhile": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, c := newServers(t)
				told, recovered := make(chan struct{}), make(chan any)
				go func() {
					defer func() { recovered <- recover() }()
					_, _ = c.Acquire(t.Context(), "job", WithQueued(func(HeldError) { <-told; panic("told") }))
				}()
				s := f.stream("a")
				id, r := s.asks()
				s.answer(queuedAt(id, 1))
				if turn {
					s.answer(grantOf(id, r))
				}
				synctest.Wait()
				close(told)
				if got := <-recovered; got != "told" {
					t.Errorf("recovered %v, want what the function panicked with", got)
				}
				if op := s.operation(); op.GetRelease().GetLeaseId() != r.GetLeaseId() {
					t.Errorf("%v was sent, want a release", op)
				}
				if !turn && (len(s.cancels) != 1 || s.cancels[0] != id) {
					t.Errorf("%v are cancelled, want %d", s.cancels, id)
				}
			})
		})
	}
}
