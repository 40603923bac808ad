package memstore

import (
	"cmp"
	"slices"

	"github.com/lockd/lockd/internal/lease"
)

// journal has leases in the order of their tokens, which is that of their grants. A lease never
// moves in it, so whoever reads on after the last token seen misses none that stood throughout.
//
// A removed lease leaves a gap. When gaps are in the majority all are closed at once, which costs
// what as many removals have saved.
type journal struct {
	slots []slot
	gaps  int
}

// slot is a lease and its token, which stays when the lease has gone: search needs it.
type slot struct {
	token lease.Token
	lease *entry // nil: a gap
}

// fewGaps are not worth closing.
const fewGaps = 64

// add appends e, whose token is larger than all before.
func (j *journal) add(e *entry) {
	j.slots = append(j.slots, slot{e.token, e})
}

// remove takes out the lease with this token, which must be there.
func (j *journal) remove(token lease.Token) {
	at, _ := j.search(token)
	j.slots[at].lease = nil
	j.gaps++
	if j.gaps > fewGaps && j.gaps > len(j.slots)/2 {
		j.close()
	}
}

// close closes the gaps, in an array of its own so that the room is given back.
func (j *journal) close() {
	slots := make([]slot, 0, len(j.slots)-j.gaps)
	for _, s := range j.slots {
		if s.lease != nil {
			slots = append(slots, s)
		}
	}
	j.slots, j.gaps = slots, 0
}

// after answers what follows token, gaps included.
func (j *journal) after(token lease.Token) []slot {
	at, found := j.search(token)
	if found {
		at++
	}
	return j.slots[at:]
}

func (j *journal) search(token lease.Token) (int, bool) {
	return slices.BinarySearchFunc(j.slots, token, func(s slot, token lease.Token) int {
		return cmp.Compare(s.token, token)
	})
}
