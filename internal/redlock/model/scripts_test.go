package model

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// The model's node has the rules of the scripts a second time, by hand. Here both are asked the same, at random, and have to
// answer alike and leave the same behind. The scripts take several operations in a call, the model one after the other.
//
// Not compared, since the model knows nothing of it: which ttl of several is kept, who wants a name, notices, what tells two
// executions of one sending apart, tokens at 2^53, and keys that hold something else than a lock.

// scriptSeed repeats a run: go test ./internal/redlock/model -run Scripts -model.scripts N
var scriptSeed = flag.Uint64("model.scripts", 0, "seed of what scripts and model are both asked; 0: the clock's")

// scriptSteps is how many times both are asked something, mostly several things at once, or something happens to both.
const scriptSteps = 6000

// The sizes of what is asked. All times are multiples of an hour, so that those that a run takes are none.
const (
	hour       = int64(time.Hour / time.Millisecond)
	scriptTTL  = 10 * hour
	scriptPX   = 11 * hour
	scriptSkew = hour / 2

	firstFence = 1_700_000_000_000_000 // as many digits as clocks in µs have
)

// twin is a node of the model and a Redis that are asked the same.
type twin struct {
	*rand.Rand
	t     *testing.T
	model *world
	redis *scripted
	tally map[string]int // what was answered, and what happened
	story []string
}

// outcome is what came of one request, as far as both sides tell.
type outcome struct {
	code      code
	token     int64 // of a lease that was granted or stands
	committed bool
	freed     bool
	left      int64 // hours for which it stands; 0: not told
	fence     int64 // after it; 0: not told, or only what it was after the last of several
}

func (o outcome) String() string {
	return fmt.Sprintf("%s, token %d, committed %t, freed %t, for %d h, fence %d", codeNames[o.code], o.token, o.committed, o.freed, o.left, o.fence)
}

// often is how many times, at least, each of them has to come: a rule that no request met was not compared.
var often = map[string]int{
	"acquire: granted": 300, "acquire: stands": 100, "acquire: another's": 300, "acquire: superseded": 30, "acquire: lost": 30,
	"acquire: too late": 50, "acquire: clocks differ": 30, "acquire: no memory": 30,
	"commit: stands": 50, "commit: refused": 100, "commit: no memory": 10,
	"renewal: stands": 100, "renewal: lost": 100, "renewal: free": 100, "renewal: no memory": 10,
	"release: done": 100, "release: done, freed": 50, "undo: done": 100, "undo: done, freed": 20, "force: done": 100, "force: done, freed": 50,
	"reading of the fence: free": 100, "reading of the fence: another's": 100,
	"repair: stands": 50, "repair: refused": 50, "repair: no memory": 10,
	"taking back: done": 100, "taking back: refused": 10,
	"a lease ran out": 100, "a lease grew older": 100, "a marker was lost": 30, "a marker was replaced": 30, "a fence was lost": 30, "a fence was broken": 30, "a node was wiped": 30,
}

func TestTheModelsNodeDoesWhatTheScriptsDo(t *testing.T) {
	seed := *scriptSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", seed)
	tw := &twin{Rand: rand.New(rand.NewPCG(seed, 1)), t: t, tally: make(map[string]int)}
	tw.model = newWorld(rules{nodes: 1, names: maxNames, ttl: scriptTTL, grace: scriptPX - scriptTTL, maxSkew: scriptSkew}, asBuilt)
	tw.redis = newScripted(t, tw.model.now)
	tw.model.nodes[0].marker = 0
	tw.admit(firstFence)
	for range scriptSteps {
		tw.step()
	}
	for what, want := range often {
		if got := tw.tally[what]; got < want {
			t.Errorf("%s: %d times, want at least %d: too little was compared", what, got, want)
		}
	}
	for _, what := range slices.Sorted(maps.Keys(tw.tally)) {
		t.Logf("%6d × %s", tw.tally[what], what)
	}
}

// step asks both sides something, or does something to both.
func (tw *twin) step() {
	switch n := tw.IntN(100); {
	case tw.node().marker == 0 && n < 25, n < 2:
		tw.admitAnyhow()
	case n < 70:
		tw.call()
	case n < 84:
		tw.plant()
	case n < 91:
		tw.age()
	case n < 96:
		tw.expire()
	default:
		tw.lose()
	}
	tw.compare()
}

func (tw *twin) node() *node { return &tw.model.nodes[0] }

// call is one script call for several operations, which the model takes one after the other.
func (tw *twin) call() {
	requests := make([]request, 1+tw.IntN(4))
	told := make([]outcome, len(requests))
	clock := tw.clock()
	for i := range requests {
		requests[i] = tw.request()
		requests[i].clock = clock
		told[i] = tw.ask(requests[i])
	}
	for i, answered := range tw.redis.batch(requests) {
		if i < len(requests)-1 {
			told[i].fence = 0
		}
		tw.told(requests[i], told[i], answered)
	}
}

// ask has the model's node execute a request, and answers what the scripts have to tell of it.
func (tw *twin) ask(q request) outcome {
	l := &tw.node().locks[q.name]
	was := l.ID
	a := tw.model.execute(0, q)
	o := outcome{code: a.code, freed: was != "" && l.ID == ""}
	if a.code == granted || a.code == mine {
		o.token, o.committed = a.token, a.committed
	}
	if a.code != noMemory && q.op != opPlant && q.op != opAdmit { // their scripts do not tell it
		o.fence = a.fence
	}
	if q.op == opRead && a.code == done { // what a look tells is what stands
		o.code = free
		if l.ID != "" {
			o.code, o.token, o.committed = held, l.Token, l.Committed
		}
	}
	if tells := a.code == mine && q.op != opPlant || o.code == held; tells {
		o.left = tw.hours(l)
	}
	return o
}

func (tw *twin) hours(l *lock) int64 { return (l.until - tw.model.clockOf(0)) / hour }

// told compares what both sides say of a request.
func (tw *twin) told(q request, model, script outcome) {
	what := opNames[q.op] + ": " + codeNames[model.code]
	if model.freed {
		what += ", freed"
	}
	tw.tally[what]++
	tw.tell("%s %+v: %s", opNames[q.op], q, script)
	if model != script {
		tw.fail("the %s is answered\n\t%s by the script,\n\t%s by the model's node", opNames[q.op], script, model)
	}
}

// compare looks whether the same stands on both sides.
func (tw *twin) compare() {
	nd := tw.node()
	fence, locks := tw.redis.stands()
	if fence != nd.fence {
		tw.fail("the fence is %d, the model's %d", fence, nd.fence)
	}
	for n := range locks {
		want := nd.locks[n]
		if want.ID != "" {
			want.until = tw.hours(&want)
		}
		if locks[n] != want {
			tw.fail("on name %d there stands %+v, in the model %+v", n+1, locks[n], want)
		}
	}
}

func (tw *twin) tell(format string, args ...any) {
	tw.story = append(tw.story, fmt.Sprintf(format, args...))
}

// fail ends the test with what happened last.
func (tw *twin) fail(format string, args ...any) {
	tw.t.Helper()
	last := tw.story[max(0, len(tw.story)-12):]
	tw.t.Fatalf("%s\nafter\n%s", fmt.Sprintf(format, args...), strings.Join(slices.Concat([]string{"…"}, last), "\n"))
}

// request draws one that may find what it needs, or just not.
func (tw *twin) request() request {
	name := tw.IntN(maxNames)
	l := tw.node().locks[name]
	ops := []op{opAcquire, opAcquire, opAcquire, opCommit, opCommit, opRenew, opRelease, opUndo, opForce, opRead}
	q := request{op: ops[tw.IntN(len(ops))], name: name, notAfter: tw.model.now + hour}
	q.id = []string{"a", "b", "c"}[tw.IntN(3)]
	q.attempt, q.exec = 1+tw.IntN(3), 1+tw.IntN(3)
	if l.ID != "" && tw.IntN(2) == 0 {
		q.id = l.ID
		if l.exec != replayed && tw.IntN(2) == 0 {
			q.attempt, q.exec = l.attempt, l.exec
		}
	}
	switch q.op {
	case opAcquire:
		q.token = tw.near()
		if tw.IntN(8) == 0 {
			q.told = tw.tokenOf(l)
		}
		if tw.IntN(8) == 0 {
			q.notAfter = tw.model.now - hour
		}
	case opCommit:
		q.token = tw.tokenOf(l)
		q.want = q.token + []int64{-1, 0, 1, 5, 100}[tw.IntN(5)]
	case opForce:
		q.token, q.want = tw.near(), l.Token
	}
	return q
}

// clock draws a caller's: the node's, or one that is too different.
func (tw *twin) clock() int64 {
	if tw.IntN(8) == 0 {
		return tw.model.now + []int64{-hour, hour}[tw.IntN(2)]
	}
	return tw.model.now
}

// near draws a token near the fence, or one that tells nothing.
func (tw *twin) near() int64 {
	if tw.IntN(10) == 0 {
		return 1
	}
	return max(tw.node().fence+int64(tw.IntN(8))-4, 1)
}

// tokenOf draws the token of a lock, mostly.
func (tw *twin) tokenOf(l lock) int64 {
	if l.ID == "" || tw.IntN(4) == 0 {
		return tw.near()
	}
	return l.Token
}
