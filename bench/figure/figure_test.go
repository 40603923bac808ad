package figure

import (
	"testing"
	"time"
)

// Half of them were shorter than the median, and 99 of 100 not longer than the worst.
func TestOf(t *testing.T) {
	var all []time.Duration
	for i := 1000; i > 0; i-- {
		all = append(all, time.Duration(i))
	}
	if got, want := Of(all), (Times{1000, 501, 991}); got != want {
		t.Errorf("Of(1000..1) = %+v, want %+v", got, want)
	}
	if got := Of(nil); got != (Times{}) {
		t.Errorf("Of(nothing) = %+v, want zero", got)
	}
}

// Two rounds count alike, whichever is better.
func TestMedianOfTwo(t *testing.T) {
	if got := Median([]float64{3, 1}); got != 2 {
		t.Errorf("Median(3, 1) = %v, want 2", got)
	}
}

// Each number has a median of its own, also within structs; what is no number stays zero.
func TestMedians(t *testing.T) {
	type figures struct {
		Share float64
		Times Times
		Wrong []error
	}
	got := Medians([]figures{
		{0.9, Times{1, 10, 30}, []error{nil}},
		{0.1, Times{2, 30, 10}, nil},
		{0.5, Times{3, 20, 20}, nil},
	})
	if got.Share != 0.5 || got.Times != (Times{2, 20, 20}) || got.Wrong != nil {
		t.Errorf("Medians = %+v, want 0.5, {2 20 20} and nothing wrong", got)
	}
	if got := Medians([]figures(nil)); got.Share != 0 {
		t.Errorf("Medians(nothing) = %+v, want zero", got)
	}
}

// A duration has the unit that fits.
func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1234 * time.Nanosecond: "1.2 µs", 123456 * time.Nanosecond: "123 µs", 12345 * time.Microsecond: "12.3ms", 2345 * time.Millisecond: "2.35s",
	} {
		if got := Short(d); got != want {
			t.Errorf("Short(%d) = %q, want %q", d, got, want)
		}
	}
}
