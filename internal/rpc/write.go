package rpc

import (
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/proto/lockd/v1/wire"
)

// How what a session says is written. A protobuf message is its fields one after the other, so each item is appended to the
// message that it goes with, and there is no object for it. Each function appends a field; what is zero is left out,
// as proto3 has it.

// item is something to tell a client. If it is a frequent answer, it says so itself: one of the first three.
type item struct {
	grant    *lease.Grant // it goes back if it cannot be sent
	renewed  *lease.Lease
	released lease.Outcome // if the others are nil
	op       uint64        // which operation is answered so

	final     bool // it is its operation's last answer
	unhurried bool // nobody is held up by it
}

// answering is an answer that is rare.
func answering(a *lockdv1.Answer) *lockdv1.SessionResponse {
	return &lockdv1.SessionResponse{Answers: []*lockdv1.Answer{a}}
}

// write appends the answer that i is.
func (i *item) write(b []byte) []byte {
	b, answer := wire.Open(b, 2)
	b = wire.Number(b, 1, i.op)
	var result int
	switch {
	case i.grant != nil:
		b, result = wire.Open(b, 2)
		b = appendLease(b, 1, &i.grant.Lease)
		b = wire.Duration(b, 2, i.grant.Waited)
	case i.renewed != nil:
		b, result = wire.Open(b, 3)
		b = appendLease(b, 1, i.renewed)
	default:
		b, result = wire.Open(b, 4)
		b = wire.Number(b, 1, uint64(encodeOutcome(i.released)))
	}
	return wire.Shut(wire.Shut(b, result), answer)
}

func appendLease(b []byte, field protowire.Number, l *lease.Lease) []byte {
	b, begin := wire.Open(b, field)
	b = wire.Text(b, 1, valid(l.Name))
	b = wire.Number(b, 2, uint64(l.Token))
	b = wire.Text(b, 3, valid(l.Owner))
	b = wire.Text(b, 4, valid(l.Principal))
	b = wire.Timestamp(b, 5, l.Since)
	b = wire.Duration(b, 6, l.TTL)
	b = wire.Duration(b, 7, l.Left)
	for key, value := range l.Metadata {
		b = wire.Entry(b, 8, valid(key), valid(value))
	}
	if l.MaxHold > 0 {
		b = wire.Duration(b, 9, l.MaxHold)
		b = wire.Duration(b, 10, l.HoldLeft)
	}
	return wire.Shut(b, begin)
}

// valid has text be UTF-8: one that is not, which a store may hold that somebody else wrote to, would end its reader's stream.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }
