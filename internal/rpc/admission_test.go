package rpc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/lockd/lockd/internal/auth"
	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/memstore"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// guarded are the files of a Guard.
type guarded struct {
	t              *testing.T
	guard          *auth.Guard
	tokens, policy string
}

// Who calls in these tests: token:a, token:b and so on, by the token "secret-a".
const teams = `rules:
  - {who: token:a, may: [acquire, read, watch], under: team-a}
  - {who: token:b, may: [acquire, read, watch], under: team-b}
  - {who: token:blind, may: acquire, under: team-a}
  - {who: token:ops, may: [read, force, watch, admin], under: ""}
revoked: token:revoked
`

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	dir := t.TempDir()
	g := &guarded{t: t, tokens: filepath.Join(dir, "tokens"), policy: filepath.Join(dir, "policy")}
	g.write(g.tokens, tokensOf("a", "b", "blind", "ops", "revoked", "nothing"))
	g.write(g.policy, teams)
	var err error
	if g.guard, err = auth.Open(auth.Settings{Tokens: g.tokens, Policy: g.policy}, 0); err != nil {
		t.Fatal(err)
	}
	return g
}

func tokensOf(names ...string) string {
	var text strings.Builder
	for _, name := range names {
		sum := sha256.Sum256([]byte("secret-" + name))
		text.WriteString(name + " sha256:" + hex.EncodeToString(sum[:]) + "\n")
	}
	return text.String()
}

func (g *guarded) write(path, text string) {
	g.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// become puts another policy, or other tokens, in force.
func (g *guarded) become(path, text string) {
	g.t.Helper()
	g.write(path, text)
	commit, err := g.guard.Prepare(0)
	if err != nil {
		g.t.Fatal(err)
	}
	commit()
}

// asks has a server ask g who calls.
func (g *guarded) asks(s *subject) { s.around.guard = g.guard }

func as(ctx context.Context, name string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer secret-"+name)
}

// each calls every method that is registered with a name, a prefix or whatever its first field is, and answers with which
// error it ended.
func each(t *testing.T, s *subject, ctx context.Context, first string, tell func(method string, err error)) {
	t.Helper()
	req, methods := &lockdv1.GetRequest{Name: first}, 0
	for service, info := range s.grpc.GetServiceInfo() {
		for _, m := range info.Methods {
			method := "/" + service + "/" + m.Name
			methods++
			if !m.IsClientStream && !m.IsServerStream {
				tell(method, s.conn.Invoke(ctx, method, req, new(emptypb.Empty)))
				continue
			}
			ctx, cancel := context.WithCancel(ctx)
			stream := openStream(t, ctx, s, method)
			_ = stream.SendMsg(req)
			_ = stream.CloseSend()
			tell(method, stream.RecvMsg(new(emptypb.Empty)))
			cancel()
		}
	}
	if methods < 15 {
		t.Errorf("%d methods walked, want at least 15", methods)
	}
}

// Whatever is registered, unary or stream, ours or not, answers nobody who is not known; and the store, which here
// answers nothing, is not asked.
func TestEveryMethodIsDeniedToWhoIsNotKnown(t *testing.T) {
	g := newGuarded(t)
	s := serve(t, &fakeStore{}, g.asks, withProbe(&probe{}))
	for what, ctx := range map[string]context.Context{
		"nothing":       t.Context(),
		"a wrong token": as(t.Context(), "wrong"),
		"a revoked one": as(t.Context(), "revoked"),
		"another kind":  metadata.AppendToOutgoingContext(t.Context(), "authorization", "Basic secret-a"),
		"two":           as(as(t.Context(), "a"), "a"),
	} {
		each(t, s, ctx, "team-a/x", func(method string, err error) {
			if status.Code(err) != codes.Unauthenticated || reason(err) != "UNAUTHENTICATED" {
				t.Errorf("%s with %s: %v, want UNAUTHENTICATED", method, what, err)
			}
		})
	}
	for _, entry := range s.log.All() {
		if text := entry.ContextMap()["error"]; strings.Contains(text.(string), "secret") {
			t.Errorf("the log shows a token: %v", text)
		}
	}
}

// Whoever is known, and has no right to a name, is denied whatever is about it, or about the server; and the store is not
// asked. Release alone is, since it may be its lease.
func TestEveryMethodIsDeniedToAnotherTenant(t *testing.T) {
	g := newGuarded(t)
	s := serve(t, &fakeStore{}, g.asks, withProbe(&probe{}))
	open := map[string]bool{
		lockdv1.LeaseService_Release_FullMethodName: true,
		lockdv1.LeaseService_Session_FullMethodName: true, // its operations are asked for
		lockdv1.AuthService_CanI_FullMethodName:     true,
	}
	for _, who := range []string{"b", "nothing"} {
		each(t, s, as(t.Context(), who), "team-a/x", func(method string, err error) {
			foreign := strings.HasPrefix(method, "/grpc.")
			if !open[method] && !foreign && (status.Code(err) != codes.PermissionDenied || reason(err) != "PERMISSION_DENIED") {
				t.Errorf("%s as %s: %v, want PERMISSION_DENIED", method, who, err)
			}
			if foreign && (status.Code(err) == codes.PermissionDenied || status.Code(err) == codes.Unauthenticated) {
				t.Errorf("%s as %s: %v, want that it may be called", method, who, err)
			}
		})
	}
	k := sessionAs(t, s, "b")
	for what, request := range map[string]any{
		"acquire": &lockdv1.AcquireRequest{Name: "team-a/x", LeaseId: id1},
		"renew":   &lockdv1.RenewRequest{Name: "team-a/x", LeaseId: id1},
	} {
		if e := k.answer(k.do(request)).GetError(); e.GetReason() != "PERMISSION_DENIED" {
			t.Errorf("%s on a session: %v, want PERMISSION_DENIED", what, e)
		}
	}
}

// sessionAs opens a session.
func sessionAs(t *testing.T, s *subject, who string) *talk {
	t.Helper()
	ctx, hangUp := context.WithTimeout(as(context.Background(), who), 2*patience)
	t.Cleanup(hangUp)
	stream, err := s.leases.Session(ctx)
	if err != nil {
		t.Fatal(err)
	}
	k := &talk{t: t, stream: stream, hangUp: hangUp}
	k.send(&lockdv1.SessionRequest{Hello: &lockdv1.Hello{Client: "test"}})
	k.hear("the welcome", func() bool { return k.welcome != nil })
	return k
}

func newStore(t *testing.T) lease.Store {
	store := memstore.New()
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// A lease is its principal's, and shown so; another tenant with its lease id is told nothing, and changes nothing.
func TestALeaseIsItsPrincipals(t *testing.T) {
	g := newGuarded(t)
	s := serve(t, newStore(t), g.asks)
	a, b, ctx := as(t.Context(), "a"), as(t.Context(), "b"), t.Context()
	granted, err := s.leases.Acquire(a, &lockdv1.AcquireRequest{Name: "team-a/x", LeaseId: id1, Owner: "me"})
	if err != nil || granted.GetLease().GetPrincipal() != "token:a" {
		t.Fatalf("Acquire = %v, %v, want token:a's lease", granted, err)
	}
	blind := as(ctx, "blind") // who may acquire the name, and has the lease id
	if _, err := s.leases.Renew(blind, &lockdv1.RenewRequest{Name: "team-a/x", LeaseId: id1}); reason(err) != "LEASE_LOST" {
		t.Errorf("Renew by another = %v, want LEASE_LOST", err)
	}
	if out, err := s.leases.Release(blind, &lockdv1.ReleaseRequest{Name: "team-a/x", LeaseId: id1}); err != nil || out.GetOutcome() != lockdv1.ReleaseResponse_HELD_BY_OTHER {
		t.Errorf("Release by another = %v, %v, want HELD_BY_OTHER", out, err)
	}
	for _, name := range []string{"team-a/x", "team-a/free"} { // they look alike
		if _, err := s.leases.Release(b, &lockdv1.ReleaseRequest{Name: name, LeaseId: id1}); reason(err) != "PERMISSION_DENIED" {
			t.Errorf("Release(%s) by who may not acquire it = %v, want PERMISSION_DENIED", name, err)
		}
		k := sessionAs(t, s, "b")
		if e := k.answer(k.do(&lockdv1.ReleaseRequest{Name: name, LeaseId: id1})).GetError(); e.GetReason() != "PERMISSION_DENIED" {
			t.Errorf("Release(%s) on a session = %v, want PERMISSION_DENIED", name, e)
		}
	}
	held, err := s.leases.Get(a, &lockdv1.GetRequest{Name: "team-a/x"})
	if err != nil || held.GetLease().GetToken() != granted.GetLease().GetToken() || held.GetLease().GetPrincipal() != "token:a" {
		t.Errorf("Get = %v, %v, want the lease as it was", held, err)
	}
	// Its rights are taken away: it may give back what it has, and renew it no more.
	g.become(g.policy, "rules: []")
	if _, err := s.leases.Renew(a, &lockdv1.RenewRequest{Name: "team-a/x", LeaseId: id1}); reason(err) != "PERMISSION_DENIED" {
		t.Errorf("Renew without rights = %v, want PERMISSION_DENIED", err)
	}
	if out, err := s.leases.Release(a, &lockdv1.ReleaseRequest{Name: "team-a/x", LeaseId: id1}); err != nil || out.GetOutcome() != lockdv1.ReleaseResponse_HELD {
		t.Errorf("Release without rights = %v, %v, want HELD", out, err)
	}
}

// Who loses the right while it stands in line is not granted the name.
func TestRightsAreAskedForAgainAfterAWait(t *testing.T) {
	g := newGuarded(t)
	s := serve(t, newStore(t), g.asks)
	a := as(t.Context(), "a")
	if _, err := s.leases.Acquire(a, &lockdv1.AcquireRequest{Name: "team-a/x", LeaseId: id1}); err != nil {
		t.Fatal(err)
	}
	k := sessionAs(t, s, "blind")
	op := k.do(&lockdv1.AcquireRequest{Name: "team-a/x", LeaseId: id2, Attempt: 1, Wait: durationpb.New(patience)})
	if k.answer(op).GetQueued() == nil {
		t.Fatal("it does not stand in line")
	}
	unary := make(chan error, 1)
	go func() {
		_, err := s.leases.Acquire(as(t.Context(), "blind"), &lockdv1.AcquireRequest{
			Name: "team-a/x", LeaseId: strings.Repeat("a", 32), Attempt: 1, Wait: durationpb.New(patience),
		})
		unary <- err
	}()
	for waiting := int64(0); waiting < 2; {
		got, err := s.leases.Get(a, &lockdv1.GetRequest{Name: "team-a/x"})
		if err != nil {
			t.Fatal(err)
		}
		waiting = got.GetWaiterCount()
	}
	g.become(g.policy, strings.Replace(teams, "who: token:blind", "who: token:other", 1))
	if _, err := s.leases.Release(a, &lockdv1.ReleaseRequest{Name: "team-a/x", LeaseId: id1}); err != nil {
		t.Fatal(err)
	}
	if e := k.answer(op).GetError(); e.GetReason() != "PERMISSION_DENIED" {
		t.Errorf("who waited on a session: %v, want PERMISSION_DENIED", e)
	}
	if err := <-unary; reason(err) != "PERMISSION_DENIED" {
		t.Errorf("who waited in a call: %v, want PERMISSION_DENIED", err)
	}
	_, err := s.leases.Acquire(a, &lockdv1.AcquireRequest{Name: "team-a/x", LeaseId: id2, Wait: durationpb.New(patience)})
	if err != nil {
		t.Errorf("Acquire after them = %v, want that the name is free soon", err)
	}
}

// A removed identity is cut off at its next message, on a session that stands.
func TestARemovedIdentityIsCutOff(t *testing.T) {
	g := newGuarded(t)
	s := serve(t, newStore(t), g.asks)
	k, other := sessionAs(t, s, "a"), sessionAs(t, s, "b")
	if k.answer(k.do(&lockdv1.AcquireRequest{Name: "team-a/x", LeaseId: id1})).GetAcquired() == nil {
		t.Fatal("no lease")
	}
	g.become(g.tokens, tokensOf("b"))
	k.do(&lockdv1.RenewRequest{Name: "team-a/x", LeaseId: id1})
	if err := k.ends(); status.Code(err) != codes.Unauthenticated {
		t.Errorf("its session ended with %v, want UNAUTHENTICATED", err)
	}
	if other.answer(other.do(&lockdv1.AcquireRequest{Name: "team-b/x", LeaseId: id1})).GetAcquired() == nil {
		t.Error("another identity's session does not go on")
	}
}

// CanI answers what the calls would.
func TestCanI(t *testing.T) {
	g := newGuarded(t)
	s := serve(t, &fakeStore{}, g.asks)
	can := lockdv1.NewAuthServiceClient(s.conn)
	for _, c := range []struct {
		who, verb, name string
		want            bool
	}{
		{"a", "acquire", "team-a/x", true}, {"a", "acquire", "team-b/x", false}, {"a", "force", "team-a/x", false},
		{"ops", "force", "team-a/x", true}, {"ops", "admin", "", true}, {"a", "admin", "", false}, {"nothing", "read", "x", false},
	} {
		got, err := can.CanI(as(t.Context(), c.who), &lockdv1.CanIRequest{Verb: c.verb, Name: c.name})
		if err != nil || got.GetAllowed() != c.want || got.GetPrincipal() != "token:"+c.who {
			t.Errorf("CanI(%s, %s) as %s = %v, %v, want %t", c.verb, c.name, c.who, got, err, c.want)
		}
	}
	for _, wrong := range []*lockdv1.CanIRequest{{Verb: "fly", Name: "x"}, {Verb: "read"}, {Verb: "read", Name: "x/"}, {Verb: "admin", Name: "x"}} {
		if _, err := can.CanI(as(t.Context(), "a"), wrong); status.Code(err) != codes.InvalidArgument {
			t.Errorf("CanI(%v) = %v, want INVALID_ARGUMENT", wrong, err)
		}
	}
	free := serve(t, &fakeStore{})
	got, err := lockdv1.NewAuthServiceClient(free.conn).CanI(t.Context(), &lockdv1.CanIRequest{Verb: "force", Name: "x"})
	if err != nil || !got.GetAllowed() || got.GetPrincipal() != "" {
		t.Errorf("where nobody is asked: %v, %v, want allowed", got, err)
	}
}
