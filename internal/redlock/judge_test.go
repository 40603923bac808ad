package redlock

import (
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

const testOut = time.Minute

// A node votes in the run that its memory names, with its marker and a fence that goes up; whatever else there is keeps it out,
// for as long as it may have forgotten a lease.
func TestJudge(t *testing.T) {
	id := newIdentity([]string{"a", "b", "c"}, time.Hour)
	marker := id.marker("a", member)
	now := time.Now()
	micros := now.UnixMicro()
	type looked struct {
		run, persistence, marker, memory, fence string
		uptime                                  time.Duration
	}
	of := func(run string, always bool, lost int64) string { return memory{run, always, lost}.String() }
	fine := looked{run: "r1", persistence: "none", marker: marker, memory: of("r1", false, 0), fence: "10", uptime: time.Hour}
	with := func(change func(*looked)) looked {
		l := fine
		change(&l)
		return l
	}
	for what, test := range map[string]struct {
		known  known
		look   looked
		out    bool
		left   time.Duration // until it may vote; with out
		remedy remedy
	}{
		"fine":                 {look: fine},
		"fine, and as before":  {known: known{run: "r1", fit: now, fence: 10}, look: fine},
		"new in the group":     {look: with(func(l *looked) { l.memory = of("r1", false, micros-10e6) }), out: true, left: testOut - 10*time.Second},
		"new, and over":        {look: with(func(l *looked) { l.memory = of("r1", false, micros-61e6) }), out: true, left: -time.Second, remedy: wake},
		"on disk from now on":  {look: with(func(l *looked) { l.persistence = "aof always" }), remedy: note},
		"not on disk any more": {look: with(func(l *looked) { l.memory = of("r1", true, 0) }), remedy: note},

		"started again, never seen before": {look: with(func(l *looked) { l.memory, l.uptime = of("r0", false, 0), 10*time.Second }), out: true, left: testOut - 9*time.Second},
		"started again long ago":           {look: with(func(l *looked) { l.memory = of("r0", false, 0) }), out: true, left: testOut - time.Hour + time.Second, remedy: repair},
		"started again, and its clock was stepped": {
			known: known{run: "r0", fit: now.Add(-5 * time.Second)},
			look:  with(func(l *looked) { l.memory = of("r0", false, 0) }), out: true, left: testOut - 5*time.Second,
		},
		"started again, everything on disk": {look: with(func(l *looked) { l.memory, l.persistence = of("r0", true, 0), "aof always" }), out: true, remedy: adopt},
		"started again, not all on disk before": {
			look: with(func(l *looked) { l.memory, l.persistence, l.uptime = of("r0", false, 0), "aof always", 0 }), out: true, left: testOut,
		},
		"started again, not all on disk since": {
			look: with(func(l *looked) { l.memory, l.persistence, l.uptime = of("r0", true, 0), "aof everysec", 0 }), out: true, left: testOut,
		},
		"started again while it was out": {
			known: known{run: "r0", loss: rerun, lost: now.Add(-50 * time.Second)},
			look:  with(func(l *looked) { l.memory, l.uptime = of("r9", false, 0), 0 }), out: true, left: testOut,
		},
		"not started again meanwhile": {
			known: known{run: "r1", loss: rerun, lost: now.Add(-50 * time.Second)},
			look:  with(func(l *looked) { l.memory, l.uptime = of("r0", false, 0), 0 }), out: true, left: 10 * time.Second,
		},
		"wiped":       {known: known{run: "r1", fit: now, fence: 10}, look: with(func(l *looked) { l.marker, l.memory, l.fence = "", "", "" }), out: true, left: testOut},
		"wiped, over": {known: known{run: "r1", loss: wiped, lost: now.Add(-testOut)}, look: with(func(l *looked) { l.marker = "" }), out: true, remedy: repair},
		"wiped while it was out": {
			known: known{run: "r1", loss: rerun, lost: now.Add(-50 * time.Second)},
			look:  with(func(l *looked) { l.marker = "" }), out: true, left: testOut,
		},
		"without memory":        {look: with(func(l *looked) { l.memory = "" }), out: true, left: testOut},
		"without fence":         {look: with(func(l *looked) { l.fence = "" }), out: true, left: testOut},
		"fence no number":       {look: with(func(l *looked) { l.fence = "1e5" }), out: true, left: testOut},
		"fence of another type": {look: with(func(l *looked) { l.fence = "of another type" }), out: true, left: testOut},
		"fence went back":       {known: known{run: "r1", fit: now, fence: 11}, look: fine, out: true, left: testOut},
	} {
		l, k := test.look, test.known
		s := seen{
			node: lease.Node{RunID: l.run, Persistence: l.persistence}, settled: true, uptime: l.uptime,
			at: now, micros: micros, marker: l.marker, memory: l.memory, fence: l.fence,
		}
		v := judge(s, marker, testOut, &k)
		if (v.out != "") != test.out || v.remedy != test.remedy || test.out && v.until.Sub(now).Round(time.Millisecond) != test.left {
			t.Errorf("%s: judge = %q, in %s, remedy %d; want out: %v, in %s, remedy %d", what, v.out, v.until.Sub(now), v.remedy, test.out, test.left, test.remedy)
		}
	}
	s := seen{node: lease.Node{RunID: "r1"}, at: now, marker: newIdentity([]string{"a", "b", "c"}, time.Hour).marker("a", member), memory: fine.memory, fence: "10"}
	if v := judge(s, marker, testOut, new(known)); v.out == "" || !v.until.IsZero() || v.remedy != nothing {
		t.Errorf("of another group: judge = %+v, want out for good, and left alone", v)
	}
}

// What is written into a marker and a memory is read back, and nothing else is read.
func TestMarkers(t *testing.T) {
	id := newIdentity([]string{newSeat(), newSeat(), newSeat()}, time.Minute)
	if m, ok := readMark(id.marker("seat", pending)); !ok || m != (mark{id, "seat", pending}) {
		t.Errorf("readMark = %+v, %v", m, ok)
	}
	for _, text := range []string{"", "x", id.marker("seat", member) + " ", "format=2" + id.marker("seat", member)[8:]} {
		if _, ok := readMark(text); ok {
			t.Errorf("readMark(%q) succeeds", text)
		}
	}
	if m := (memory{"run", true, 12}); readMemory(m.String()) != m {
		t.Errorf("readMemory = %+v, want %+v", readMemory(m.String()), m)
	}
	if m := readMemory("run=a always=true lost=0 more"); m != (memory{}) {
		t.Errorf("readMemory of something else = %+v", m)
	}
	if a, b := fingerprint([]string{"x", "y"}), fingerprint([]string{"y", "x"}); a != b || a == fingerprint([]string{"x", "z"}) {
		t.Error("the fingerprint depends on the order, or not on the seats")
	}
}
