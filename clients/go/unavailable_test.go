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

	"google.golang.org/grpc/codes"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// Nothing answers for WithUnavailableFor in a row: ErrUnavailable, then and not before.
func TestAcquireUnavailable(t *testing.T) {
	for name, answer := range map[string]acquireAnswer{
		"mute":          silence,
		"unavailable":   fail(unavailable()),
		"store is down": fail(refuse(codes.Unavailable, "STORE_UNAVAILABLE")),
	} {
		for _, limit := range []time.Duration{time.Second, DefaultUnavailableFor} {
			t.Run(fmt.Sprint(name, " ", limit), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f, c := newFake(t, WithUnavailableFor(limit))
					acquired(t, c, "another") // there has been a connection
					f.change(func() { f.acquire = answer })
					begun := time.Now()
					_, err := c.Acquire(t.Context(), "job")
					if took := time.Since(begun); !errors.Is(err, ErrUnavailable) || took < limit || took > limit+time.Second {
						t.Errorf("Acquire = %v after %s, want ErrUnavailable after %s", err, took, limit)
					}
				})
			})
		}
	}
}

// What lockd said of why it does not serve is what the error says, however the waiting ended.
func TestUnavailableSaysLockdsReason(t *testing.T) {
	const reason = "the fake says GRANTS_REFUSED"
	refusing := fail(refuse(codes.Unavailable, reasonRefused))
	for name, test := range map[string]struct {
		answer  acquireAnswer
		acquire func(context.Context, *Client) (*Lease, error)
		took    time.Duration
		also    error
	}{
		"TryAcquire at once":     {refusing, tryJob, 0, nil},
		"after too long":         {refusing, acquireJob, DefaultUnavailableFor, nil},
		"when the caller's ends": {refusing, acquireJobFor(time.Second), time.Second, context.DeadlineExceeded},
		"mute at the end":        {inTurn(fail(refuse(codes.Unavailable, reasonRefused)), silence), acquireJobFor(2 * time.Second), 2 * time.Second, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, c := newFake(t)
				acquired(t, c, "another") // there has been a connection
				f.change(func() { f.acquire = test.answer })
				begun := time.Now()
				_, err := test.acquire(t.Context(), c)
				if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), reason) || test.also != nil && !errors.Is(err, test.also) {
					t.Errorf("err = %v, want ErrUnavailable with %q, and %v", err, reason, test.also)
				}
				if took := time.Since(begun); took < test.took || took > test.took+time.Second {
					t.Errorf("it took %s, want %s", took, test.took)
				}
			})
		})
	}
}

func tryJob(ctx context.Context, c *Client) (*Lease, error)     { return c.TryAcquire(ctx, "job") }
func acquireJob(ctx context.Context, c *Client) (*Lease, error) { return c.Acquire(ctx, "job") }

func acquireJobFor(d time.Duration) func(context.Context, *Client) (*Lease, error) {
	return func(ctx context.Context, c *Client) (*Lease, error) {
		ctx, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		return c.Acquire(ctx, "job")
	}
}

// An answer in between starts the count anew.
func TestAcquireUnavailableInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		var n atomic.Int64
		f.acquire = func(ctx context.Context, r *lockdv1.AcquireRequest) (*lockdv1.AcquireResponse, error) {
			switch n := n.Add(1); {
			case n == 1, n == 100:
				return granted(r), nil
			case n%4 == 0:
				return held(ctx, r)
			default:
				return nil, mute(ctx) // 3 s each
			}
		}
		acquired(t, c, "another")
		begun := time.Now()
		acquired(t, c, "job")
		if took := time.Since(begun); took < time.Minute {
			t.Errorf("it took %s, want minutes: the test tests nothing", took)
		}
	})
}

// A wait that breaks after minutes is not minutes without an answer: none was owed.
func TestAcquireBrokenWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		f.acquire = inTurn(held, func(context.Context, *lockdv1.AcquireRequest) (*lockdv1.AcquireResponse, error) {
			time.Sleep(longWait - time.Second)
			return nil, unavailable()
		}, fail(unavailable()), grant)
		acquired(t, c, "job")
		acquires, _, _ := f.seen()
		if len(acquires) != 4 || acquires[1].GetWait().AsDuration() != longWait || acquires[2].GetWait().AsDuration() != 0 {
			t.Errorf("%d requests, want 4: asking, waiting, and after the failure asking again", len(acquires))
		}
	})
}

// The first connection gets 5 s, or less if so told; nothing was sent, so nothing is given back.
func TestAcquireFirstConnection(t *testing.T) {
	for unavailableFor, want := range map[time.Duration]time.Duration{
		time.Minute: firstConnection,
		time.Second: time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			f, c := newFake(t, WithUnavailableFor(unavailableFor))
			f.unreachable = true
			begun := time.Now()
			_, err := c.Acquire(t.Context(), "job")
			if took := time.Since(begun); !errors.Is(err, ErrUnavailable) || took != want {
				t.Errorf("Acquire = %v after %s, want ErrUnavailable after %s", err, took, want)
			}
			synctest.Wait()
			if acquires, _, releases := f.seen(); len(acquires) != 1 || len(releases) != 0 {
				t.Errorf("%d acquires, %d releases, want 1 and 0", len(acquires), len(releases))
			}
		})
	}
}

// Servers that only ever say that they are going away are no service: an acquisition gives up as if nothing
// answered.
func TestDrainingForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		begun, asked := time.Now(), 0
		done := acquiring(t.Context(), c, "job")
		var got result
		for got.err == nil && time.Since(begun) < time.Minute {
			select {
			case s := <-f.streams:
				<-s.sent
				s.received <- &sessionResponse{Welcome: &lockdv1.Welcome{}}
				for s.take(); len(s.pending) > 0; s.take() {
					asked++
					s.answer(errorOf(s.operation().GetId(), &lockdv1.Error{Code: int32(codes.Unavailable), Reason: reasonDraining}))
				}
			case got = <-done:
			case <-time.After(time.Second):
			}
		}
		if took := time.Since(begun); !errors.Is(got.err, ErrUnavailable) || took > 12*time.Second || asked > 100 {
			t.Errorf("Acquire = %v after %s and %d askings, want ErrUnavailable after 10s and some", got.err, took, asked)
		}
	})
}

// An attempt whose time was over before it was sent says for how long there was no word, which is never less than 0.
func TestNoWordForNoTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		done := acquiring(t.Context(), c, "another") // there has been a connection
		s := f.stream("a")
		id, r := s.asks()
		s.answer(grantOf(id, r))
		<-done
		a := &acquisition{client: c, name: "job", id: newLeaseID(), attempts: 1, caller: t.Context()}
		defer a.stopAsking()
		a.way = c.link.ready(true)
		a.reply = -55 * time.Millisecond
		_, err := a.way.acquire(a)
		if err == nil || !strings.Contains(err.Error(), "no word for ") || strings.Contains(err.Error(), "for -") {
			t.Errorf("acquire = %v, want no word for some time that is not negative", err)
		}
	})
}
