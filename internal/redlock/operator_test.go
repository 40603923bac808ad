package redlock

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockd/lockd/test/redisproc"
)

// asOperator is what an operator would say of a group.
func asOperator(c groupConfig) Config { return Config{URLs: c.URLs, MaxTTL: c.MaxTTL} }

// planned is a change that the test closes.
func planned(t *testing.T, ch *Change, err error) *Change {
	t.Helper()
	must(t, err)
	t.Cleanup(func() { must(t, ch.Close()) })
	t.Log(strings.Join(append(ch.Nodes, ch.Effect...), "\n"))
	return ch
}

// Who is new takes the place of who has gone when an operator says so, and votes when that is safe; lockds that run follow,
// and who still has the old list never gets a quorum of the state before.
func TestReplace(t *testing.T) {
	t.Parallel()
	all := servers(t, 3)
	before, _ := config(t, all, shortTTL)
	running := opened(t, before)
	largest := raise(t, all[1], 3600e6)
	list := append(all[:2:2], redisproc.Start(t))
	c, _ := config(t, list, shortTTL)
	ch, err := PlanReplace(t.Context(), asOperator(c))
	ch = planned(t, ch, err)
	if said := strings.Join(ch.Nodes, "\n"); strings.Count(said, "; stays") != 2 || !strings.Contains(said, list[2].Addr()+" is empty; will be a new member") {
		t.Errorf("it shows %s", said)
	}
	began := time.Now()
	must(t, ch.Apply(t.Context()))
	g := opened(t, c)
	if g.nodes[2].votes() || !g.nodes[0].votes() || !g.nodes[1].votes() {
		t.Error("want those who stay to vote, and the new one not yet")
	}
	until(t, 3*time.Second, "who runs follows", func() bool {
		return answers(t, running.nodes[0]) && answers(t, running.nodes[1]) && running.nodes[0].votes()
	})
	until(t, 3*time.Second, "who was replaced votes no more", func() bool { return !running.nodes[2].votes() })
	until(t, 5*time.Second, "the new one votes", g.nodes[2].votes)
	if out := time.Since(began); out < g.identity.outTime() {
		t.Errorf("it was out for %s, want %s", out, g.identity.outTime())
	}
	if fence := fenceAt(t, list[2]); fence < largest+fenceGap.Microseconds() {
		t.Errorf("its fence is %d, want %d and a gap", fence, largest)
	}
	if _, err := openGroup(t.Context(), before); err == nil || !strings.Contains(err.Error(), "is of another state of the group") {
		t.Errorf("openGroup with the list of before = %v, want it refused", err)
	}
	for _, ttl := range []time.Duration{shortTTL, 0} { // 0: whatever the group has
		again := asOperator(c)
		again.MaxTTL = ttl
		if ch, err := PlanReplace(t.Context(), again); err == nil || !strings.Contains(err.Error(), "nothing to do") {
			t.Errorf("PlanReplace again, with --max-ttl %s = %v, %v, want nothing to do", ttl, ch, err)
		}
	}
}

// A replacement that was not finished lets no list have a quorum of the state before and of the one after, and is finished by
// the next one, or by whoever comes if all were marked.
func TestAReplacementIsTakenOver(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		steps    func(*testing.T, *founding)
		finishes bool // any lockd does
	}{
		"after a mark": {func(t *testing.T, f *founding) {
			must(t, f.claim(t.Context()))
			for i := range f.all {
				if f.all[i].isMember {
					must(t, f.markOne(t.Context(), &f.all[i], 0))
					return
				}
			}
		}, false},
		"after the members' marks": {func(t *testing.T, f *founding) {
			must(t, f.claim(t.Context()))
			for i := range f.all {
				if f.all[i].isMember {
					must(t, f.markOne(t.Context(), &f.all[i], 0))
				}
			}
		}, false},
		"after all marks": {func(t *testing.T, f *founding) {
			must(t, f.claim(t.Context()))
			must(t, f.mark(t.Context(), fenceGap))
		}, true},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			all := servers(t, 3)
			c, _ := config(t, all, shortTTL)
			g, err := openGroup(t.Context(), c)
			must(t, err)
			must(t, g.close())
			c, _ = config(t, append(all[:2:2], redisproc.Start(t)), shortTTL)
			ch, err := PlanReplace(t.Context(), asOperator(c))
			test.steps(t, planned(t, ch, err).does)
			ch.does.giveUp(t.Context())
			if !test.finishes {
				if _, err := openGroup(t.Context(), c); err == nil || !strings.Contains(err.Error(), "lockd redlock replace") {
					t.Fatalf("openGroup = %v, want to be told to replace", err)
				}
				again, err := PlanReplace(t.Context(), asOperator(c))
				must(t, planned(t, again, err).Apply(t.Context()))
			}
			next := opened(t, c)
			if next.nodes[2].votes() {
				t.Error("the new one votes at once")
			}
			if next.identity.group != g.identity.group {
				t.Error("it is another group")
			}
			allVote(t, next)
		})
	}
}

// A majority that has lost everything is begun anew when an operator says so: no lease is granted until all of before are
// over, and tokens go on growing.
func TestInit(t *testing.T) {
	t.Parallel()
	all := servers(t, 3)
	c, _ := config(t, all, shortTTL)
	g, err := openGroup(t.Context(), c)
	must(t, err)
	must(t, g.close())
	largest := raise(t, all[0], 3600e6)
	on(t, all[1], "FLUSHALL")
	on(t, all[2], "FLUSHALL")
	if _, err := PlanReplace(t.Context(), asOperator(c)); err == nil || !strings.Contains(err.Error(), "lockd redlock init") {
		t.Errorf("PlanReplace = %v, want to be told to init", err)
	}
	ch, err := PlanInit(t.Context(), asOperator(c))
	began := time.Now()
	must(t, planned(t, ch, err).Apply(t.Context()))
	next := opened(t, c)
	if _, refusal, _ := next.status(); refusal == "" || next.identity.group == g.identity.group {
		t.Errorf("status = %q of %+v, want a new group that grants nothing yet", refusal, next.identity)
	}
	allVote(t, next)
	if out := time.Since(began); out < next.identity.outTime() {
		t.Errorf("it was out for %s, want %s", out, next.identity.outTime())
	}
	for i, s := range all {
		if fence := fenceAt(t, s); fence <= largest {
			t.Errorf("the fence of node %d is %d, want more than %d", i, fence, largest)
		}
	}
}

// Leases that a former group granted may stand for longer than those of the new one.
func TestInitWaitsForTheLeasesOfBefore(t *testing.T) {
	t.Parallel()
	all := servers(t, 3)
	c, _ := config(t, all, time.Hour)
	g, err := openGroup(t.Context(), c)
	must(t, err)
	must(t, g.close())
	on(t, all[1], "FLUSHALL")
	on(t, all[2], "FLUSHALL")
	c.MaxTTL = 5 * time.Minute
	ch, err := PlanInit(t.Context(), asOperator(c))
	planned(t, ch, err)
	if got, want := ch.does.to.longest, longestOf(time.Hour); got != want {
		t.Errorf("nobody votes for %s, want %s", got, want)
	}
	if want := "no lease is granted for 1h6m39.6s: leases of before may stand for as long"; !slices.Contains(ch.Effect, want) {
		t.Errorf("it says %q, want %q", ch.Effect, want)
	}
}

// Empty servers are a group at once, since nothing can have been promised; what changed since it was shown is left alone.
func TestInitOfEmptyServers(t *testing.T) {
	t.Parallel()
	all := servers(t, 3)
	c, _ := config(t, all, time.Hour)
	stale, err := PlanInit(t.Context(), asOperator(c))
	planned(t, stale, err)
	ch, err := PlanInit(t.Context(), asOperator(c))
	must(t, planned(t, ch, err).Apply(t.Context()))
	g := opened(t, c)
	allVote(t, g)
	if err := stale.Apply(t.Context()); err == nil || !strings.Contains(err.Error(), "changed meanwhile") {
		t.Errorf("Apply of what was shown before = %v, want it to be refused", err)
	}
	allVote(t, g)
}

// An init that was not finished does not become a group that grants at once.
func TestAnInitThatWasNotFinishedIsNotForgotten(t *testing.T) {
	t.Parallel()
	all := servers(t, 3)
	c, _ := config(t, all, shortTTL)
	g, err := openGroup(t.Context(), c)
	must(t, err)
	must(t, g.close())
	on(t, all[1], "FLUSHALL")
	on(t, all[2], "FLUSHALL")
	ch, err := PlanInit(t.Context(), asOperator(c))
	f := planned(t, ch, err).does
	must(t, f.claim(t.Context()))
	for i := range f.all {
		if f.all[i].address == all[0].Addr() { // so that no member is left
			must(t, f.markOne(t.Context(), &f.all[i], 1))
		}
	}
	f.giveUp(t.Context())
	next := opened(t, c)
	if len(next.fitNodes(-1)) != 0 {
		t.Errorf("%d nodes vote at once, want none", len(next.fitNodes(-1)))
	}
	allVote(t, next)
}
