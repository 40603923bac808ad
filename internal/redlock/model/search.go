package model

// A plan is a small case in which every order of events is tried: what callers do comes in one order, and each
// message may arrive at any time after it was sent, or never. An answer arrives with what was asked. Time stands
// still but for what the script says; a time-out may come at any time, and a node may forget a lease, which is what
// a clock that steps there and back does to it.
type plan struct {
	name      string
	fences    []int64 // one for each node
	hint      int64   // what is proposed; 0: what a lockd makes of its clock and the fences
	script    []step
	holds     []hold
	timeouts  int  // how many calls may give up
	patient   bool // but not those of callers
	forgetful bool // clocks do what nothing is promised for: tokens are to be in order nevertheless
}

// search tries every order of a plan.
type search struct {
	plan
	variant variant
	free    bool // messages arrive in any order
	limit   int  // how many states are looked at, at most
	seen    map[uint64]struct{}
	found   *history // what breaks a promise
	tally   tally    // of all that happened on the way, each thing once
}

// position is how far a plan has come. What nodes do is independent of each other, but for the order in which their
// answers come: so between two things that callers do, messages arrive at the first node, then at the second, and
// so on, and then once more. Plans with other fences have other orders.
type position struct{ next, sweep, node, timeouts int }

func (p plan) begin(v variant) *world {
	w := newWorld(rules{
		nodes: len(p.fences), clients: 2, names: 1, ttl: 10_000, grace: 1000, callTimeout: 0, maxSkew: 2000,
		tick: 1 << 40, retryWithin: 1000, gap: 1, steady: !p.forgetful,
	}, v)
	for n, fence := range p.fences {
		w.nodes[n].fence = fence
		w.nodes[n].disk = w.nodes[n].memory
	}
	return w
}

// run tries them, and reports whether that was all of them.
func (s *search) run() (complete bool) {
	s.seen = make(map[uint64]struct{})
	s.visit(&history{world: s.begin(s.variant)}, position{})
	return len(s.seen) < s.limit
}

func (s *search) visit(h *history, at position) {
	if s.found != nil || len(s.seen) >= s.limit {
		return
	}
	key := s.hash(h.world, at)
	if _, been := s.seen[key]; been {
		return
	}
	s.seen[key] = struct{}{}
	if h.broken != "" {
		s.found = h
		return
	}
	for _, m := range s.moves(h.world, at) {
		next := h.clone()
		next.tally = tally{}
		if s.take(&next, m.step) {
			s.tally.add(next.tally)
			s.visit(&next, m.then)
		}
	}
}

// take does a step, and has an answer arrive with what was asked.
func (s *search) take(h *history, st step) bool {
	if !h.apply(st) {
		return st.do == comesBack // it was tried
	}
	h.steps = append(h.steps, st)
	if st.do == arrives && !st.reply {
		st.reply = true
		if h.apply(st) {
			h.steps = append(h.steps, st)
		}
	}
	return true
}

type move struct {
	step step
	then position
}

func (s *search) moves(w *world, at position) []move {
	var moves []move
	for i := range w.msgs {
		m := &w.msgs[i]
		if !s.free && (m.node < at.node || m.request.op == opUndo) || s.isHeld(w, m, at) {
			continue
		}
		then := at
		then.node = m.node
		moves = append(moves, move{w.stepOf(m), then})
	}
	if at.sweep == 0 && at.node > 0 && !s.free {
		then := at
		then.sweep, then.node = 1, 0
		moves = append(moves, move{step{do: passes}, then})
	}
	if at.next < len(s.script) {
		then, st := at, s.script[at.next]
		then.next++
		then.sweep, then.node = 0, 0
		if st.call == 0 {
			st.call = leaseOf(at.next + 1)
		}
		if st.do == asks {
			st.lease = st.call
			st.patient = true
		}
		if st.d == 0 && (st.do == asks || st.do == asksMore) {
			st.d = s.hint
		}
		moves = append(moves, move{st, then})
	}
	if at.timeouts < s.timeouts {
		then := at
		then.timeouts++
		for i := range w.calls {
			if c := &w.calls[i]; !c.ended && (c.kind == callRejoin || !s.patient && (c.kind == callAcquire || c.kind == callRenew)) {
				moves = append(moves, move{step{do: isOver, call: c.label}, then})
			}
		}
	}
	return moves
}

func (p plan) isHeld(w *world, m *message, at position) bool {
	for _, h := range p.holds {
		if leaseOf(h.call) == w.calls[m.call].label && h.round == m.round && (h.node == 0 || h.node == m.node+1) && h.copy == (m.copy != 0) {
			return h.until == 0 || at.next < h.until
		}
	}
	return false
}

// hash tells states apart. In which order messages were sent makes no difference any more.
func (s *search) hash(w *world, at position) uint64 {
	h := mixer(14695981039346656037)
	h.add(at.next, at.sweep, at.node, at.timeouts)
	h.add64(w.now)
	for n := range w.rules.nodes {
		nd := &w.nodes[n]
		l := &nd.locks[0]
		h.add64(nd.fence, nd.since, nd.shift, l.Token, l.until)
		h.add(nd.run, nd.marker, l.attempt, l.exec, len(l.ID))
		h.text(l.ID)
		h.flags(nd.down, l.Committed)
	}
	for d := range w.clients {
		h.add64(w.lockds[d].last, w.lockds[d].largest)
	}
	for i := range w.leases {
		l := &w.leases[i]
		h.add(l.attempt, int(l.state), l.busy)
		h.add64(l.told, l.valid)
		for n := range w.rules.nodes {
			h.add64(l.free[n].fence)
			h.add(l.free[n].lockd, l.free[n].run)
		}
	}
	for i := range w.calls {
		c := &w.calls[i]
		h.add(c.label, c.exec, int(c.round))
		h.add64(c.token)
		h.flags(c.ended, c.doubt)
		for n := range w.rules.nodes {
			h.add(int(c.first[n].code), int(c.second[n].code))
			h.add64(c.first[n].token, c.first[n].fence, c.second[n].token)
			h.flags(c.first[n].committed, c.sure[n])
		}
	}
	for _, g := range w.grants {
		h.add64(g.token, g.end, g.forcedDone)
	}
	sum := uint64(h)
	for i := range w.msgs {
		m := &w.msgs[i]
		h := mixer(1099511628211)
		h.add(m.call, m.node, int(m.round), int(m.copy), int(m.request.op))
		h.add64(m.request.token, m.request.want, m.request.fence)
		sum += uint64(h)
	}
	return sum
}

// mixer is a hash in the making.
type mixer uint64

func (h *mixer) add64(values ...int64) {
	for _, v := range values {
		x := (uint64(*h) ^ uint64(v)) * 0x9E3779B97F4A7C15
		*h = mixer(x ^ x>>29)
	}
}

func (h *mixer) add(values ...int) {
	for _, v := range values {
		h.add64(int64(v))
	}
}

func (h *mixer) text(s string) {
	for i := range len(s) {
		h.add64(int64(s[i]))
	}
}

func (h *mixer) flags(flags ...bool) {
	for _, f := range flags {
		if f {
			h.add64(1)
		} else {
			h.add64(2)
		}
	}
}
