package rpc

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// counted are meters that count.
type counted struct {
	mu      sync.Mutex
	streams map[string]bool
	ended   map[string]int
}

type countedMethod struct {
	of   *counted
	name string
}

func (c *counted) meter(method string, stream bool) Meter {
	c.streams[method] = stream
	return countedMethod{c, method}
}

func (m countedMethod) Ended(code codes.Code, took time.Duration) {
	m.of.mu.Lock()
	defer m.of.mu.Unlock()
	m.of.ended[fmt.Sprintf("%s %s %t", m.name, code, took > 0)]++
}

// Every call is measured once, by its method and its answer: unary ones, streams, and operations of a session as the unary
// calls that mean the same, whether they were granted, refused or not even begun.
func TestEveryCallIsMeasuredOnce(t *testing.T) {
	c := &counted{streams: map[string]bool{}, ended: map[string]int{}}
	s, _ := serveMemory(t, quiet, func(s *subject) { s.around.access.meters = metersFor(s.grpc.GetServiceInfo(), c.meter) })
	if !c.streams["lockd.v1.LeaseService/Session"] || !c.streams["lockd.v1.LeaseService/Watch"] || c.streams["lockd.v1.LeaseService/Acquire"] {
		t.Errorf("streams are told as %v, want Session and Watch and no Acquire among them", c.streams)
	}
	ctx := t.Context()
	_, _ = s.leases.Acquire(ctx, &lockdv1.AcquireRequest{Name: "a", LeaseId: id1})
	_, _ = s.leases.Acquire(ctx, &lockdv1.AcquireRequest{Name: "a", LeaseId: id2})
	_, _ = s.leases.Get(ctx, &lockdv1.GetRequest{Name: "/"})
	k := openSession(t, s)
	k.answer(k.do(&lockdv1.AcquireRequest{Name: "b", LeaseId: id1}))
	k.answer(k.do(&lockdv1.AcquireRequest{Name: "a", LeaseId: id2}))
	k.answer(k.do(&lockdv1.AcquireRequest{Name: "a"}))
	k.answer(k.do(&lockdv1.RenewRequest{Name: "b", LeaseId: id1}))
	k.answer(k.do(&lockdv1.RenewRequest{Name: "b", LeaseId: id2}))
	k.answer(k.do(&lockdv1.ReleaseRequest{Name: "b", LeaseId: id1}))
	s.SetBounds(Bounds{All: Traffic{Rate: 1}})
	k.answer(k.do(&lockdv1.AcquireRequest{Name: "c", LeaseId: id1}))
	k.answer(k.do(&lockdv1.AcquireRequest{Name: "d", LeaseId: id1}))
	k.hangUp()
	want := map[string]int{
		"lockd.v1.LeaseService/Acquire OK true": 3, "lockd.v1.LeaseService/Acquire Aborted true": 2, "lockd.v1.LeaseService/Get InvalidArgument true": 1,
		"lockd.v1.LeaseService/Acquire InvalidArgument true": 1, "lockd.v1.LeaseService/Acquire ResourceExhausted true": 1,
		"lockd.v1.LeaseService/Renew OK true": 1, "lockd.v1.LeaseService/Renew FailedPrecondition true": 1,
		"lockd.v1.LeaseService/Release OK true": 1, "lockd.v1.LeaseService/Session Canceled true": 1,
	}
	diff := ""
	eventually(t, "all is measured", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		diff = cmp.Diff(want, c.ended)
		return diff == "" || c.ended["lockd.v1.LeaseService/Session Canceled true"] > 0
	})
	if diff != "" {
		t.Errorf("what was measured (-want +got):\n%s", diff)
	}
}
