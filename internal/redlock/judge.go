package redlock

import "time"

// known is what this lockd remembers of a node between two looks. Redis forgets; so what was noticed here counts before what
// a node says of itself.
type known struct {
	run   string    // that was seen last
	fit   time.Time // when it was last seen to remember everything; zero: never
	loss  loss      // that it has not made good yet
	lost  time.Time // when that began, or was noticed
	fence int64     // the largest seen
}

// loss is how a node lost its memory.
type loss string

const (
	wiped    loss = "its marker, its memory or its fence is gone"
	wentBack loss = "its fence went back"
	rerun    loss = "its server was started again, without appendfsync always before and after"
	fresh    loss = "it is new in the group, and what it promised before is not known"
)

// verdict is what follows from a look at a node.
type verdict struct {
	out    string    // why the node may not vote; "": it may
	until  time.Time // when it may again, at the earliest; zero: not by itself
	remedy remedy    // to be applied now
}

// remedy is what a lockd does by itself to a node, compared in one script with what the look found.
type remedy int

const (
	nothing remedy = iota
	adopt          // the next run remembers as well: note that run
	note           // what is on disk when it answers is another than its memory says
	wake           // its time is over, and its fence was made good when that began
	repair         // its time is over: make its fence good, from those who remember
)

// judge says whether a node that has to have this marker may vote, and what would make it whole. It changes k.
//
// A node may vote in the run of its server that its memory names, as long as marker and fence are there and the fence goes
// nowhere but up. In any other run it may have forgotten what was not on disk. A lease that it forgot stands elsewhere for no
// longer than outTime after that run began, and so long the node is out. The server says since when it runs, by a clock that
// may have been stepped; so a loss is taken to be no earlier than when the node was last seen to be fit.
func judge(s seen, marker string, outTime time.Duration, k *known) verdict {
	memory := readMemory(s.memory)
	fence, isNumber := s.fenceValue()
	always := s.node.Persistence == "aof always"
	restarted := k.run != "" && k.run != s.node.RunID
	k.run = s.node.RunID
	switch {
	case s.marker != "" && s.marker != marker:
		return verdict{out: "it is of another group, or of an earlier or later state of this one"}
	case s.marker == "" || s.memory == "" || !isNumber:
		return k.out(s, outTime, repair, wiped, s.at)
	case fence < k.fence:
		return k.out(s, outTime, repair, wentBack, s.at)
	case memory.run != s.node.RunID && !(memory.always && always):
		began := s.at // it named this run when it was last seen
		if restarted || k.fit.IsZero() {
			began = later(s.at.Add(-max(s.uptime-time.Second, 0)), k.fit) // uptime is of whole seconds, rounded in either way
		}
		if restarted {
			k.loss = "" // one more
		}
		return k.out(s, outTime, repair, rerun, began)
	case memory.lost != 0:
		age := time.Duration(s.micros-memory.lost) * time.Microsecond
		return k.out(s, outTime, wake, fresh, later(s.at.Add(-max(age, 0)), k.fit))
	}
	*k = known{run: k.run, fit: s.at, fence: fence}
	switch {
	case memory.run != s.node.RunID:
		return verdict{out: "its server was started again", until: s.at, remedy: adopt}
	case memory.always && !always, !memory.always && s.alwaysOnDisk():
		return verdict{remedy: note}
	}
	return verdict{}
}

// out is the verdict on a node that has lost its memory since began, at the latest. Who has lost it already has nothing more to
// lose in the same way.
func (k *known) out(s seen, outTime time.Duration, by remedy, what loss, began time.Time) verdict {
	if k.loss != what {
		k.loss, k.lost = what, began
	}
	v := verdict{out: string(what), until: k.lost.Add(outTime)}
	if !s.at.Before(v.until) {
		v.remedy = by
	}
	return v
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
