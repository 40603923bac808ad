package lockd

import (
	"testing"
	"time"
)

func at(mono, boot time.Duration) instant {
	return instant{mono: time.Unix(0, 0).Add(mono), boot: boot}
}

// The formula of lockd.proto: waited·(1 − 0.1 %) + ttl·(1 − 1 %) − 5 ms after the sending.
func TestValidity(t *testing.T) {
	for _, test := range []struct {
		ttl, waited, elapsed, want time.Duration
	}{
		{ttl: time.Second, want: 985 * time.Millisecond},
		{ttl: 30 * time.Second, want: 29695 * time.Millisecond},
		{ttl: 10 * time.Second, waited: time.Minute, elapsed: 2 * time.Minute, want: 60*time.Second - 60*time.Millisecond + 9895*time.Millisecond},
		{ttl: time.Second, waited: time.Hour, elapsed: time.Second, want: 999*time.Millisecond + 985*time.Millisecond}, // no server can have waited longer than we
		{ttl: time.Second, waited: -time.Hour, elapsed: time.Second, want: 985 * time.Millisecond},
		{ttl: time.Millisecond, want: -4010 * time.Microsecond},
		{want: -5 * time.Millisecond},
	} {
		if got := validity(test.ttl, test.waited, test.elapsed); got != test.want {
			t.Errorf("validity(%s, %s, %s) = %s, want %s", test.ttl, test.waited, test.elapsed, got, test.want)
		}
	}
}

// What counts of a ttl is the smaller of asked and answered.
func TestAnsweredTTL(t *testing.T) {
	asked := 10 * time.Second
	for _, test := range []struct {
		asked    *time.Duration
		answered time.Duration
		want     time.Duration
	}{
		{&asked, 10 * time.Second, 10 * time.Second},
		{&asked, 4 * time.Second, 4 * time.Second},
		{&asked, 40 * time.Second, 10 * time.Second},
		{nil, 40 * time.Second, 40 * time.Second},
		{&asked, 0, 0},
		{nil, -time.Second, 0},
	} {
		if got := answeredTTL(test.asked, test.answered); got != test.want {
			t.Errorf("answeredTTL(%v, %v) = %s, want %s", test.asked, test.answered, got, test.want)
		}
	}
}

// A deadline has passed when either clock says so: Go's stands still while a machine is suspended.
func TestPassedAt(t *testing.T) {
	deadline := at(10, 110)
	for _, test := range []struct {
		now  instant
		want bool
	}{
		{at(9, 109), false},
		{at(10, 109), true},
		{at(9, 110), true},
		{at(2, 5000), true},
		{at(5000, 2), true},
	} {
		if got := deadline.passedAt(test.now); got != test.want {
			t.Errorf("passedAt(%v) = %v, want %v", test.now, got, test.want)
		}
	}
}

// Of two proofs the better one counts, on each clock by itself.
func TestLatest(t *testing.T) {
	for _, test := range []struct{ a, b, want instant }{
		{at(10, 110), at(20, 120), at(20, 120)},
		{at(20, 120), at(10, 110), at(20, 120)},
		{at(20, 110), at(10, 120), at(20, 120)}, // sent before and after a suspension
	} {
		if got := latest(test.a, test.b); got != test.want {
			t.Errorf("latest(%v, %v) = %v, want %v", test.a, test.b, got, test.want)
		}
	}
}

// A clock that stood still while the server waited has not waited as long.
func TestProven(t *testing.T) {
	const ttl, waited = 10 * time.Second, 40 * time.Second
	sent := at(0, 0)
	awake := at(50*time.Second, 50*time.Second)
	if got, want := sent.proven(awake, ttl, waited), sent.add(validity(ttl, waited, time.Minute)); got != want {
		t.Errorf("proven = %v, want %v", got, want)
	}
	slept := at(5*time.Second, 50*time.Second) // 45 s asleep
	got := sent.proven(slept, ttl, waited)
	if left := slept.left(got); left > ttl {
		t.Errorf("%s left after a ttl of %s", left, ttl)
	}
	if mono := got.mono.Sub(slept.mono); mono > ttl {
		t.Errorf("%s left on Go's clock after a ttl of %s", mono, ttl)
	}
}

// What is left is what the less generous clock leaves.
func TestLeftAndUntil(t *testing.T) {
	if got, want := at(5, 100).left(at(25, 110)), time.Duration(10); got != want {
		t.Errorf("left = %d, want %d", got, want)
	}
	const s = time.Second
	if got, want := at(5*s, 100*s).until(at(25*s, 110*s)), at(15*s, 0).mono; !got.Equal(want) {
		t.Errorf("until after a suspension = %v, want %v", got, want)
	}
	if got, want := at(5*s, 100*s).until(at(25*s, 120*s-drift)), at(25*s, 0).mono; !got.Equal(want) {
		t.Errorf("until with the clocks together = %v, want %v", got, want)
	}
}

// Both clocks run, and together.
func TestNow(t *testing.T) {
	a := now()
	for time.Since(a.mono) < 2*time.Millisecond {
	}
	b := now()
	if d := b.boot - a.boot; d < time.Millisecond || d > time.Second {
		t.Errorf("the boot-time clock ran %s while the monotonic one ran %s", d, b.mono.Sub(a.mono))
	}
}

// The first pause of a retry is well below the second after which lockd undoes an attempt, and pauses
// grow to their bound and no further.
func TestRetryPause(t *testing.T) {
	for range 1000 {
		if got := retryPause(1, firstPause, longPause); got < firstPause/2 || got > 3*firstPause/2 {
			t.Fatalf("retryPause(1) = %s, want %s to %s", got, firstPause/2, 3*firstPause/2)
		}
		for _, failures := range []int{6, 20, 1000, 1 << 40} {
			if got := retryPause(failures, firstPause, longPause); got < longPause/2 || got > 3*longPause/2 {
				t.Fatalf("retryPause(%d) = %s, want %s to %s", failures, got, longPause/2, 3*longPause/2)
			}
		}
	}
}

// A renewal is due when two thirds of the ttl are left, a little sooner by chance, never later.
func TestRenewAt(t *testing.T) {
	const ttl = 30 * time.Second
	deadline, seen := at(0, 0).mono, make(map[time.Duration]bool)
	for range 1000 {
		left := deadline.Sub(renewAt(deadline, ttl))
		if left < 2*ttl/3 || left > 2*ttl/3+ttl/30 {
			t.Fatalf("renewed with %s left, want %s to %s", left, 2*ttl/3, 2*ttl/3+ttl/30)
		}
		seen[left] = true
	}
	if len(seen) < 500 {
		t.Errorf("%d different times of 1000, want them spread", len(seen))
	}
}
