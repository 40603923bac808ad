package lease_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockd/lockd/internal/lease"
)

var badIDs = map[string]lease.ID{
	"empty":      "",
	"short":      id(1)[1:],
	"long":       id(1) + "0",
	"upper case": "0123456789ABCDEF0123456789abcdef",
	"no hex":     "0123456789abcdeg0123456789abcdef",
	"dashes":     "01234567-89ab-cdef-0123-456789ab",
	"no ASCII":   lease.ID(strings.Repeat("ü", 16)),
}

// badTexts are wrong as an owner and as a reason.
var badTexts = map[string]string{
	"overlong":  strings.Repeat("x", 257),
	"newline":   "a\nb",
	"not UTF-8": "a\xff",
}

// badAcquisitions makes a good request bad, by the field that is then wrong.
func badAcquisitions() map[string]map[string]func(*lease.AcquireRequest) {
	type changes = map[string]func(*lease.AcquireRequest)
	ttl := func(d time.Duration) func(*lease.AcquireRequest) {
		return func(r *lease.AcquireRequest) { r.TTL = &d }
	}
	metadata := func(m map[string]string) func(*lease.AcquireRequest) {
		return func(r *lease.AcquireRequest) { r.Metadata = m }
	}
	bad := map[string]changes{
		"name": {"empty": func(r *lease.AcquireRequest) { r.Name = "" }}, "lease_id": {}, "owner": {},
		"ttl": {
			"0": ttl(0), "negative": ttl(-time.Second), "below 1 ms": ttl(time.Millisecond - 1), "too short": ttl(time.Second - 1),
			"too long": ttl(time.Hour + time.Millisecond), "largest": ttl(1<<63 - 1), "smallest": ttl(-1 << 63),
		},
		"wait": {
			"negative": func(r *lease.AcquireRequest) { r.Wait = -1 },
			"too long": func(r *lease.AcquireRequest) { r.Wait = 5*time.Minute + 1 },
		},
		"token": {
			"negative": func(r *lease.AcquireRequest) { r.Told = -1 },
			"2^53":     func(r *lease.AcquireRequest) { r.Told = lease.MaxToken },
		},
		"metadata": {
			"too large":          metadata(map[string]string{"k": strings.Repeat("x", 1024)}),
			"too large together": metadata(map[string]string{"a": strings.Repeat("x", 512), "b": strings.Repeat("x", 511)}),
			"empty key":          metadata(map[string]string{"": "x"}),
			"key with newline":   metadata(map[string]string{"a\nb": "x"}),
		},
	}
	for what, name := range badNames {
		bad["name"][what] = func(r *lease.AcquireRequest) { r.Name = name }
	}
	for what, id := range badIDs {
		bad["lease_id"][what] = func(r *lease.AcquireRequest) { r.ID = id }
	}
	for what, text := range badTexts {
		bad["owner"][what] = func(r *lease.AcquireRequest) { r.Owner = text }
	}
	return bad
}

// A bad acquisition is refused with the field and what would be right, before any store is asked.
func TestBadAcquire(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		for field, changes := range badAcquisitions() {
			for what, change := range changes {
				r := request("job", 1)
				change(&r)
				_, err := l.Acquire(t.Context(), r)
				wantInvalid(t, "Acquire("+field+" "+what+")", err, field)
			}
		}
		if n := len(s.noted("")); n != 0 {
			t.Errorf("the store was asked %d times, want 0", n)
		}
	})
}

// Every other bad request is refused in the same way.
func TestBadRequests(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		ctx := t.Context()
		for what, name := range badNames {
			_, err := l.Renew(lease.RenewRequest{Name: name, ID: id(1)})
			wantInvalid(t, "Renew("+what+")", err, "name")
			_, err = l.Release(lease.ReleaseRequest{Name: name, ID: id(1)})
			wantInvalid(t, "Release("+what+")", err, "name")
			_, err = l.ForceRelease(ctx, lease.ForceRequest{Name: name, Token: 1, Reason: "gone"})
			wantInvalid(t, "ForceRelease("+what+")", err, "name")
			_, err = l.Get(ctx, name)
			wantInvalid(t, "Get("+what+")", err, "name")
			_, err = l.CheckToken(ctx, name, 1)
			wantInvalid(t, "CheckToken("+what+")", err, "name")
			_, err = l.List(ctx, lease.ListRequest{Prefix: name})
			wantInvalid(t, "List("+what+")", err, "prefix")
			_, err = l.Watch(ctx, name, func(lease.Event) {})
			wantInvalid(t, "Watch("+what+")", err, "prefix")
		}
		for what, bad := range badIDs {
			_, err := l.Renew(lease.RenewRequest{Name: "job", ID: bad})
			wantInvalid(t, "Renew("+what+" id)", err, "lease_id")
			_, err = l.Release(lease.ReleaseRequest{Name: "job", ID: bad})
			wantInvalid(t, "Release("+what+" id)", err, "lease_id")
		}
		for _, ttl := range []time.Duration{0, -1, time.Millisecond - 1, time.Second - 1, time.Hour + time.Millisecond} {
			_, err := l.Renew(lease.RenewRequest{Name: "job", ID: id(1), TTL: &ttl})
			wantInvalid(t, "Renew(ttl "+ttl.String()+")", err, "ttl")
		}
		for _, token := range []lease.Token{0, -1, lease.MaxToken} {
			_, err := l.ForceRelease(ctx, lease.ForceRequest{Name: "job", Token: token, Reason: "gone"})
			wantInvalid(t, "ForceRelease(token)", err, "token")
			_, err = l.CheckToken(ctx, "job", token)
			wantInvalid(t, "CheckToken(token)", err, "token")
		}
		_, err := l.ForceRelease(ctx, lease.ForceRequest{Name: "job", Token: 1})
		wantInvalid(t, "ForceRelease(no reason)", err, "reason")
		for what, by := range badTexts {
			_, err := l.ForceRelease(ctx, lease.ForceRequest{Name: "job", Token: 1, Reason: "gone", By: by})
			wantInvalid(t, "ForceRelease("+what+" by)", err, "by")
		}
		for what, reason := range badTexts {
			_, err := l.ForceRelease(ctx, lease.ForceRequest{Name: "job", Token: 1, Reason: reason})
			wantInvalid(t, "ForceRelease("+what+" reason)", err, "reason")
		}
		for _, size := range []int{-1, lease.MaxPageSize + 1} {
			_, err := l.List(ctx, lease.ListRequest{Size: size})
			wantInvalid(t, "List(size)", err, "page_size")
		}
		if n := len(s.noted("")); n != 0 {
			t.Errorf("the store was asked %d times, want 0", n)
		}
	})
}

// What is just within the bounds is accepted.
func TestWithinBounds(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, _ *fake) {
		r := lease.AcquireRequest{
			Name: strings.Repeat("n", lease.MaxNameBytes), ID: id(1), Owner: strings.Repeat("ü", lease.MaxOwnerBytes/2),
			TTL: in(time.Second), Wait: 5 * time.Minute,
			Metadata: map[string]string{"k": strings.Repeat("x", 512), "l": strings.Repeat("\n", 510)},
		}
		g := grant(t, l, r)
		if _, err := l.Renew(lease.RenewRequest{Name: r.Name, ID: r.ID, TTL: in(time.Hour + time.Millisecond - 1)}); err != nil {
			t.Errorf("Renew(an hour and less than 1 ms) = %v, want nil: it is cut off", err)
		}
		if _, err := l.List(t.Context(), lease.ListRequest{Prefix: r.Name, Size: lease.MaxPageSize}); err != nil {
			t.Errorf("List = %v, want nil", err)
		}
		if _, err := l.CheckToken(t.Context(), r.Name, lease.MaxToken-1); err != nil {
			t.Errorf("CheckToken = %v, want nil", err)
		}
		force := lease.ForceRequest{Name: r.Name, Token: g.Lease.Token, Reason: strings.Repeat("x", lease.MaxReasonBytes)}
		if _, err := l.ForceRelease(t.Context(), force); err != nil {
			t.Errorf("ForceRelease = %v, want nil", err)
		}
	})
}

// Zero limits mean the defaults, and the defaults are valid.
func TestLimitsDefaults(t *testing.T) {
	want := lease.Limits{MinTTL: time.Second, MaxTTL: time.Hour, DefaultTTL: 30 * time.Second, MaxWait: 5 * time.Minute, MaxMetadata: 1024}
	if diff := cmp.Diff(want, lease.Limits{}.WithDefaults()); diff != "" {
		t.Errorf("WithDefaults (-want +got):\n%s", diff)
	}
	if err := want.Validate(); err != nil {
		t.Errorf("Validate(defaults) = %v, want nil", err)
	}
	set := lease.Limits{MinTTL: 1e6, MaxTTL: 2e6, DefaultTTL: 2e6, MaxWait: 1, MaxMetadata: 1}
	if diff := cmp.Diff(set, set.WithDefaults()); diff != "" {
		t.Errorf("WithDefaults changed what was set (-want +got):\n%s", diff)
	}
	if err := set.Validate(); err != nil {
		t.Errorf("Validate(%+v) = %v, want nil", set, err)
	}
}

// Limits that contradict each other or the protocol are refused with what would be right.
func TestLimitsValidate(t *testing.T) {
	says := map[string]string{
		"least above largest": "the smallest ttl is 2h0m0s, and the largest 1h0m0s; want the smallest to be no more than that",
		"negative in all":     "max-leases is -1; want 0 for no limit, or more",
		"negative for each":   "tenant-line is -1; want 0 for no limit, or more",
	}
	for what, change := range map[string]func(*lease.Limits){
		"ttl below 1 ms":        func(l *lease.Limits) { l.MinTTL = time.Millisecond - 1 },
		"negative ttl":          func(l *lease.Limits) { l.MinTTL = -time.Second },
		"default below least":   func(l *lease.Limits) { l.DefaultTTL = time.Second - 1 },
		"default above largest": func(l *lease.Limits) { l.DefaultTTL = time.Hour + 1 },
		"least above largest":   func(l *lease.Limits) { l.MinTTL = 2 * time.Hour },
		"largest above a day":   func(l *lease.Limits) { l.MaxTTL = 24*time.Hour + 1 },
		"negative wait":         func(l *lease.Limits) { l.MaxWait = -1 },
		"wait above an hour":    func(l *lease.Limits) { l.MaxWait = time.Hour + 1 },
		"negative metadata":     func(l *lease.Limits) { l.MaxMetadata = -1 },
		"much metadata":         func(l *lease.Limits) { l.MaxMetadata = lease.MaxMetadataBytes + 1 },
		"negative in all":       func(l *lease.Limits) { l.All.Leases = -1 },
		"negative for each":     func(l *lease.Limits) { l.Each.Line = -1 },
	} {
		l := lease.Limits{}.WithDefaults()
		change(&l)
		if err := l.Validate(); err == nil || !strings.Contains(err.Error(), "want ") {
			t.Errorf("Validate(%s) = %v, want an error that says what would be right", what, err)
		} else if says[what] != "" && err.Error() != says[what] {
			t.Errorf("Validate(%s) = %v, want %q alone", what, err, says[what])
		}
	}
}
