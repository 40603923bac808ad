package rpc

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// http2Frame is a frame of HTTP/2 by its numbers.
func http2Frame(kind http2.FrameType, flags http2.Flags, length int) []byte {
	b := []byte{byte(length >> 16), byte(length >> 8), byte(length), byte(kind), byte(flags), 0, 0, 0, 1}
	return append(b, make([]byte, length)...)
}

// Frames that nobody needs many of are counted, however what is read is cut; the others are not.
func TestFussIsCounted(t *testing.T) {
	const fussy, other = 7, 9
	stream := slices.Concat([]byte(http2.ClientPreface),
		http2Frame(http2.FrameSettings, 0, 12), http2Frame(http2.FrameSettings, http2.FlagSettingsAck, 0),
		http2Frame(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 300), http2Frame(http2.FrameData, 0, 5), http2Frame(http2.FrameData, 0, 70_000),
		http2Frame(http2.FrameData, 0, 4), http2Frame(http2.FrameData, 0, 0), http2Frame(http2.FrameData, http2.FlagDataEndStream, 0),
		http2Frame(http2.FrameRSTStream, 0, 4), http2Frame(http2.FramePing, 0, 8), http2Frame(http2.FramePing, http2.FlagPingAck, 8),
		http2Frame(http2.FrameWindowUpdate, 0, 4), http2Frame(http2.FrameContinuation, 0, 16<<10), http2Frame(http2.FramePriority, 0, 5),
		http2Frame(99, 0, 1), http2Frame(http2.FrameHeaders, 0, 0))
	seed := mathrand.Uint64()
	cut := mathrand.New(mathrand.NewPCG(seed, 0))
	for range 200 {
		f := frames{skip: len(http2.ClientPreface)}
		got := 0
		for rest := stream; len(rest) > 0; {
			n := min(1+cut.IntN(1+cut.IntN(40_000)), len(rest))
			got += f.look(rest[:n])
			rest = rest[n:]
		}
		if got != fussy || f.have != 0 || f.skip != 0 {
			t.Fatalf("%d of %d frames are fuss, want %d (seed %d)", got, fussy+other, fussy, seed)
		}
	}
}

// A connection that makes much fuss is read more slowly; one from the same address that makes none is not, nor is
// one that makes as much as a client may that gives up thousands of waits at once.
func TestWhoMakesFussIsReadSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := new(origin)
		fussy, calm := newPatient(nil, from), newPatient(nil, from)
		if rest := fussy.charge(originRoom); rest != 0 {
			t.Errorf("after %d units at once it rests for %s, want not at all", originRoom, rest)
		}
		if rest := fussy.charge(originDrain / 2); rest != 500*time.Millisecond {
			t.Errorf("after half a second's units more it rests for %s, want half a second", rest)
		}
		if rest := fussy.charge(100 * originDrain); rest != longestRest {
			t.Errorf("after very many it rests for %s at a time, want %s", rest, longestRest)
		}
		if rest := calm.charge(connRoom); rest != 0 {
			t.Errorf("the other one rests for %s, want not at all", rest)
		}
		fussy.charge(1e6)
		<-time.After(remembered + originRoom/originDrain*time.Second)
		if rest := fussy.charge(1); rest != 0 {
			t.Errorf("long after that it rests for %s, want not at all", rest)
		}
	})
}

// Who connects anew is not another for it: what an address did is remembered after its last connection, and forgotten in time.
func TestAnAddressIsRememberedForItsFuss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &door{gate: newGate(Bounds{}), log: zap.NewNop()}
		addr, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
		first, _ := d.enter(addr)
		first.fuss.add(originRoom+5*originDrain, originRoom, originDrain, time.Now())
		if p := newPatient(nil, first); p.charge(1) == 0 {
			t.Error("a connection from there may make fuss of its own, want that it is slowed at once")
		}
		if wait, ok := first.queue(time.Now()); wait != 0 || !ok {
			t.Errorf("its handshake waits for %s, %t, want it begun: others there make the fuss", wait, ok)
		}
		first.begun.add(originRoom+5*originDrain, originRoom, originDrain, time.Now())
		d.leave(first)
		if again, at := d.enter(addr); again == nil || !at.IsZero() || d.open != 0 {
			t.Errorf("a connection is let in whose handshake may begin in %s, want it kept and closed", time.Until(at))
		}
		if from, at := d.enter(other); from == nil || at.After(time.Now()) {
			t.Error("another address has to wait, want it let in at once")
		}
		<-time.After(4 * time.Second)
		again, at := d.enter(addr)
		if again != first {
			t.Fatal("the address is not known any more, or not let in")
		}
		if wait := time.Until(at); wait <= time.Second || wait > longestQueue {
			t.Errorf("its handshake waits for %s, want about a second", wait)
		}
		d.leave(again)
		<-time.After(time.Minute)
		if from, _ := d.enter(netip.MustParseAddr("192.0.2.3")); from == nil || d.from[addr] != nil {
			t.Error("the address is still known, want it forgotten")
		}
	})
}

// Calls that are refused, whoever makes them, are charged to their connection, on streams too; those that are done are not, nor
// is who is held up for asking too much. A message of a session, which rests for it, is charged once, whatever is in it.
func TestRefusedCallsAreCharged(t *testing.T) {
	g := newGuarded(t)
	a := newAround(Config{Log: zap.NewNop(), Guard: g.guard, Bounds: Bounds{Each: Traffic{Rate: 1}}})
	defer a.endStreams()
	get := &grpc.UnaryServerInfo{FullMethod: lockdv1.LeaseService_Get_FullMethodName}
	open := &grpc.StreamServerInfo{FullMethod: lockdv1.LeaseService_Session_FullMethodName}
	unary := func(ctx context.Context) error {
		_, err := a.admitUnary(ctx, &lockdv1.GetRequest{Name: "team-a/x"}, get, func(ctx context.Context, req any) (any, error) {
			return a.limitUnary(ctx, req, get, func(context.Context, any) (any, error) { return nil, nil })
		})
		return err
	}
	stream := func(ctx context.Context) error {
		return a.admitStream(nil, &fakeStream{ctx: ctx}, open, func(srv any, s grpc.ServerStream) error {
			return a.limitStream(srv, s, open, func(any, grpc.ServerStream) error { return nil })
		})
	}
	operation := func(ctx context.Context) error {
		x := &session{service: &leaseService{gate: a.gate}, ctx: ctx, caller: callerOf(ctx), by: a.gate.visitor("token:a"), began: time.Now()}
		return x.allow(3, false)
	}
	for _, c := range []struct {
		what string
		who  string
		call func(context.Context) error
		done bool
		want float64
	}{
		{"a call that is done", "a", unary, true, 0}, {"one too many", "a", unary, false, 0}, {"a stream too many", "a", stream, false, 0},
		{"operations too many", "a", operation, false, 1}, {"another tenant's call", "b", unary, false, 1},
		{"a stranger's call", "nobody", unary, false, 1}, {"a stranger's stream", "nobody", stream, false, 1},
	} {
		p := newPatient(nil, new(origin))
		ctx := peer.NewContext(t.Context(), &peer.Peer{AuthInfo: plain{conn: p}})
		ctx = metadata.NewIncomingContext(ctx, metadata.Pairs("authorization", "Bearer secret-"+c.who))
		err := c.call(a.withCaller(ctx))
		if (err == nil) != c.done || p.fuss.level != c.want || p.from.fuss.level != c.want {
			t.Errorf("%s = %v and is charged %g and %g, want %g", c.what, err, p.fuss.level, p.from.fuss.level, c.want)
		}
	}
}

// A connection that rests reads little at a time, and ends when it is closed.
func TestAConnectionThatRestsCanBeClosed(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	p := newPatient(near, new(origin))
	p.charge(originRoom + 100*originDrain)
	got := make(chan error, 1)
	go func() {
		_, err := p.Read(make([]byte, 10))
		got <- err
	}()
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	select {
	case err := <-got:
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("Read of a closed connection = %v", err)
		}
	case <-time.After(patience):
		t.Error("Read goes on after Close")
	}
	p.slow = time.Now().Add(-maxSlow)
	if _, err := p.Read(make([]byte, 10)); !errors.Is(err, errFuss) {
		t.Errorf("Read after %s of rests = %v, want the connection's end", maxSlow, err)
	}
	near, far = net.Pipe()
	p = newPatient(near, new(origin))
	p.charge(originRoom + connRoom + 1)
	go func() { _, _ = io.CopyN(far, rand.Reader, 2*slowRead) }()
	if n, err := p.Read(make([]byte, 4*slowRead)); n > slowRead || err != nil {
		t.Errorf("Read = %d bytes, %v, want at most %d", n, err, slowRead)
	}
	_, _ = near.Close(), far.Close()
}

// Who is turned away for its fuss hears of it after a moment, unless there are many or it is the end.
func TestWhoIsTurnedAwayForItsFussWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l late
		closed := func(conn net.Conn) bool {
			_ = conn.SetReadDeadline(time.Now())
			_, err := conn.Read(make([]byte, 1))
			return errors.Is(err, io.EOF)
		}
		var far []net.Conn
		keep := func() net.Conn {
			ours, theirs := net.Pipe()
			far = append(far, theirs)
			l.keep(ours)
			return theirs
		}
		first := keep()
		<-time.After(keptFor / 2)
		second := keep()
		<-time.After(keptFor/2 + time.Second)
		if !closed(first) || closed(second) {
			t.Errorf("after %s the first is closed: %t, and the second one, which came later: %t", keptFor, closed(first), closed(second))
		}
		<-time.After(keptFor)
		synctest.Wait()
		l.mu.Lock()
		goesOn := l.timer != nil
		l.mu.Unlock()
		if !closed(second) || goesOn {
			t.Error("the second one is not closed, or a timer goes on for nothing")
		}
		for range maxLate {
			keep()
		}
		if beyond := keep(); !closed(beyond) {
			t.Errorf("%d are kept, want %d", len(l.kept), maxLate)
		}
		last := far[len(far)-2]
		l.end()
		if after := keep(); !closed(last) || !closed(after) {
			t.Error("at the end they are kept, want them closed")
		}
		for _, conn := range far {
			_ = conn.Close()
		}
	})
}
