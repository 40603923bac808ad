package model

import (
	"flag"
	"strings"
	"testing"
	"time"
)

// For longer runs: go test ./internal/redlock/model -model.for 10m -timeout 1h
var (
	lasting = flag.Duration("model.for", 4*time.Second, "for how long histories are drawn from seeds of the clock")
	states  = flag.Int("model.states", 8000, "how many states of each small case are looked at")
)

// enough is how often, at least, each event has to happen in the histories of fixed seeds: the rules that nothing put
// to the test would hold in vain.
var enough = map[event]int{
	grants: 5000, oneRound: 3000, twoRounds: 2000, renewed: 500, forced: 200, rejoined: 500, nodeCrashes: 300, nodeWipes: 100, staleDisks: 100,
	nodeJumps: 500, lockdDeaths: 50, expired: 2000, messagesLost: 5000, messagesCopied: 500,
	differ: 2000, otherLease: 300, otherValue: 20, lateAnswer: 100, replays: 2000, lateRequest: 5000, tooLate: 50, clocksDiffer: 1000,
	renewsOther: 100, renewsFree: 500, undoesOther: 500, undoUnsure: 5000, amnesia: 5000, waits: 1000, repairs: 100,
}

const fixedSeeds = 400

func TestEveryHistoryKeepsThePromises(t *testing.T) {
	var sum tally
	n, clock := 0, uint64(time.Now().UnixNano())
	for start := time.Now(); n < fixedSeeds || time.Since(start) < *lasting; n++ {
		seed := uint64(n)
		if n >= fixedSeeds {
			seed = clock + uint64(n)
		}
		h, events := explore(seed, asBuilt)
		if h.broken != "" {
			t.Fatalf("seed %d (%s):\n%s", seed, weathers[seed%uint64(len(weathers))].name, strings.Join(tale(h), "\n"))
		}
		sum.add(events)
		if n == fixedSeeds-1 {
			for e, want := range enough {
				if sum[e] < want {
					t.Errorf("%s: %d times in %d histories, want at least %d: too little happened to prove anything", eventNames[e], sum[e], n+1, want)
				}
			}
		}
	}
	t.Logf("%d histories, those from %d on with seeds from %d on", n, fixedSeeds, clock+fixedSeeds)
	sum.log(t)
}

// log prints what happened.
func (t *tally) log(to *testing.T) {
	for e, n := range t {
		to.Logf("%9d × %s", n, eventNames[e])
	}
}

func TestEveryPlanKeepsThePromises(t *testing.T) {
	clock := uint64(time.Now().UnixNano())
	for _, p := range plans() {
		held := 0
		for n := range 600 {
			seed := uint64(n)
			if n >= 300 {
				seed += clock
			}
			h := p.walk(seed, asBuilt)
			if h.broken != "" {
				t.Fatalf("%s, seed %d:\n%s", p.name, seed, strings.Join(p.tale(h), "\n"))
			}
			held += h.tally[grants]
		}
		if held < 100 {
			t.Errorf("%s: %d grants in 600 walks, want at least 100", p.name, held)
		}
	}
}

// Of the first plan every order of events is tried; of the others as many as there is time for.
func TestEveryOrderOfASmallCase(t *testing.T) {
	for i, p := range plans() {
		s := search{plan: p, variant: asBuilt, limit: *states}
		if i == 0 {
			s.limit = 1 << 20
		}
		complete := s.run()
		if s.found != nil {
			t.Fatalf("%s:\n%s", p.name, strings.Join(p.tale(*s.found), "\n"))
		}
		if i == 0 && !complete {
			t.Errorf("%s: not every order was tried, %d states", p.name, len(s.seen))
		}
		t.Logf("%s: %d states, all of them: %v", p.name, len(s.seen), complete)
	}
}

// caughtBy names the plan that catches a wrong variant; the others are caught by histories that are drawn.
var caughtBy = map[variant]string{
	noWriteBack: "in turn", unconditionalWriteBack: "a copy of round 1 before round 2", writeBackByID: "a copy of round 1 before round 2",
	anyQuorum: "a copy of round 1 before round 2", fenceNotRaised: "in turn", commitWithoutT: "asked again, committed once",
	commitDownwards: "a force meets a straggler", minority: "in turn",
	noGrace: "a lease shortly before its end", noSkewGuard: "a clock steps far",
	renewCreates: "a minority renews", renewByID: "granted again by a copy",
	forceWhereFound: "a force meets a repair", forceQuietly: "a force meets a repair", forceByToken: "a force meets a smaller token", forceLow: "a force meets a smaller token",
	repairReadsLate: "a grant between a look and a repair", repairSameRound: "a grant while a renewal is under way",
	repairBlindly: "a repair meets a grant", repairCountsAtOnce: "a minority renews",
	amnesiacVotes: "a node is wiped", rejoinAtOnce: "a grant while a node is out", rejoinUnrepaired: "a node is wiped",
	rejoinReadsEarly: "a grant while a node is out", rejoinAsksOne: "a grant while a node is out",
}

func TestEveryWrongVariantIsCaught(t *testing.T) {
	const times = 3
	for _, v := range wrong {
		t.Run(string(v), func(t *testing.T) {
			caught, n := 0, 0
			var story []string
			for seed := uint64(0); caught < times && n < 20_000; seed++ {
				n++
				if p, ok := planNamed(caughtBy[v]); ok {
					if h := p.walk(seed, v); h.broken != "" {
						if caught++; caught == 1 {
							story = p.tale(h)
							t.Logf("%s, seed %d:", p.name, seed)
						}
					}
				} else if h, _ := explore(seed, v); h.broken != "" {
					if caught++; caught == 1 {
						story = tale(h)
						t.Logf("seed %d:", seed)
					}
				}
			}
			if caught < times {
				t.Errorf("caught %d times in %d histories, want %d: the model would not notice the same in the protocol", caught, n, times)
			}
			t.Logf("caught %d times in %d histories\n%s", caught, n, strings.Join(story, "\n"))
		})
	}
}

func planNamed(name string) (plan, bool) {
	for _, p := range plans() {
		if p.name == name {
			return p, true
		}
	}
	return plan{}, false
}
