package picture

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

var chart = Chart{
	Title: "a < b & c", Note: "one run", GroupLabel: "workers", Groups: []string{"1", "64"}, Series: []string{"lockd", "an <other>"},
	Panels: []Panel{{"Rate", "pairs/s", [][]float64{{700, 90_000}, {1500, 0}}}},
}

// A chart is well-formed XML whatever its texts are, and says its title, its axes and its series.
func TestWrite(t *testing.T) {
	var b strings.Builder
	if err := chart.Write(&b); err != nil {
		t.Fatal(err)
	}
	var said []string
	for d := xml.NewDecoder(strings.NewReader(b.String())); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("not well-formed: %v\n%s", err, b.String())
		}
		if text, ok := token.(xml.CharData); ok {
			said = append(said, strings.TrimSpace(string(text)))
		}
	}
	for _, want := range []string{chart.Title, chart.Note, "workers", "1", "64", "lockd", "an <other>", "Rate", "pairs/s", "1000", "100 k"} {
		if !slices.Contains(said, want) {
			t.Errorf("the chart does not say %q", want)
		}
	}
}

// What is larger is higher, the ends of the axis hold everything, and what was not measured is left out.
func TestScale(t *testing.T) {
	s := scaleOf(chart.Panels[0].Of)
	if s != (scale{500, 100_000}) {
		t.Errorf("scale = %v, want from 500 to 100000", s)
	}
	if low, high := s.y(500), s.y(100_000); low != panelHeight-bottom || high != top {
		t.Errorf("the ends are at %v and %v, want %v and %v", low, high, panelHeight-bottom, top)
	}
	want := []float64{500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000}
	if got := s.ticks(); !slices.Equal(got, want) {
		t.Errorf("ticks = %v, want %v", got, want)
	}
}

// An axis of nothing is an axis.
func TestScaleOfNothing(t *testing.T) {
	if s := scaleOf(nil); s != (scale{1, 10}) {
		t.Errorf("scale of nothing = %v, want from 1 to 10", s)
	}
}
