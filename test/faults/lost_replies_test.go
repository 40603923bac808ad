package faults

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockd "github.com/lockd/lockd/clients/go"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/test/proxy"
	"github.com/lockd/lockd/test/redisproc"
)

// An edge is a place where replies get lost: a lockd seen through it, another one that is not, and the
// proxy. lose loses the reply to the next RPC of a method on name.
type edge struct {
	through, beside *server
	redis           *redisproc.Server
	lose            func(method, name string) *proxy.Fault
}

// edges are run one after the other by every test of lost replies.
var edges = map[string]func(*testing.T) edge{
	"Redis and lockd": func(t *testing.T) edge {
		r := redisproc.Start(t)
		p := redisProxy(t, r)
		return edge{
			through: start(t, "redis://"+p.Addr()), beside: start(t, r.URL()), redis: r,
			lose: func(_, name string) *proxy.Fault { return p.LoseReply(onLock(name), 1) },
		}
	},
	"lockd and client": func(t *testing.T) edge {
		r := redisproc.Start(t)
		s := start(t, r.URL())
		p := proxy.GRPC(t, s.Addr())
		return edge{
			through: connect(t, s.Server, p.Addr()), beside: start(t, r.URL()), redis: r,
			lose: func(method, name string) *proxy.Fault { return p.LoseReply(proxy.Contains("/"+method+"\n", name), 1) },
		}
	},
}

func redisProxy(t *testing.T, r *redisproc.Server) *proxy.Proxy {
	t.Helper()
	return proxy.Redis(t, r.Addr())
}

// onEveryEdge runs f at both edges.
func onEveryEdge(t *testing.T, f func(*testing.T, edge)) {
	for name, make := range edges {
		t.Run(name, func(t *testing.T) { f(t, make(t)) })
	}
}

// wantUnknown fails the test unless err says that the outcome is unknown and may be asked for again;
// above all, that nobody else holds anything.
func wantUnknown(t *testing.T, what string, err error) {
	t.Helper()
	if status.Code(err) != codes.Unavailable {
		t.Errorf("%s whose reply is lost = %v, want UNAVAILABLE", what, err)
	}
}

// The retry of an acquisition, within a second and at whichever lockd, gets the lease that the first
// attempt was granted, and keeps it: the undo that was planned does not touch it.
func TestLostReplyToAcquire(t *testing.T) {
	onEveryEdge(t, func(t *testing.T, e edge) {
		for where, retryAt := range map[string]*server{"here": e.through, "elsewhere": e.beside} {
			name, id := "job/"+where, newID(t)
			e.lose("Acquire", name)
			_, err := e.through.lease.Acquire(soon(t), request(name, id, 1))
			wantUnknown(t, "Acquire", err)
			stood := e.beside.get(t, name)
			got := retryAt.acquire(t, request(name, id, 2))
			if stood == nil || got.GetToken() != stood.GetToken() {
				t.Errorf("the retry %s got %v, want the lease that stood: %v", where, got, stood)
			}
			e.settled(t)
			if held := e.beside.get(t, name); held.GetToken() != got.GetToken() {
				t.Errorf("when everything was cleaned up %v held the name, want token %d", held, got.GetToken())
			}
			retryAt.release(t, name, id, lockdv1.ReleaseResponse_HELD)
		}
		e.wantNothingLeft(t)
	})
}

// An acquisition that was repeated, and whose last reply is lost, is not taken from its holder either.
func TestLostReplyToARepeatedAcquire(t *testing.T) {
	onEveryEdge(t, func(t *testing.T, e edge) {
		id := newID(t)
		first := e.through.acquire(t, request("job", id, 1))
		e.lose("Acquire", "job")
		_, err := e.through.lease.Acquire(soon(t), request("job", id, 2))
		wantUnknown(t, "Acquire", err)
		if got := e.through.acquire(t, request("job", id, 3)); got.GetToken() != first.GetToken() {
			t.Errorf("the third attempt got token %d, want %d", got.GetToken(), first.GetToken())
		}
		e.settled(t)
		if held := e.beside.get(t, "job"); held.GetToken() != first.GetToken() {
			t.Errorf("when everything was cleaned up %v held the name, want token %d", held, first.GetToken())
		}
		e.through.release(t, "job", id, lockdv1.ReleaseResponse_HELD)
		e.wantNothingLeft(t)
	})
}

// An acquisition that failed between Redis and lockd, and that nobody asks for again, is gone after 2 s.
func TestLostReplyToAnAcquireThatNobodyRepeats(t *testing.T) {
	e := edges["Redis and lockd"](t)
	e.lose("Acquire", "job")
	_, err := e.through.lease.Acquire(soon(t), request("job", newID(t), 1))
	failed := time.Now()
	wantUnknown(t, "Acquire", err)
	if e.beside.get(t, "job") == nil {
		t.Fatal("the lost reply was not that of a grant: nothing was tested")
	}
	until(t, "the name is free", func() bool { return e.beside.get(t, "job") == nil })
	if took := time.Since(failed); took > 2*time.Second {
		t.Errorf("the acquisition was gone after %s, want within 2 s", took)
	}
	e.wantNothingLeft(t)
}

// The Go client asks again by itself: a lost reply costs its caller nothing but time.
func TestLostReplyToTheGoClient(t *testing.T) {
	r := redisproc.Start(t)
	s := start(t, r.URL())
	p := proxy.GRPC(t, s.Addr())
	c := welcomed(t, p)

	var l *lockd.Lease
	var err error
	losingReplies(t, p, "the name is held", func() bool { return s.get(t, "job") != nil }, func() {
		l, err = c.Acquire(t.Context(), "job", lockd.WithTTL(ttl))
	})
	if err != nil {
		t.Fatalf("Acquire = %v, want the lease", err)
	}
	before := s.get(t, "job").GetTtlLeft().AsDuration()
	losingReplies(t, p, "the lease is renewed", func() bool {
		left := s.get(t, "job").GetTtlLeft().AsDuration()
		renewed := left > before
		before = left
		return renewed
	}, func() {})
	renewedAfter(t, l, time.Now().Add(ttl/3)) // the second renewal from now on at the earliest
	losingReplies(t, p, "the name is free", func() bool { return s.get(t, "job") == nil }, func() {
		if err := l.Release(soon(t)); err != nil {
			t.Errorf("Release = %v, want nil", err)
		}
	})
	if keys := lockKeys(t, r); len(keys) > 0 {
		t.Errorf("keys left: %q", keys)
	}
}

// welcomed returns a client through p whose stream stands.
func welcomed(t *testing.T, p *proxy.Proxy) *lockd.Client {
	t.Helper()
	c := dial(t, p.Addr())
	if err := take(t, c, "warm", ttl).Release(soon(t)); err != nil {
		t.Fatal(err)
	}
	return c
}

// losingReplies has ask ask, and cuts the connection when the request has been done, before anything of
// the reply is through. It returns when ask does.
func losingReplies(t *testing.T, p *proxy.Proxy, done string, isDone func() bool, ask func()) {
	t.Helper()
	p.HoldReplies()
	var asking sync.WaitGroup
	asking.Go(ask)
	until(t, done, isDone)
	if p.Cut() == 0 {
		t.Error("there was no connection to cut: nothing is tested")
	}
	p.Release()
	asking.Wait()
}

// A caller that gives up on an acquisition whose reply is under way leaves nothing behind.
func TestAGivenUpAcquireIsGoneWithin2Seconds(t *testing.T) {
	r := redisproc.Start(t)
	s := start(t, r.URL())
	p := proxy.GRPC(t, s.Addr())
	c := welcomed(t, p)
	p.HoldReplies()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := c.Acquire(ctx, "job")
		done <- err
	}()
	until(t, "the name is held", func() bool { return s.get(t, "job") != nil })
	cancel()
	gaveUp := time.Now()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Acquire = %v, want context.Canceled", err)
	}
	until(t, "the name is free", func() bool { return s.get(t, "job") == nil })
	if took := time.Since(gaveUp); took > 2*time.Second {
		t.Errorf("the acquisition was gone after %s, want within 2 s", took)
	}
	p.Release()
}

func TestLostReplyToRenew(t *testing.T) {
	onEveryEdge(t, func(t *testing.T, e edge) {
		id := newID(t)
		first := e.through.acquire(t, request("job", id, 1))
		e.lose("Renew", "job")
		_, err := e.through.lease.Renew(soon(t), &lockdv1.RenewRequest{Name: "job", LeaseId: id})
		wantUnknown(t, "Renew", err)
		again, err := e.through.lease.Renew(soon(t), &lockdv1.RenewRequest{Name: "job", LeaseId: id})
		if err != nil || again.GetLease().GetToken() != first.GetToken() {
			t.Errorf("Renew again = %v, %v, want token %d", again, err, first.GetToken())
		}
		e.through.release(t, "job", id, lockdv1.ReleaseResponse_HELD)
		e.wantNothingLeft(t)
	})
}

// A release whose reply is lost has freed the name; repeated, it touches nobody.
func TestLostReplyToRelease(t *testing.T) {
	onEveryEdge(t, func(t *testing.T, e edge) {
		id, other := newID(t), newID(t)
		first := e.through.acquire(t, request("job", id, 1))
		e.lose("Release", "job")
		_, err := e.through.lease.Release(soon(t), &lockdv1.ReleaseRequest{Name: "job", LeaseId: id})
		wantUnknown(t, "Release", err)
		next := e.beside.acquire(t, request("job", other, 1))
		if next.GetToken() <= first.GetToken() {
			t.Errorf("token went from %d to %d, want larger", first.GetToken(), next.GetToken())
		}
		e.through.release(t, "job", id, lockdv1.ReleaseResponse_HELD_BY_OTHER)
		e.settled(t)
		if held := e.beside.get(t, "job"); held.GetToken() != next.GetToken() {
			t.Errorf("when everything was cleaned up %v held the name, want token %d", held, next.GetToken())
		}
		e.beside.release(t, "job", other, lockdv1.ReleaseResponse_HELD)
		e.wantNothingLeft(t)
	})
}

// A forced release whose reply is lost has been done; repeated, it says so and harms nobody.
func TestLostReplyToForceRelease(t *testing.T) {
	onEveryEdge(t, func(t *testing.T, e edge) {
		first := e.through.acquire(t, request("job", newID(t), 1))
		force := &lockdv1.ForceReleaseRequest{Name: "job", Token: first.GetToken(), Reason: "test"}
		e.lose("ForceRelease", "job")
		_, err := e.through.admin.ForceRelease(soon(t), force)
		wantUnknown(t, "ForceRelease", err)
		other := newID(t)
		next := e.beside.acquire(t, request("job", other, 1))
		if next.GetToken() <= first.GetToken() {
			t.Errorf("token went from %d to %d, want larger", first.GetToken(), next.GetToken())
		}
		if _, err := e.through.admin.ForceRelease(soon(t), force); reason(err) != "TOKEN_NOT_IN_FORCE" {
			t.Errorf("ForceRelease again = %v, want TOKEN_NOT_IN_FORCE", err)
		}
		e.beside.release(t, "job", other, lockdv1.ReleaseResponse_HELD)
		e.wantNothingLeft(t)
	})
}

// What only reads says that it has no answer, and has one the next time.
func TestLostReplyToReads(t *testing.T) {
	onEveryEdge(t, func(t *testing.T, e edge) {
		id := newID(t)
		first := e.through.acquire(t, request("job", id, 1))
		for method, read := range map[string]func() (token int64, err error){
			"Get": func() (int64, error) {
				resp, err := e.through.lease.Get(soon(t), &lockdv1.GetRequest{Name: "job"})
				return resp.GetLease().GetToken(), err
			},
			"CheckToken": func() (int64, error) {
				resp, err := e.through.lease.CheckToken(soon(t), &lockdv1.CheckTokenRequest{Name: "job", Token: first.GetToken()})
				if resp.GetInForce() {
					return first.GetToken(), err
				}
				return 0, err
			},
			"List": func() (int64, error) {
				resp, err := e.through.lease.List(soon(t), &lockdv1.ListRequest{Prefix: "job"})
				if len(resp.GetLeases()) != 1 {
					return 0, err
				}
				return resp.GetLeases()[0].GetToken(), err
			},
		} {
			e.lose(method, "job")
			_, err := read()
			wantUnknown(t, method, err)
			if token, err := read(); err != nil || token != first.GetToken() {
				t.Errorf("%s again = token %d, %v, want %d", method, token, err, first.GetToken())
			}
		}
		e.through.release(t, "job", id, lockdv1.ReleaseResponse_HELD)
	})
}

// A copy of an acquisition that reaches Redis just after its release, which overtook it, is gone
// within 2 s.
func TestALateAcquireIsGoneWithin2Seconds(t *testing.T) {
	s, late := lateAcquire(t)
	late.Release()
	<-late.Answered()
	arrived := time.Now()
	s.settled(t)
	if held := s.get(t, "job"); held != nil {
		t.Errorf("when everything was cleaned up %v held the name, want nobody", held)
	}
	if took := time.Since(arrived); took > 2*time.Second {
		t.Errorf("that took %s, want at most 2 s", took)
	}
}

// A copy that reaches Redis when nobody looks out for it any more grants nothing.
func TestAVeryLateAcquireGrantsNothing(t *testing.T) {
	s, late := lateAcquire(t)
	s.settled(t)
	late.Release()
	<-late.Answered()
	if held := s.get(t, "job"); held != nil {
		t.Errorf("the late copy was granted %v, want nothing", held)
	}
}

// The lockd that sent the acquisition is killed, so nobody undoes it; the release, at another lockd, finds
// nothing yet. It is run again when no copy can arrive any more, and frees what came in between.
func TestAReleaseElsewhereCoversALateAcquire(t *testing.T) {
	r := redisproc.Start(t)
	p := redisProxy(t, r)
	s, beside := start(t, "redis://"+p.Addr()), start(t, r.URL())
	var arrived time.Time
	for try := 1; ; try++ {
		if try > 10 {
			t.Fatal("no copy arrived within half a second of its sending: nothing was tested")
		}
		id := newID(t)
		late := p.DelayRequest(onLock("job"))
		given := make(chan error, 1)
		ctx := soon(t)
		go func() {
			_, err := s.lease.Acquire(ctx, request("job", id, 1))
			given <- err
		}()
		<-late.Bitten()
		s.Kill()
		<-given
		beside.release(t, "job", id, lockdv1.ReleaseResponse_GONE)
		late.Release()
		<-late.Answered()
		arrived = time.Now()
		if beside.get(t, "job") != nil {
			break
		}
		s.Restart()
	}
	until(t, "the name is free", func() bool { return beside.get(t, "job") == nil })
	if took := time.Since(arrived); took > 2*time.Second {
		t.Errorf("the late copy was gone after %s, want within 2 s", took)
	}
}

// lateAcquire has an acquisition of "job" held back on its way to Redis until it is given up and released.
func lateAcquire(t *testing.T) (*server, *proxy.Fault) {
	t.Helper()
	p := redisProxy(t, redisproc.Start(t))
	s := start(t, "redis://"+p.Addr())
	id := newID(t)
	late := p.DelayRequest(onLock("job"))
	_, err := s.lease.Acquire(soon(t), request("job", id, 1))
	wantUnknown(t, "Acquire", err)
	s.release(t, "job", id, lockdv1.ReleaseResponse_GONE)
	return s, late
}

// settled waits until neither lockd has anything left to clean up.
func (e edge) settled(t *testing.T) {
	t.Helper()
	e.through.settled(t)
	e.beside.settled(t)
}

// wantNothingLeft fails the test if a lease is left when everything has been cleaned up.
func (e edge) wantNothingLeft(t *testing.T) {
	t.Helper()
	e.settled(t)
	if keys := lockKeys(t, e.redis); len(keys) > 0 {
		t.Errorf("keys left: %q", keys)
	}
}
