package model

// An event is something that is counted, so that a run in which nothing happened is no proof.
type event uint8

const (
	grants event = iota
	oneRound
	twoRounds
	failed
	renewed
	losses
	changedTokens
	released
	forced
	undone
	rejoined
	delivered
	messagesLost
	messagesCopied
	nodeCrashes
	nodeWipes
	staleDisks
	nodeJumps
	lockdClocks
	lockdDeaths
	expired

	// Where a rule made a difference. A run branches there.
	differ       // round 1 found nodes that gave different tokens
	otherValue   // a commit found the lease with another token than was reported
	otherLease   // a commit found another lease, or none
	lateAnswer   // a node granted after the verdict
	replays      // the lease id stood already
	lateRequest  // a request was executed after its not_after
	tooLate      // a quorum granted, and the validity was used up
	clocksDiffer // a free name, and the clocks differ
	renewsOther  // a renewal found the lease with another token
	renewsFree   // a renewal found the name free
	undoesOther  // an undo found the lease with another tag
	undoUnsure   // an undo came before the acquisition could arrive no more
	forcesMore   // a force found the lease with another token, or the name free
	heardAmid    // a node was seen free while the renewal was under way
	planted      // a node took a lease in
	plantsAmid   // a node was asked to, and had granted something meanwhile
	amnesia      // a node without memory was asked
	waits        // a node without memory could be repaired, but has not been out for long enough
	repairs      // the fence of a node without memory was behind
	events       // how many there are
)

const firstRule = differ

var eventNames = [events]string{
	grants: "grants", oneRound: "decided in one round", twoRounds: "decided in two rounds", failed: "acquisitions that failed",
	renewed: "renewals", losses: "leases lost", changedTokens: "renewals that found another token", released: "releases",
	forced: "forced", undone: "undone at a node", rejoined: "nodes taken back", delivered: "messages that arrived",
	messagesLost: "messages lost", messagesCopied: "messages that arrived twice", nodeCrashes: "nodes crashed", nodeWipes: "nodes wiped",
	staleDisks: "crashes that lost writes", nodeJumps: "node clocks stepped", lockdClocks: "lockd clocks stepped",
	lockdDeaths: "lockds that died", expired: "leases that ran out at a node",

	differ: "nodes gave different tokens", otherValue: "a commit met another value", otherLease: "a commit met another lease, or none",
	lateAnswer: "a node granted after the verdict", replays: "the lease id stood already", lateRequest: "a request came late",
	tooLate: "the validity was used up", clocksDiffer: "the clocks differed", renewsOther: "a renewal met another token",
	renewsFree: "a renewal met a free name", undoesOther: "an undo met another tag", undoUnsure: "an undo came early",
	forcesMore: "a force met another token, or none", heardAmid: "a node was seen free amid a renewal", planted: "a node took a lease in",
	plantsAmid: "a repair met another fence", amnesia: "a node without memory was asked", waits: "a node without memory had to wait",
	repairs: "a fence was repaired",
}

// tally counts events.
type tally [events]int

func (t *tally) add(u tally) {
	for e, n := range u {
		t[e] += n
	}
}

// saw counts an event, and notes that a rule has made a difference.
func (w *world) saw(e event) {
	w.tally[e]++
	if e >= firstRule {
		w.bit |= 1 << (e - firstRule)
	}
}
