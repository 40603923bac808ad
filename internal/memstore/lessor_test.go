package memstore

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// A wait is not put off by a duplicate of its request, with or without a wait of its own, that its client
// did not count; when that one's wait ends it has its turn still.
func TestADuplicateDoesNotPutAWaitOff(t *testing.T) {
	for _, wait := range []time.Duration{0, time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s := New()
			l := lease.NewLessor(s, lease.Limits{}.WithDefaults())
			holder := claim("job", 1)
			grant(t, s, holder)
			request := lease.AcquireRequest{Name: "job", ID: claim("job", 2).ID, Wait: wait}
			if wait > 0 { // it came first, or it would be the one that goes on
				go refused(t, l, request)
				synctest.Wait()
			}
			began, answered := time.Now(), make(chan time.Duration, 1)
			go func() {
				request := request
				request.Wait = 8 * time.Second
				if _, err := l.Acquire(t.Context(), request); err != nil {
					t.Errorf("Acquire = %v, want its turn", err)
				}
				answered <- time.Since(began)
			}()
			synctest.Wait()
			if wait == 0 {
				refused(t, l, request)
			}
			time.Sleep(1200 * time.Millisecond)
			if _, err := s.Release(call(t), lease.ReleaseRequest{Name: "job", ID: holder.ID}); err != nil {
				t.Fatal(err)
			}
			if after := <-answered; after != 1200*time.Millisecond {
				t.Errorf("the turn came after %s, want when the name was released", after)
			}
			if err := errors.Join(l.Close(t.Context()), s.Close()); err != nil {
				t.Error(err)
			}
		})
	}
}

// refused has a request told that the name is held.
func refused(t *testing.T, l *lease.Lessor, r lease.AcquireRequest) {
	if _, err := l.Acquire(t.Context(), r); !errors.As(err, new(*lease.HeldError)) {
		t.Errorf("Acquire = %v, want HeldError", err)
	}
}
