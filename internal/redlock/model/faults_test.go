package model

// What happens to both sides beside calls: repairs, and what nodes suffer.

// plant looks at a name and plants a lease there, with some calls or nothing in between.
func (tw *twin) plant() {
	q := tw.request()
	q.op, q.token, q.told, q.want = opPlant, tw.near(), 0, 0
	nd := tw.node()
	looked := tw.ask(request{op: opRead, name: q.name})
	fence, run := tw.redis.peek(q.name, looked.code == free)
	if looked.code == free && fence != nd.fence {
		tw.fail("a look answers the fence %d, the model's node has %d", fence, nd.fence)
	}
	if q.fence = nd.fence; tw.IntN(4) == 0 {
		q.fence = tw.near()
	}
	q.clock = tw.clock()
	switch tw.IntN(10) {
	case 0:
		q.notAfter = tw.model.now - hour
	case 1: // of another run: in the model it does not arrive
		tw.told(q, outcome{code: tw.ask(request{op: opRead, name: q.name}).lostRun()}, tw.redis.plant(q, "another run"))
		return
	}
	model := tw.ask(q)
	model.token, model.committed = 0, false // the script says no more than that it is done
	tw.told(q, model, tw.redis.plant(q, run))
}

// lostRun is what plant.lua answers to what was meant for another run.
func (o outcome) lostRun() code {
	if o.code == noMemory {
		return noMemory
	}
	return refused
}

// admitAnyhow has a node vote again, mostly with a fence that is at least the largest that it had.
func (tw *twin) admitAnyhow() {
	nd := tw.node()
	switch n := tw.IntN(4); {
	case n == 0:
		if nd.fence == 0 { // it has no fence, and nobody brings it one
			q := request{op: opAdmit}
			tw.told(q, outcome{code: refused}, tw.redis.admit(q))
			return
		}
		tw.admit(0) // it has kept everything
	case n == 1 && nd.fence != 0:
		tw.admit(1)
	default:
		tw.admit(max(tw.near(), firstFence) + 10)
	}
}

func (tw *twin) admit(fence int64) {
	q := request{op: opAdmit, fence: fence}
	tw.told(q, tw.ask(q), tw.redis.admit(q))
}

// age lets a lock be older by some hours than it is.
func (tw *twin) age() {
	name := tw.IntN(maxNames)
	l := &tw.node().locks[name]
	if l.ID == "" {
		return
	}
	left := 1 + int64(tw.IntN(int(tw.hours(l))))
	l.until = tw.model.clockOf(0) + left*hour
	tw.redis.do("PEXPIRE", tw.redis.lock(name), left*hour)
	tw.happens("a lease grew older")
}

// expire lets a lock run out.
func (tw *twin) expire() {
	name := tw.IntN(maxNames)
	l := &tw.node().locks[name]
	if l.ID == "" {
		return
	}
	l.until = tw.model.clockOf(0)
	tw.model.execute(0, request{op: opRead, name: name}) // it notices
	tw.redis.expire(name)
	tw.happens("a lease ran out")
}

// lose takes from a node what its votes rest on. For the model it is one thing: a node of which the marker or the fence is
// gone has no memory.
func (tw *twin) lose() {
	nd := tw.node()
	nd.marker = 0
	switch tw.IntN(5) {
	case 0:
		tw.redis.do("DEL", markerKey)
		tw.happens("a marker was lost")
	case 1:
		tw.redis.do("SET", markerKey, "of another state")
		tw.happens("a marker was replaced")
	case 2:
		nd.fence = 0
		tw.redis.do("DEL", fenceKey)
		tw.happens("a fence was lost")
	case 3:
		nd.fence = 0
		tw.redis.do("SET", fenceKey, "12x")
		tw.happens("a fence was broken")
	case 4:
		nd.memory = memory{}
		tw.redis.do("FLUSHALL")
		tw.happens("a node was wiped")
	}
}

func (tw *twin) happens(what string) {
	tw.tally[what]++
	tw.tell("%s", what)
}
