package lease_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// Who has bounds of its own has those instead of everybody's, wider or narrower; of what they do not say everybody's count.
func TestOwnBoundsGoBeforeThoseOfEach(t *testing.T) {
	limited(t, lease.Share{}, lease.Share{Leases: 2, Waiters: 2}, func(t *testing.T, l *lease.Lessor, _ *fake) {
		try := func(who string, n int, own *lease.Own) error {
			r := asks(who, fmt.Sprint(who, n), n, 0)
			r.Own = own
			_, err := l.Acquire(t.Context(), r)
			return err
		}
		for who, c := range map[string]struct {
			own  *lease.Own
			want int
		}{
			"none": {nil, 2}, "other": {&lease.Own{Share: lease.Share{Waiters: 9}}, 2},
			"less": {&lease.Own{Share: lease.Share{Leases: 1}}, 1}, "more": {&lease.Own{Share: lease.Share{Leases: 3}}, 3},
		} {
			for n := range c.want {
				if err := try(who, n+1, c.own); err != nil {
					t.Errorf("lease %d of %s = %v, want it granted", n+1, who, err)
				}
			}
			wantLimit(t, "one more for "+who, try(who, 9, c.own), who, c.want)
		}
	})
}

// Own bounds count also where there are no others, and for all that was held before they came.
func TestOwnBoundsCountWhereThereAreNoOthers(t *testing.T) {
	limited(t, lease.Share{}, lease.Share{}, func(t *testing.T, l *lease.Lessor, _ *fake) {
		grant(t, l, asks("a", "before", 1, 0))
		r := asks("a", "after", 2, 0)
		r.Own = &lease.Own{Share: lease.Share{Leases: 1}}
		_, err := l.Acquire(t.Context(), r)
		wantLimit(t, "a second lease", err, "a", 1)
		release(t, l, "a", "before", 1)
		grant(t, l, r)
	})
}

// Waiters have their own bounds too: in all, and for one name.
func TestWaitersHaveOwnBounds(t *testing.T) {
	limited(t, lease.Share{}, lease.Share{}, func(t *testing.T, l *lease.Lessor, s *fake) {
		for what, c := range map[string]struct {
			own  lease.Share
			name string
		}{"in all": {lease.Share{Waiters: 1}, "%d"}, "for one name": {lease.Share{Line: 1}, "line"}} {
			name := func(n int) string { return what + strings.ReplaceAll(c.name, "%d", fmt.Sprint(n)) }
			for n := range 2 {
				grant(t, l, asks("holder"+what, name(n), 1, 0))
				if c.name == "line" {
					break
				}
			}
			first, second := asks(what, name(0), 2, time.Minute), asks(what, name(1), 3, time.Minute)
			first.Own, second.Own = &lease.Own{Share: c.own}, &lease.Own{Share: c.own}
			waits, err := l.Ask(first, ignore{})
			if err != nil {
				t.Fatal(err)
			}
			waits.Run()
			_, err = l.Acquire(t.Context(), second)
			wantLimit(t, "a second waiter, "+what, err, what, 1)
			waits.Cancel(false)
		}
	})
}

type ignore struct{}

func (ignore) Asked()                      {}
func (ignore) Queued(*lease.HeldError)     {}
func (ignore) Answered(lease.Grant, error) {}

// A ttl beyond the own bound is shortened to it, at the acquisition and at each renewal, and the answer says so; the bound is
// never below the shortest ttl of all. Metadata beyond the own bound is refused.
func TestATTLIsShortenedToTheOwnBound(t *testing.T) {
	limited(t, lease.Share{}, lease.Share{}, func(t *testing.T, l *lease.Lessor, s *fake) {
		for i, c := range []struct{ asked, bound, want time.Duration }{
			{time.Hour, 5 * time.Minute, 5 * time.Minute},
			{time.Minute, 5 * time.Minute, time.Minute},
			{0, 10 * time.Second, 10 * time.Second}, // the default
			{time.Minute, 10 * time.Millisecond, time.Second},
			{time.Minute, 0, time.Minute},
		} {
			r := asks("a", fmt.Sprint("job", i), i+1, 0)
			r.Own = &lease.Own{MaxTTL: c.bound}
			if c.asked > 0 {
				r.TTL = &c.asked
			}
			if got := grant(t, l, r).Lease.TTL; got != c.want {
				t.Errorf("asked for %s, bound to %s: granted %s, want %s", c.asked, c.bound, got, c.want)
			}
			if c.asked == 0 {
				continue
			}
			renewed, err := l.Renew(lease.RenewRequest{Name: r.Name, ID: r.ID, Principal: "a", Own: r.Own, TTL: &c.asked})
			if err != nil || renewed.TTL != c.want {
				t.Errorf("renewed for %s, bound to %s: %s, %v, want %s", c.asked, c.bound, renewed.TTL, err, c.want)
			}
		}
		r := asks("a", "meta", 99, 0)
		r.Metadata, r.Own = map[string]string{"key": "value"}, &lease.Own{MaxMetadata: 7}
		_, err := l.Acquire(t.Context(), r)
		var invalid *lease.InvalidError
		if !errors.As(err, &invalid) || invalid.Field != "metadata" || !strings.Contains(err.Error(), "at most 7") {
			t.Errorf("metadata of 8 bytes = %v, want it refused beyond 7", err)
		}
	})
}
