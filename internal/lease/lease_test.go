package lease_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// The grace is a tenth of the ttl, at least half a second, in whole milliseconds.
func TestGrace(t *testing.T) {
	for _, test := range []struct{ ttl, want time.Duration }{
		{time.Millisecond, 500 * time.Millisecond},
		{time.Second, 500 * time.Millisecond},
		{5 * time.Second, 500 * time.Millisecond},
		{5001 * time.Millisecond, 500 * time.Millisecond},
		{5010 * time.Millisecond, 501 * time.Millisecond},
		{5019 * time.Millisecond, 501 * time.Millisecond},
		{30 * time.Second, 3 * time.Second},
		{time.Hour, 6 * time.Minute},
		{24 * time.Hour, 144 * time.Minute},
	} {
		if got := lease.Grace(test.ttl); got != test.want {
			t.Errorf("Grace(%s) = %s, want %s", test.ttl, got, test.want)
		}
	}
}

// A lease id is a secret: however it is printed, alone or inside a request, no more than its first
// digits show.
func TestIDHidesItself(t *testing.T) {
	const id = lease.ID("0123456789abcdef0123456789abcdef")
	if got, want := id.String(), "012345…"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
	if got, want := lease.ID("012345").String(), "…"; got != want {
		t.Errorf("String(short) = %q, want %q", got, want)
	}
	for _, value := range []any{id, []lease.ID{id}, lease.Acquisition{ID: id}, lease.AcquireRequest{ID: id}, &lease.Renewal{ID: id}} {
		for _, verb := range []string{"%v", "%+v", "%s", "%q", "%#v", "%x"} {
			printed := fmt.Sprintf(verb, value)
			if strings.Contains(printed, "6789ab") || strings.Contains(printed, fmt.Sprintf("%x", "6789ab")) {
				t.Errorf("Sprintf(%q, %T) = %s, want the lease id hidden", verb, value, printed)
			}
		}
	}
}

// Errors say what is wrong and who is in the way.
func TestErrorTexts(t *testing.T) {
	holder := lease.Lease{
		Name: "job", Token: 7, Owner: "ada@host:1",
		Since: time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600)), ExpiresIn: 1500*time.Millisecond + 1,
	}
	for _, test := range []struct {
		err  error
		want string
	}{
		{&lease.HeldError{Holder: holder}, `"job" is held by "ada@host:1" since 2026-01-02T02:04:05Z, for another 1.5s unless renewed`},
		{&lease.TokenError{Name: "job", Token: 6}, `token 6 is not in force on "job": nobody holds it`},
		{&lease.TokenError{Name: "job", Token: 6, InForce: &holder}, `token 6 is not in force on "job": 7 is, held by "ada@host:1"`},
		{&lease.InvalidError{Field: "ttl", Problem: "is 0s; want more"}, "ttl is 0s; want more"},
	} {
		if got := test.err.Error(); got != test.want {
			t.Errorf("%T = %q, want %q", test.err, got, test.want)
		}
	}
}

// wantInvalid fails the test unless err names field as what is wrong, and says what would be right.
func wantInvalid(t *testing.T, what string, err error, field string) {
	t.Helper()
	var invalid *lease.InvalidError
	if !errors.As(err, &invalid) {
		t.Errorf("%s = %v, want *InvalidError", what, err)
		return
	}
	if invalid.Field != field {
		t.Errorf("%s names the field %q, want %q", what, invalid.Field, field)
	}
	if !sayRight(invalid.Problem) {
		t.Errorf("%s says %q, want also what would be right", what, invalid.Problem)
	}
}

// sayRight reports whether a problem says what would be right.
func sayRight(problem string) bool {
	for _, word := range []string{"want ", "say why"} {
		if strings.Contains(problem, word) {
			return true
		}
	}
	return false
}
