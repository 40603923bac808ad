package redlock

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// identity is what makes several servers one group. Every member has it in its marker, with its own seat beside it, so
// that two lists of nodes that differ are two groups, whatever the addresses are that the nodes are reached at: a node that is
// not of the group has another marker or none, and of a longer or shorter list the number differs.
type identity struct {
	group      string        // random
	generation int           // counts the changes: who was replaced is of an earlier one
	nodes      int           // how many
	seats      string        // fingerprint of all seats
	longest    time.Duration // that a lease may stand on a node: the longest ttl with its grace
}

// newIdentity is that of a new group of which these are the seats.
func newIdentity(seats []string, maxTTL time.Duration) identity {
	return identity{group: randomHex(16), generation: 1, nodes: len(seats), seats: fingerprint(seats), longest: longestOf(maxTTL)}
}

// longestOf is how long a lease may stand on a node where leases of at most maxTTL are granted.
func longestOf(maxTTL time.Duration) time.Duration { return maxTTL + lease.Grace(maxTTL) }

// outTime is how long a node that has lost its memory is out: as long as it may have forgotten a lease that stands. Clocks
// may run apart by 1 %.
func (i identity) outTime() time.Duration { return i.longest + i.longest/100 }

// quorum is how many of the nodes decide.
func (i identity) quorum() int { return i.nodes/2 + 1 }

// pending and member are the states of a marker. A pending one is of a group that is being founded, and lets nobody vote.
const (
	pending = "pending"
	member  = "member"
)

// marker is the value of the marker key at a seat. Scripts compare it whole.
func (i identity) marker(seat, state string) string {
	return fmt.Sprintf("format=1 group=%s generation=%d nodes=%d seats=%s longest=%d seat=%s state=%s",
		i.group, i.generation, i.nodes, i.seats, i.longest.Milliseconds(), seat, state)
}

// mark is what a marker says.
type mark struct {
	identity
	seat, state string
}

// readMark reads a marker; false if it is none of this format.
func readMark(text string) (mark, bool) {
	var m mark
	var millis int64
	_, err := fmt.Sscanf(text, "format=1 group=%s generation=%d nodes=%d seats=%s longest=%d seat=%s state=%s",
		&m.group, &m.generation, &m.nodes, &m.seats, &millis, &m.seat, &m.state)
	m.longest = time.Duration(millis) * time.Millisecond
	return m, err == nil && m.marker(m.seat, m.state) == text
}

// memory is what a node's memory key says: run is the server's, as of when it was last known to remember all that it
// promised; in another run it may have forgotten.
type memory struct {
	run    string
	always bool  // that run kept everything on disk before it answered, so the next one remembers as well
	lost   int64 // µs of the node's TIME: what it promised before is forgotten, and its fence made good; 0: nothing is
}

func (m memory) String() string {
	return fmt.Sprintf("run=%s always=%t lost=%d", m.run, m.always, m.lost)
}

// readMemory reads a memory key; the zero memory, of no run, if it says nothing.
func readMemory(text string) memory {
	var m memory
	if _, err := fmt.Sscanf(text, "run=%s always=%t lost=%d", &m.run, &m.always, &m.lost); err != nil || m.String() != text {
		return memory{}
	}
	return m
}

func newSeat() string { return randomHex(8) }

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// fingerprint is the same for the same seats in any order.
func fingerprint(seats []string) string {
	sorted := slices.Sorted(slices.Values(seats))
	sum := sha256.Sum256([]byte(strings.Join(sorted, " ")))
	return hex.EncodeToString(sum[:8])
}
