package model

import "github.com/lockd/lockd/internal/redlock/ballot"

// A node is one Redis: what it keeps, its clock, and its rules. Each rule is what a script does; see execute.
type node struct {
	down    bool
	crashed bool  // ever, as stepped
	stepped bool  // its clock, back
	always  bool  // appendfsync always, confirmed
	run     int   // run_id: another one after each start
	since   int64 // when it was started
	shift   int64 // its clock minus the true one, ms
	rate    int64 // how much faster its clock runs, per mille

	memory
	disk memory // what is left after a crash, unless always
}

// memory is what a node loses when it is wiped, or goes back to when it restarts from an old file.
type memory struct {
	marker int   // the run that may vote, 0: none
	fence  int64 // the last token given in the shard
	locks  [maxNames]lock
}

// lock is the value of a lock key and its tag.
type lock struct {
	ballot.Value
	attempt, exec int   // the tag; replayed: no undo matches it
	until         int64 // when the key expires, by the node's clock
}

const replayed = -1

type op uint8

const (
	opAcquire op = iota
	opCommit
	opRenew
	opRelease
	opUndo
	opForce
	opPlant // repair of a lease
	opRead  // repair of a fence: what is yours?
	opAdmit // repair of a fence: vote again
)

// request is one script call. Fields that its op does not use are 0.
type request struct {
	op                  op
	name, attempt, exec int
	id                  string
	told                int64 // token that the caller was told, 0: none; then a free name is not granted
	token               int64 // opAcquire: the proposal; opCommit: what round 1 reported; else the lease's
	want                int64 // opCommit: T
	fence               int64 // opPlant: what it was; opAdmit: what it becomes
	clock               int64 // lockd's, ms
	notAfter            int64 // by the node's clock, ms
}

type code uint8

const (
	nothing code = iota // no answer yet
	granted             // anew
	mine                // stands already
	held
	superseded
	lost
	late
	skewed
	noMemory
	refused // the value is another one: nothing was done; or the node could not be asked
	free
	done
)

// answer is a script's reply.
type answer struct {
	code      code
	token     int64
	committed bool
	fence     int64
	run       int
	time      int64 // TIME, ms
}

func (w *world) clockOf(n int) int64 {
	nd := &w.nodes[n]
	return w.now + nd.shift + w.now*nd.rate/1000
}

// execute is what a node does with a request: one script, whole or not at all.
func (w *world) execute(n int, q request) answer {
	nd := &w.nodes[n]
	now := w.clockOf(n)
	l := &nd.locks[q.name]
	if l.ID != "" && l.until <= now {
		w.saw(expired)
		*l = lock{}
	}
	a := answer{fence: nd.fence, run: nd.run, time: now}
	if q.op == opAdmit {
		if nd.fence < q.fence {
			w.saw(repairs)
		}
		nd.marker, nd.fence = nd.run, max(nd.fence, q.fence)
		a.code = done
		return a
	}
	if nd.marker != nd.run {
		if w.saw(amnesia); !w.is(amnesiacVotes) {
			a.code = noMemory
			return a
		}
	}
	switch q.op {
	case opAcquire:
		w.acquire(nd, l, q, &a)
	case opCommit:
		w.commit(nd, l, q, &a)
	case opRenew:
		w.renew(l, q, &a)
	case opRelease:
		a.code = done
		if l.ID == q.id {
			*l = lock{}
		}
	case opUndo:
		a.code = done
		isIt := l.attempt == q.attempt && l.exec == q.exec
		if l.ID == q.id && !isIt {
			w.saw(undoesOther)
		}
		if l.ID == q.id && (isIt || w.is(undoByID)) {
			*l = lock{}
			w.saw(undone)
		}
	case opForce:
		w.force1(nd, l, q, &a)
	case opPlant:
		w.plant(nd, l, q, &a)
	case opRead:
		a.code = done
	}
	return a
}

// force1 is a force at one node: by the lease id, since its token may be another one here. The fence is raised also
// where the lease is not: what is on its way there, a repair or a round 1, must not bring it back.
func (w *world) force1(nd *node, l *lock, q request, a *answer) {
	a.code = done
	if l.ID != q.id || l.Token != q.want {
		w.saw(forcesMore)
	}
	isHere := l.ID == q.id && (l.Token == q.want || !w.is(forceByToken))
	if isHere {
		*l = lock{}
	}
	if !w.is(forceQuietly) && (isHere || !w.is(forceWhereFound)) {
		nd.fence = ballot.Grant(nd.fence, q.token)
	}
	a.fence = nd.fence
}

func (w *world) acquire(nd *node, l *lock, q request, a *answer) {
	isLate := a.time > q.notAfter
	if isLate {
		w.saw(lateRequest)
	}
	switch {
	case isLate && !w.is(noNotAfter):
		a.code = late
	case l.ID == q.id && q.attempt < l.attempt:
		a.code = superseded
	case l.ID == q.id:
		w.replay(l, q, a)
	case l.ID != "":
		a.code = held
	case q.told != 0: // nothing is granted anew; whether it stands with the token is for the caller to judge, by a quorum
		a.code = lost
	case w.skewed(q, a) && !w.is(noSkewGuard):
		a.code = skewed
	default:
		nd.fence = ballot.Grant(nd.fence, q.token)
		*l = w.value(q, nd.fence, false, a.time)
		a.code, a.token = granted, nd.fence
	}
	a.fence = nd.fence
}

func (w *world) skewed(q request, a *answer) bool {
	skew := a.time - q.clock
	if skew > w.maxSkew || skew < -w.maxSkew {
		w.saw(clocksDiffer)
		return true
	}
	return false
}

// replay answers what stands, unchanged but for its tag.
func (w *world) replay(l *lock, q request, a *answer) {
	switch {
	case q.attempt > l.attempt:
		l.attempt, l.exec = q.attempt, q.exec
	case q.exec != l.exec:
		l.exec = replayed
	}
	l.until = a.time + w.px()
	w.saw(replays)
	a.code, a.token, a.committed = mine, l.Token, l.Committed
}

func (w *world) value(q request, token int64, isCommitted bool, now int64) lock {
	return lock{Value: ballot.Value{ID: q.id, Token: token, Committed: isCommitted}, attempt: q.attempt, exec: q.exec, until: now + w.px()}
}

// commit is round 2: only where the value stands that round 1 reported.
func (w *world) commit(nd *node, l *lock, q request, a *answer) {
	reported := ballot.Value{ID: q.id, Token: q.token}
	switch {
	case l.ID != q.id:
		w.saw(otherLease)
	case l.Token != q.token:
		w.saw(otherValue)
	}
	switch {
	case w.is(unconditionalWriteBack):
		if l.ID != q.id {
			*l = w.value(q, 0, false, a.time)
		}
		reported.Token = l.Token
	case w.is(commitWithoutT) && l.ID == q.id && l.Committed:
		a.code, a.token, a.committed = mine, l.Token, true
		return
	}
	value, fence, stood := ballot.Commit(l.Value, reported, nd.fence, q.want)
	if l.ID == q.id && (w.is(writeBackByID) || w.is(commitDownwards) && l.Token == q.token) {
		value, fence, stood = ballot.Value{ID: q.id, Token: q.want, Committed: true}, max(nd.fence, q.want), true
	}
	switch {
	case !stood:
		a.code = refused
		return
	case w.is(fenceLowered):
		fence = q.want
	case w.is(fenceNotRaised):
		fence = nd.fence
	}
	l.Value, nd.fence = value, fence
	a.code, a.token, a.committed, a.fence = mine, q.want, true, fence
}

func (w *world) renew(l *lock, q request, a *answer) {
	switch {
	case l.ID == q.id && l.Token != q.token:
		w.saw(renewsOther)
	case l.ID == "":
		w.saw(renewsFree)
	}
	switch {
	case l.ID == "" && w.is(renewCreates):
		*l = w.value(q, q.token, true, a.time)
		fallthrough
	case l.ID == q.id:
		l.until = a.time + w.px()
		a.code, a.token, a.committed = mine, l.Token, l.Committed
	case l.ID == "":
		a.code = free
	default:
		a.code = lost
	}
}

// plant puts a lease where it is missing, if nothing was granted there since its fence was read.
func (w *world) plant(nd *node, l *lock, q request, a *answer) {
	if l.ID == "" && nd.fence != q.fence {
		w.saw(plantsAmid)
	}
	if w.is(repairBlindly) {
		q.fence = nd.fence
	}
	a.code = refused
	switch {
	case a.time > q.notAfter, w.skewed(q, a):
	case ballot.MayPlant(l.Value, nd.fence, q.fence, "", ""): // a message to another run is lost, see arrive
		nd.fence = max(nd.fence, q.token)
		*l = w.value(q, q.token, true, a.time)
		w.saw(planted)
		a.code, a.token, a.committed = mine, q.token, true
	}
}
