// Package ballot says how the answers of independent nodes become one fencing token: what a node answers, and what
// follows from the answers. It is pure, so that the store that runs on it and the model that tries every order
// of events decide by the same lines.
//
// # The rule
//
// Each node keeps a fence: the last token that it gave, for whatever name. Asked for a lease with a proposal, the
// same for all nodes, a node where the name is free raises its fence (Grant) and answers it. If a whole quorum
// answered the same token, that is the lease's: one round. Otherwise the largest is, and a second round writes it
// back to the nodes that granted, each only where the very value that it reported still stands (Commit).
//
// # Why tokens increase
//
// A lease X with token T is decided by a quorum W in which each node held X, from the value that it reported on,
// when its fence was T or more: the node gave T itself, or Commit raised it. Let W' have decided Y for the same
// name. Some node n is in both and held one after the other, say X first. It gave Y a token above its fence, so
// above T, and the token of Y is no less than what n gave. No clock enters this, only that no fence goes back; the
// proposal is a hint that makes the first round suffice nearly always.
package ballot

// Quorum is how many of n nodes decide: any two quorums share a node.
func Quorum(n int) int { return n/2 + 1 }

// Propose answers a token for all nodes to give: no less than the clock in µs, so that tokens grow over a loss of
// all fences as well, and larger than the last proposal made here and every fence seen.
func Propose(clock, last, seen int64) int64 { return max(clock, last+1, seen+1) }

// Grant is the token that a node with this fence gives, and its fence from then on.
func Grant(fence, proposal int64) int64 { return max(fence+1, proposal) }

// Value is what a node keeps on a name.
type Value struct {
	ID        string // the lease's; "": the name is free
	Token     int64  // that the node gave, or that was committed
	Committed bool
}

// Commit is the second round at a node: where the value that was reported still stands, token is the lease's from
// then on. It answers what stands and the fence after it, and whether it was done. The lease id alone would not
// do: a lease that ran out, and was granted anew by a late copy of its first round, has another value. And a node that
// gave a larger token has granted something since the token was agreed on, or the lease was ended by force there.
func Commit(now, reported Value, fence, token int64) (Value, int64, bool) {
	if now.ID == "" || now.ID != reported.ID || now.Token != reported.Token || now.Token > token {
		return now, fence, false
	}
	return Value{ID: now.ID, Token: token, Committed: true}, max(fence, token), true
}

// MayPlant reports whether a node may take in a lease that a quorum has, and it has not. The order matters: first
// the node was seen with the name free, this fence and this run; then a renewal of the lease was confirmed by a
// quorum; now, if nothing was granted there since (a grant on any name raises the fence), nobody else can have
// had the name there meanwhile. The node counts from the next round on.
func MayPlant(now Value, fence, fenceSeen int64, run, runSeen string) bool {
	return now.ID == "" && fence == fenceSeen && run == runSeen
}

// Kind is what an answer says.
type Kind int

// The zero Answer is that of a node that has not answered, and may have done what it was asked or may do it yet.
const (
	Silent  Kind = iota
	Refused      // certainly not done: another's lease stands, or the name is free where the lease should stand
	Stands       // the lease id stands there, as Token and Committed say
)

// Answer is what one node said.
type Answer struct {
	Kind      Kind
	Token     int64
	Committed bool
	Fresh     bool // granted by this very execution; a value that stood before may be of another one
}

// Verdict is what follows from the answers of a round.
type Verdict int

// What follows.
const (
	Open    Verdict = iota // nothing yet: those who are silent may still decide it
	Decided                // a quorum has the lease with the token
	Commit2                // a quorum has the lease: write the token back, then ask Committed
	Failed                 // no quorum can have the lease with the token: undo
)

// Granted judges the first round of an acquisition: answers has one for each of the n nodes. A single round is enough
// only if a whole quorum gave, or had committed, the same token. Merely granted by a quorum is not: two
// leases could carry one token.
func Granted(answers []Answer) (Verdict, int64) {
	q := Quorum(len(answers))
	sure := func(a Answer) bool { return a.Fresh || a.Committed }
	if token, n := commonest(answers, sure); n >= q {
		return Decided, token
	}
	stands := count(answers, Stands)
	switch {
	case stands >= q:
		if token, n := commonest(answers, anybody); n >= q {
			return Commit2, token // stood before, as it may have been decided
		}
		return Commit2, largest(answers, anybody)
	case stands+count(answers, Silent) < q:
		return Failed, 0
	}
	return Open, 0
}

// Committed judges a second round: each node that did it answers Stands, Committed, with the token.
func Committed(answers []Answer, token int64) Verdict {
	q := Quorum(len(answers))
	done, silent := 0, count(answers, Silent)
	for _, a := range answers {
		if a.Kind == Stands && a.Committed && a.Token == token {
			done++
		}
	}
	switch {
	case done >= q:
		return Decided
	case done+silent < q:
		return Failed
	}
	return Open
}

// Renewed judges a renewal: which token is renewed, and whether by a quorum that has it. told is the token that the
// client says it was told, or 0. Nodes that have the lease id with another token, uncommitted, do not count
// until they have committed (Commit2). Failed is final: no quorum has it.
func Renewed(answers []Answer, told int64) (Verdict, int64) {
	q := Quorum(len(answers))
	token := tokenOf(answers, told)
	has, may := 0, 0
	for _, a := range answers {
		switch {
		case a.Kind != Stands:
		case a.Token == token:
			has++
		case !a.Committed && a.Token < token:
			may++
		}
	}
	silent := count(answers, Silent)
	if has+silent == 0 {
		may = 0 // the lease id was granted anew, which is another lease
	}
	switch {
	case has >= q:
		return Decided, token
	case has > 0 && has+may >= q:
		return Commit2, token
	case has+may+silent < q:
		return Failed, token
	}
	return Open, token
}

// tokenOf is the token of a lease that is not being granted: what its client was told; or what a quorum has; or else
// what was committed, before what nodes merely gave; of several the largest.
func tokenOf(answers []Answer, told int64) int64 {
	if told != 0 {
		return told
	}
	if token, n := commonest(answers, anybody); n >= Quorum(len(answers)) {
		return token
	}
	if token := largest(answers, func(a Answer) bool { return a.Committed }); token != 0 {
		return token
	}
	return largest(answers, anybody)
}

// Standing judges what nodes say of one lease id when asked to change nothing: Decided if a quorum has it with one
// token, Failed if none can have, else Open: as far as is known, neither.
func Standing(answers []Answer) (Verdict, int64) {
	q := Quorum(len(answers))
	token, has := commonest(answers, anybody)
	switch {
	case has >= q:
		return Decided, token
	case has+count(answers, Silent) < q:
		return Failed, token
	}
	return Open, token
}

func anybody(Answer) bool { return true }

// commonest answers the token that most have, of those that stand and are among which; of several the largest.
func commonest(answers []Answer, which func(Answer) bool) (token int64, n int) {
	for i, a := range answers {
		if a.Kind != Stands || !which(a) {
			continue
		}
		same := 0
		for _, b := range answers[i:] {
			if b.Kind == Stands && which(b) && b.Token == a.Token {
				same++
			}
		}
		if same > n || same == n && a.Token > token {
			token, n = a.Token, same
		}
	}
	return token, n
}

func largest(answers []Answer, which func(Answer) bool) (token int64) {
	for _, a := range answers {
		if a.Kind == Stands && which(a) {
			token = max(token, a.Token)
		}
	}
	return token
}

func count(answers []Answer, kind Kind) (n int) {
	for _, a := range answers {
		if a.Kind == kind {
			n++
		}
	}
	return n
}
