package redlock

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockd/lockd/test/redisproc"
)

// allVote waits until all nodes do.
func allVote(t *testing.T, g *group) {
	t.Helper()
	until(t, 5*time.Second, "all nodes vote", func() bool { return len(g.fitNodes(-1)) == len(g.nodes) })
}

func fenceAt(t *testing.T, s *redisproc.Server) int64 {
	t.Helper()
	n, _ := strconv.ParseInt(on(t, s, "GET", "lockd:{0}:fence"), 10, 64)
	return n
}

// raise has a server give a token, as a script would.
func raise(t *testing.T, s *redisproc.Server, by int64) int64 {
	t.Helper()
	token := fenceAt(t, s) + by
	on(t, s, "SET", "lockd:{0}:fence", token)
	return token
}

// New servers are made a group by the first who comes, who says so, and all vote at once; the next one joins.
func TestNewServersAreMadeAGroup(t *testing.T) {
	t.Parallel()
	all := servers(t, 5)
	c, told := config(t, all, time.Hour)
	first := opened(t, c)
	c, again := config(t, all, time.Hour)
	second := opened(t, c)
	for _, n := range append(first.nodes, second.nodes...) {
		if !n.votes() || !answers(t, n) {
			t.Errorf("redis at %s does not vote: %s", n.address, n.standing.Load().out)
		}
	}
	if !told.have("have been made a group") || again.have("have been made a group") || first.identity != second.identity {
		t.Error("want the first to make the group, and say so, and the second to join it")
	}
	nodes, refusal, _ := second.status()
	if refusal != "" || len(nodes) != 5 || nodes[4].Out != "" || nodes[4].RunID == "" {
		t.Errorf("status = %+v, %q", nodes, refusal)
	}
}

// Of several who find new servers at once one makes the group, and the others join it, whatever order they list them in.
func TestSeveralMakeOneGroup(t *testing.T) {
	t.Parallel()
	all := servers(t, 5)
	const many = 4
	groups := make([]*group, many)
	var running sync.WaitGroup
	for i := range many {
		c, _ := config(t, append(all[i:len(all):len(all)], all[:i]...), time.Hour)
		running.Go(func() {
			g, err := openGroup(t.Context(), c)
			if err != nil {
				t.Errorf("openGroup = %v", err)
			}
			groups[i] = g
		})
	}
	running.Wait()
	for _, g := range groups {
		if g == nil {
			continue
		}
		if g.identity != groups[0].identity || len(g.fitNodes(-1)) != len(all) {
			t.Errorf("one is of %+v, another of %+v", g.identity, groups[0].identity)
		}
		if err := g.close(); err != nil {
			t.Error(err)
		}
	}
}

// Whoever was to make the group may die after any step: the next one does it, or finishes it.
func TestFoundingIsTakenOver(t *testing.T) {
	t.Parallel()
	for what, steps := range map[string]func(*testing.T, *founding){
		"after a claim": func(t *testing.T, f *founding) {
			must(t, f.all[0].take(t.Context(), f.claimant, claimFor))
		},
		"after all claims": func(t *testing.T, f *founding) { must(t, f.claim(t.Context())) },
		"after a mark": func(t *testing.T, f *founding) {
			must(t, f.claim(t.Context()))
			must(t, f.markOne(t.Context(), &f.all[0], 1))
		},
		"after all marks": func(t *testing.T, f *founding) {
			must(t, f.claim(t.Context()))
			must(t, f.mark(t.Context(), 0))
		},
		"after a member": func(t *testing.T, f *founding) {
			must(t, f.claim(t.Context()))
			must(t, f.mark(t.Context(), 0))
			must(t, finish(t.Context(), []surveyed{f.all[0].surveyed}, f.claimant))
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			c, _ := config(t, servers(t, 3), time.Hour)
			dead, err := newGroup(c)
			must(t, err)
			defer dead.closeNodes()
			f := newFounding(dead.survey(t.Context()))
			f.to = newIdentity(f.seats(), time.Hour)
			steps(t, f)
			g := opened(t, c)
			if begun := strings.Contains(what, "all marks") || strings.Contains(what, "member"); begun != (g.identity == f.to) {
				t.Errorf("the group is %+v; what was begun was %+v", g.identity, f.to)
			}
			allVote(t, g)
			// Who was only slow does not do the rest of it any more.
			if err := f.mark(t.Context(), 0); err == nil {
				t.Error("whoever was slow could mark the nodes, which are a group")
			}
			allVote(t, g)
		})
	}
}

// While one has the claims nobody else gets any, and without them nothing is marked, nor finished.
func TestAClaimIsExclusive(t *testing.T) {
	t.Parallel()
	c, _ := config(t, servers(t, 3), time.Hour)
	g, err := newGroup(c)
	must(t, err)
	defer g.closeNodes()
	begin := func() *founding {
		f := newFounding(g.survey(t.Context()))
		f.to = newIdentity(f.seats(), time.Hour)
		return f
	}
	one, two := begin(), begin()
	must(t, one.claim(t.Context()))
	if err := two.claim(t.Context()); !errors.Is(err, errChanged) {
		t.Errorf("claim of what another one has claimed = %v, want errChanged", err)
	}
	if err := two.markOne(t.Context(), &two.all[0], 1); !errors.Is(err, errChanged) {
		t.Errorf("mark of what another one has claimed = %v, want errChanged", err)
	}
	must(t, one.mark(t.Context(), 0))
	one.giveUp(t.Context()) // as if its time had run out
	if err := one.markOne(t.Context(), &one.all[0], 1); !errors.Is(err, errChanged) {
		t.Errorf("mark without a claim = %v, want errChanged", err)
	}
	three := begin()
	must(t, three.claim(t.Context()))
	for i := range one.all {
		if err := finish(t.Context(), []surveyed{one.all[i].surveyed}, one.claimant); !errors.Is(err, errChanged) {
			t.Errorf("finish of what another one has claimed = %v, want errChanged", err)
		}
		if err := finish(t.Context(), []surveyed{one.all[i].surveyed}, ""); !errors.Is(err, errChanged) {
			t.Errorf("finish, for whoever comes, of what one has claimed = %v, want errChanged", err)
		}
	}
	must(t, three.mark(t.Context(), 0))
	for _, s := range three.all {
		must(t, finish(t.Context(), []surveyed{s.surveyed}, three.claimant))
		if err := finish(t.Context(), []surveyed{s.surveyed}, ""); !errors.Is(err, errChanged) {
			t.Errorf("finish of what is finished = %v, want errChanged: it is not as it was seen", err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A server that has everything on disk before it answers votes as soon as it is back.
func TestAServerThatForgetsNothingVotesAtOnce(t *testing.T) {
	t.Parallel()
	all := servers(t, 3, whole)
	c, _ := config(t, all, time.Hour)
	g := opened(t, c)
	until(t, 3*time.Second, "its memory says that it keeps everything", func() bool {
		return strings.Contains(on(t, all[0], "GET", "lockd:{0}:memory"), "always=true")
	})
	before := fenceAt(t, all[0])
	all[0].Kill()
	all[0].Restart()
	until(t, 2*time.Second, "it votes again", func() bool { return g.nodes[0].votes() && answers(t, g.nodes[0]) })
	if now := fenceAt(t, all[0]); now != before {
		t.Errorf("its fence was changed from %d to %d", before, now)
	}
}

// A server that may have forgotten something does not vote for as long as that may matter; then its fence is made good, and it
// votes again by itself. Meanwhile it runs no script, and Status says why.
func TestAServerThatMayHaveForgottenIsOut(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		opts   redisproc.Option
		forget func(*testing.T, *redisproc.Server)
	}{
		"started again": {partly, func(t *testing.T, s *redisproc.Server) {
			s.Kill()
			s.Restart()
			on(t, s, "SET", "lockd:{0}:fence", 17) // as of long ago
		}},
		"started again, empty": {redisproc.Args(), func(_ *testing.T, s *redisproc.Server) {
			s.Kill()
			s.Restart()
		}},
		"wiped":         {whole, func(t *testing.T, s *redisproc.Server) { on(t, s, "FLUSHALL") }},
		"fence deleted": {whole, func(t *testing.T, s *redisproc.Server) { on(t, s, "DEL", "lockd:{0}:fence") }},
		"fence no number": {whole, func(t *testing.T, s *redisproc.Server) {
			on(t, s, "DEL", "lockd:{0}:fence")
			on(t, s, "LPUSH", "lockd:{0}:fence", "x")
		}},
		"fence back": {whole, func(t *testing.T, s *redisproc.Server) { on(t, s, "SET", "lockd:{0}:fence", 17) }},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			all := servers(t, 3, test.opts)
			c, told := config(t, all, shortTTL)
			g := opened(t, c)
			largest := max(raise(t, all[1], 3600e6), raise(t, all[2], 1800e6)) // as clocks would not have it
			n := g.nodes[0]
			began := time.Now()
			test.forget(t, all[0])
			until(t, lookEvery+time.Second, "it is out", func() bool { return !n.votes() })
			if answers(t, n) {
				t.Error("it runs scripts, while it is out")
			}
			nodes, refusal, _ := g.status()
			if nodes[0].Out == "" || nodes[0].OutUntil.IsZero() || refusal != "" {
				t.Errorf("status = %+v, %q; want why it does not vote, and no refusal: there are two others", nodes[0], refusal)
			}
			until(t, 6*time.Second, "it votes again", n.votes)
			if out := time.Since(began); out < g.identity.outTime() {
				t.Errorf("it was out for %s, want %s", out, g.identity.outTime())
			}
			until(t, time.Second, "it runs scripts", func() bool { return answers(t, n) })
			if fence := fenceAt(t, all[0]); fence < largest+fenceGap.Microseconds() {
				t.Errorf("its fence is %d, want %d and a gap", fence, largest)
			}
			if !told.have("does not vote before") || !told.have(n.address+" votes") {
				t.Error("nobody was told that it was out, and that it votes again")
			}
		})
	}
}

// Who has just been started knows of no earlier run: it takes the server's word for how long it has been there.
func TestAStatelessLockdKeepsWhoWasStartedAgainOut(t *testing.T) {
	t.Parallel()
	all := servers(t, 3, partly)
	c, _ := config(t, all, time.Hour)
	g, err := openGroup(t.Context(), c)
	must(t, err)
	must(t, g.close())
	all[1].Kill()
	all[1].Restart()
	next := opened(t, c)
	if next.nodes[1].votes() || answers(t, next.nodes[1]) || !next.nodes[0].votes() {
		t.Error("a server that was started again votes, or another one does not")
	}
	nodes, refusal, _ := next.status()
	if left := time.Until(nodes[1].OutUntil); refusal != "" || left < time.Hour || left > 2*time.Hour {
		t.Errorf("it is out for %s, want about %s; refusal %q", left, next.identity.outTime(), refusal)
	}
}

// When a majority may have forgotten their tokens there is nobody to ask: all have to be there and their time over, and
// then the clocks decide, with a gap.
func TestAMajorityThatWasStartedAgainComesBack(t *testing.T) {
	t.Parallel()
	all := servers(t, 3, partly)
	c, _ := config(t, all, shortTTL)
	g := opened(t, c)
	for _, s := range all[:2] {
		s.Kill()
	}
	until(t, 5*time.Second, "Status says so", func() bool { _, refusal, _ := g.status(); return refusal != "" })
	all[0].Restart()
	until(t, 5*time.Second, "it is out", func() bool {
		return g.nodes[0].standing.Load().out == string(rerun)+"" || strings.Contains(g.nodes[0].standing.Load().out, "want 2, or all to answer")
	})
	until(t, 5*time.Second, "its time is over, and too few remember", func() bool { return strings.Contains(g.nodes[0].standing.Load().stuck, "want 2") })
	all[1].Restart()
	allVote(t, g)
	now := time.Now().UnixMicro()
	for i, s := range all[:2] {
		if fence := fenceAt(t, s); fence < now {
			t.Errorf("the fence of node %d is %d, want no less than the clock", i, fence)
		}
	}
}

// A majority that was wiped is not made good by anybody but an operator.
func TestAMajorityThatWasWipedIsLeftToAnOperator(t *testing.T) {
	t.Parallel()
	all := servers(t, 3)
	c, _ := config(t, all, shortTTL)
	g := opened(t, c)
	on(t, all[0], "FLUSHALL")
	on(t, all[1], "FLUSHALL")
	until(t, 6*time.Second, "their time is over", func() bool {
		return strings.Contains(g.nodes[0].standing.Load().stuck, "want 2") && strings.Contains(g.nodes[1].standing.Load().stuck, "want 2")
	})
	if _, refusal, _ := g.status(); !strings.Contains(refusal, "1 of 3 nodes can grant leases, want 2") {
		t.Errorf("status refuses with %q", refusal)
	}
	if marker := on(t, all[0], "GET", "lockd:{0}:marker"); marker != "" {
		t.Errorf("it has a marker again: %s", marker)
	}
}

// When a majority has been wiped no wait brings it back, and that is said, with what does.
func TestAMajorityThatWasWipedIsTheOperatorsToMend(t *testing.T) {
	t.Parallel()
	all := servers(t, 3)
	c, _ := config(t, all, time.Hour)
	g := opened(t, c)
	for _, s := range all[:2] {
		on(t, s, "FLUSHALL")
	}
	until(t, 5*time.Second, "both say that init is wanted, and no time", func() bool {
		for _, n := range g.nodes[:2] {
			if at := n.standing.Load(); !strings.Contains(at.out, wantInit) || !at.until.IsZero() {
				return false
			}
		}
		return true
	})
	if !g.nodes[2].votes() {
		t.Error("who remembers does not vote any more")
	}
}
