package rpc

import (
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
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
	b, answer := open(b, 2)
	b = appendNumber(b, 1, i.op)
	var result int
	switch {
	case i.grant != nil:
		b, result = open(b, 2)
		b = appendLease(b, 1, &i.grant.Lease)
		b = appendDuration(b, 2, i.grant.Waited)
	case i.renewed != nil:
		b, result = open(b, 3)
		b = appendLease(b, 1, i.renewed)
	default:
		b, result = open(b, 4)
		b = appendNumber(b, 1, uint64(encodeOutcome(i.released)))
	}
	return shut(shut(b, result), answer)
}

func appendLease(b []byte, field protowire.Number, l *lease.Lease) []byte {
	b, begin := open(b, field)
	b = appendText(b, 1, l.Name)
	b = appendNumber(b, 2, uint64(l.Token))
	b = appendText(b, 3, l.Owner)
	b = appendText(b, 4, l.Principal)
	b = appendSeconds(b, 5, l.Since.Unix(), int64(l.Since.Nanosecond()))
	b = appendDuration(b, 6, l.TTL)
	b = appendDuration(b, 7, l.Left)
	for key, value := range l.Metadata {
		var entry int
		b, entry = open(b, 8)
		b = shut(appendText(appendText(b, 1, key), 2, value), entry)
	}
	return shut(b, begin)
}

// appendDuration appends a google.protobuf.Duration, also if it is zero.
func appendDuration(b []byte, field protowire.Number, d time.Duration) []byte {
	return appendSeconds(b, field, int64(d/time.Second), int64(d%time.Second))
}

// appendSeconds appends a google.protobuf.Duration or Timestamp.
func appendSeconds(b []byte, field protowire.Number, seconds, nanos int64) []byte {
	b, begin := open(b, field)
	b = appendNumber(b, 1, uint64(seconds))
	b = appendNumber(b, 2, uint64(nanos))
	return shut(b, begin)
}

func appendNumber(b []byte, field protowire.Number, n uint64) []byte {
	if n == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), n)
}

// appendText has text be UTF-8: one that is not, which a store may hold that somebody else wrote to, would end its reader's stream.
func appendText(b []byte, field protowire.Number, text string) []byte {
	if text == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), strings.ToValidUTF8(text, "\uFFFD"))
}

// open begins a message in a field, and answers where it begins; shut must follow when it is written.
func open(b []byte, field protowire.Number) ([]byte, int) {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	b = append(b, 0) // its length, which nearly always is one byte or two
	return b, len(b)
}

func shut(b []byte, begin int) []byte {
	length := uint64(len(b) - begin)
	if more := protowire.SizeVarint(length) - 1; more > 0 {
		b = append(b, "123456789"[:more]...)
		copy(b[begin+more:], b[begin:])
	}
	protowire.AppendVarint(b[:begin-1], length)
	return b
}
