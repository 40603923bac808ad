package lockd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

type acquireAnswer = func(context.Context, *lockdv1.AcquireRequest) (*lockdv1.AcquireResponse, error)

// inTurn answers the n-th request with the n-th answer, and the last one from there on.
func inTurn(answers ...acquireAnswer) acquireAnswer {
	var n atomic.Int64
	return func(ctx context.Context, r *lockdv1.AcquireRequest) (*lockdv1.AcquireResponse, error) {
		i := min(int(n.Add(1)), len(answers))
		return answers[i-1](ctx, r)
	}
}

func grant(_ context.Context, r *lockdv1.AcquireRequest) (*lockdv1.AcquireResponse, error) {
	return granted(r), nil
}

func fail(err error) acquireAnswer {
	return func(context.Context, *lockdv1.AcquireRequest) (*lockdv1.AcquireResponse, error) { return nil, err }
}

func silence(ctx context.Context, _ *lockdv1.AcquireRequest) (*lockdv1.AcquireResponse, error) {
	return nil, mute(ctx)
}

// held answers as a lockd that stands by for as long as it is asked to while another holds the name.
func held(ctx context.Context, r *lockdv1.AcquireRequest) (*lockdv1.AcquireResponse, error) {
	if !pause(ctx, r.GetWait().AsDuration()) {
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	return nil, heldBy("another")
}

var wantHeld = &HeldError{Name: "job", Owner: "another", Token: 42, Since: grantedAt, ExpiresIn: 7 * time.Second}

// What is asked for is what was said, and the lease is what was answered.
func TestAcquire(t *testing.T) {
	f, c := newFake(t, WithOwner("me"))
	l := acquired(t, c, "job", WithTTL(time.Minute), WithMetadata(map[string]string{"k": "v"}))
	acquires, _, _ := f.seen()
	r := acquires[0]
	got := []any{len(acquires), r.GetName(), r.GetAttempt(), r.GetOwner(), r.GetTtl().AsDuration(), r.GetWait().AsDuration(), r.GetMetadata(), r.GetToken()}
	want := []any{1, "job", uint32(1), "me", time.Minute, time.Duration(0), map[string]string{"k": "v"}, int64(0)}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("request (-want +got):\n%s", d)
	}
	if len(l.ID()) != 32 || strings.Trim(l.ID(), "0123456789abcdef") != "" || l.ID() != r.GetLeaseId() {
		t.Errorf("ID = %q, want the 32 lower-case hex digits that were sent", l.ID())
	}
	if other := acquired(t, c, "other"); other.ID() == l.ID() {
		t.Error("two leases have the same id")
	}
	if l.Name() != "job" || l.Token() != fakeToken || l.Owner() != "me" || l.TTL() != time.Minute || l.Err() != nil {
		t.Errorf("lease = %s, %s, %s, %v", l, l.Owner(), l.TTL(), l.Err())
	}
	if left := time.Until(l.Deadline()); left > validity(time.Minute, 0, 0) || left < 59*time.Second {
		t.Errorf("the deadline is %s away, want a little less than a minute", left)
	}
}

// Without options the server's default ttl holds and the owner is user@host:pid.
func TestAcquireDefaults(t *testing.T) {
	f, c := newFake(t)
	l := acquired(t, c, "job")
	acquires, _, _ := f.seen()
	if r := acquires[0]; r.GetTtl() != nil || r.GetOwner() != defaultOwner() {
		t.Errorf("asked for ttl %v as %q, want none, as %q", r.GetTtl(), r.GetOwner(), defaultOwner())
	}
	if l.TTL() != 30*time.Second {
		t.Errorf("TTL = %s, want the 30s that were answered", l.TTL())
	}
}

// An answer that was lost is asked for again, with the same lease id, within the second after which
// lockd would undo it.
func TestAcquireRetries(t *testing.T) {
	for name, err := range map[string]error{
		"connection": unavailable(),
		"store":      refuse(codes.Unavailable, "STORE_UNAVAILABLE"),
		"draining":   refuse(codes.Unavailable, reasonDraining),
		"refused":    refuse(codes.Unavailable, reasonRefused),
		"full":       refuse(codes.ResourceExhausted, reasonFull),
		"overloaded": refuse(codes.ResourceExhausted, reasonOverloaded),
		"over limit": refuse(codes.ResourceExhausted, reasonOverLimit),
		"cancelled":  status.Error(codes.Canceled, "by a proxy"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, c := newFake(t)
				f.acquire = inTurn(fail(err), grant)
				begun := time.Now()
				l, err := c.Acquire(t.Context(), "job")
				if err != nil {
					t.Fatalf("Acquire = %v", err)
				}
				acquires, _, releases := f.seen()
				if len(acquires) != 2 || acquires[0].GetLeaseId() != l.ID() || acquires[1].GetLeaseId() != l.ID() {
					t.Errorf("%d requests, want 2 with the lease's id", len(acquires))
				}
				if took := time.Since(begun); took > 500*time.Millisecond {
					t.Errorf("the retry came after %s, want well within a second", took)
				}
				if len(releases) != 0 {
					t.Error("the lease was released")
				}
			})
		})
	}
}

// The deadline counts from the sending of the request that was answered, and the wait that the server
// speaks of is added to it.
func TestAcquireDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ttl, waited = 10 * time.Second, 20 * time.Second
		f, c := newFake(t)
		var sent time.Time
		f.acquire = inTurn(fail(heldBy("another")), func(_ context.Context, r *lockdv1.AcquireRequest) (*lockdv1.AcquireResponse, error) {
			sent = time.Now()
			time.Sleep(waited + time.Second)
			resp := granted(r)
			resp.Waited = durationpb.New(waited)
			return resp, nil
		})
		l := acquired(t, c, "job", WithTTL(ttl))
		if got, want := l.Deadline(), sent.Add(validity(ttl, waited, time.Hour)); !got.Equal(want) {
			t.Errorf("deadline = sent + %s, want sent + %s", got.Sub(sent), want.Sub(sent))
		}
		if _, renews, _ := f.seen(); len(renews) != 0 {
			t.Error("renewed with nine tenths of the ttl left")
		}
	})
}

// A holder starts with at least two thirds of its ttl: a grant that was a long time coming is renewed
// before it is handed over.
func TestAcquireRenewsALateGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ttl = 6 * time.Second
		f, c := newFake(t)
		f.acquire = func(_ context.Context, r *lockdv1.AcquireRequest) (*lockdv1.AcquireResponse, error) {
			time.Sleep(ttl/3 + 100*time.Millisecond)
			return granted(r), nil
		}
		tries := 0
		f.renew = func(_ context.Context, r *lockdv1.RenewRequest) (*lockdv1.RenewResponse, error) {
			if tries++; tries == 1 {
				return nil, unavailable()
			}
			return renewed(r), nil
		}
		l := acquired(t, c, "job", WithTTL(ttl))
		if left := time.Until(l.Deadline()); left < ttl*98/100 {
			t.Errorf("the lease has %s left, want nearly %s", left, ttl)
		}
		acquires, renews, _ := f.seen()
		if len(acquires) != 1 || len(renews) != 2 {
			t.Errorf("%d acquires and %d renewals, want 1 and 2: after a token nothing is acquired", len(acquires), len(renews))
		}
	})
}

// A grant that is gone before it could be handed over is given up, and another lease id asks anew.
func TestAcquireAnew(t *testing.T) {
	late := func(_ context.Context, r *lockdv1.AcquireRequest) (*lockdv1.AcquireResponse, error) {
		time.Sleep(time.Second)
		return granted(r), nil
	}
	lostAtRenewal := func(context.Context, *lockdv1.RenewRequest) (*lockdv1.RenewResponse, error) {
		return nil, refuse(codes.FailedPrecondition, reasonLost)
	}
	for name, first := range map[string]acquireAnswer{
		"lost when renewed": late,
		"superseded":        fail(refuse(codes.Aborted, reasonSuperseded)),
		"lost":              fail(refuse(codes.FailedPrecondition, reasonLost)),
		"expired": func(_ context.Context, r *lockdv1.AcquireRequest) (*lockdv1.AcquireResponse, error) {
			time.Sleep(2500 * time.Millisecond)
			return granted(r), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, c := newFake(t)
				f.acquire, f.renew = inTurn(first, grant), lostAtRenewal
				l := acquired(t, c, "job", WithTTL(2*time.Second), WithoutKeepalive())
				synctest.Wait()
				acquires, _, releases := f.seen()
				if len(acquires) != 2 || acquires[0].GetLeaseId() == acquires[1].GetLeaseId() || acquires[1].GetLeaseId() != l.ID() {
					t.Fatalf("%d acquires, want 2 with different lease ids", len(acquires))
				}
				if len(releases) != 1 || releases[0].GetLeaseId() != acquires[0].GetLeaseId() {
					t.Errorf("%d releases, want one of the first lease id", len(releases))
				}
			})
			synctest.Test(t, func(t *testing.T) {
				f, c := newFake(t)
				f.acquire, f.renew = inTurn(first, grant), lostAtRenewal
				if _, err := c.TryAcquire(t.Context(), "job", WithTTL(2*time.Second)); !errors.Is(err, ErrUnavailable) {
					t.Errorf("TryAcquire = %v, want ErrUnavailable", err)
				}
			})
		})
	}
}

// An answer without a lease of that name and a token is none.
func TestAcquireMalformedAnswer(t *testing.T) {
	for name, change := range map[string]func(*lockdv1.AcquireResponse){
		"no lease":     func(r *lockdv1.AcquireResponse) { r.Lease = nil },
		"no token":     func(r *lockdv1.AcquireResponse) { r.Lease.Token = 0 },
		"another name": func(r *lockdv1.AcquireResponse) { r.Lease.Name = "another" },
	} {
		t.Run(name, func(t *testing.T) {
			f, c := newFake(t)
			f.acquire = func(_ context.Context, r *lockdv1.AcquireRequest) (*lockdv1.AcquireResponse, error) {
				resp := granted(r)
				change(resp)
				return resp, nil
			}
			if l, err := c.Acquire(t.Context(), "job"); err == nil {
				t.Errorf("Acquire = %s, want an error", l)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			if _, _, releases := f.seen(); len(releases) != 1 {
				t.Errorf("%d releases, want 1", len(releases))
			}
		})
	}
}

// What is wrong with the arguments is said once, and names the field.
func TestAcquireInvalid(t *testing.T) {
	f, c := newFake(t)
	f.acquire = fail(status.Error(codes.InvalidArgument, "ttl is 0s; want 1s to 1h0m0s"))
	_, err := c.Acquire(t.Context(), "job", WithTTL(0))
	if got, want := fmt.Sprint(err), `lockd: acquire "job": invalid argument: ttl is 0s; want 1s to 1h0m0s`; !errors.Is(err, ErrInvalid) || got != want {
		t.Errorf("Acquire = %s, want %s", got, want)
	}
	acquires, _, _ := f.seen()
	if len(acquires) != 1 || acquires[0].GetTtl() == nil {
		t.Errorf("%d requests, ttl %v; want one with a ttl of 0", len(acquires), acquires[0].GetTtl())
	}
}

// Text that is not UTF-8 cannot be sent; the error names the field.
func TestAcquireNotUTF8(t *testing.T) {
	const bad = "a\xffb"
	for field, call := range map[string]func(*Client) error{
		"name": func(c *Client) error { _, err := c.Acquire(t.Context(), bad); return err },
		"metadata": func(c *Client) error {
			_, err := c.TryAcquire(t.Context(), "job", WithMetadata(map[string]string{"k": bad}))
			return err
		},
	} {
		f, c := newFake(t)
		if err := call(c); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v, want ErrInvalid naming %s", field, err, field)
		}
		if acquires, _, _ := f.seen(); len(acquires) != 0 {
			t.Errorf("%s: %d requests, want 0", field, len(acquires))
		}
	}
	_, c := newFake(t, WithOwner(bad))
	if _, err := c.Acquire(t.Context(), "job"); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "owner") {
		t.Errorf("owner: %v, want ErrInvalid naming owner", err)
	}
}

// Other errors come through with their gRPC status, and what they may have left is given back.
func TestAcquireOtherErrors(t *testing.T) {
	f, c := newFake(t)
	f.acquire = fail(refuse(codes.Internal, "INTERNAL"))
	_, err := c.Acquire(t.Context(), "job")
	if status.Code(err) != codes.Internal {
		t.Errorf("Acquire = %v, want INTERNAL", err)
	}
	_ = c.Close()
	if acquires, _, releases := f.seen(); len(acquires) != 1 || len(releases) != 1 {
		t.Errorf("%d acquires, %d releases, want 1 and 1", len(acquires), len(releases))
	}
}
