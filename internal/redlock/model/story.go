package model

import "fmt"

// A story is a run as people read it: what happened, one line each, with the time in ms.

func (w *world) tell(format string, args ...any) {
	if w.story != nil {
		*w.story = append(*w.story, fmt.Sprintf("%7d  ", w.now)+fmt.Sprintf(format, args...))
	}
}

var callNames = [...]string{callAcquire: "acquire", callRenew: "renewal", callRelease: "release", callUndo: "undo", callForce: "force", callRejoin: "repair of the fence"}

var opNames = [...]string{
	opAcquire: "acquire", opCommit: "commit", opRenew: "renewal", opRelease: "release", opUndo: "undo", opForce: "force",
	opPlant: "repair", opRead: "reading of the fence", opAdmit: "taking back",
}

var codeNames = [...]string{
	nothing: "no answer", granted: "granted", mine: "stands", held: "another's", superseded: "superseded", lost: "lost", late: "too late",
	skewed: "clocks differ", noMemory: "no memory", refused: "refused", free: "free", done: "done",
}

func (w *world) nameOf(m message) string {
	s := opNames[m.request.op]
	if m.request.id != "" {
		s += " of " + m.request.id
	}
	if m.copy != 0 {
		s += " (a copy)"
	}
	return s
}

func (w *world) tellMessage(what string, i int) {
	if w.story == nil {
		return
	}
	m := w.msgs[i]
	side := "to"
	if m.reply {
		side = "the answer from"
	}
	w.tell("the %s, %s n%d, %s", w.nameOf(m), side, m.node+1, what)
}

func (w *world) tellAnswer(m message, a answer) {
	if w.story == nil {
		return
	}
	q := m.request
	ask := ""
	switch q.op {
	case opAcquire:
		ask = fmt.Sprintf(", proposal %d", q.token)
	case opCommit:
		ask = fmt.Sprintf(", %d becomes %d", q.token, q.want)
	case opPlant:
		ask = fmt.Sprintf(", if the fence is still %d", q.fence)
	case opAdmit:
		ask = fmt.Sprintf(", fence at least %d", q.fence)
	}
	says := codeNames[a.code]
	if a.token != 0 {
		says += fmt.Sprintf(" with %d", a.token)
	}
	w.tell("n%d executes the %s%s: %s (fence %d)", m.node+1, w.nameOf(m), ask, says, w.nodes[m.node].fence)
}
