package lockd

import (
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// How the messages of lockd.proto that a busy client sends are written: each function appends a field. What is
// zero is left out, as proto3 has it.

// The numbers of lockd.proto.
const (
	sentOperations = 2
	sentCancels    = 3
	sentResumed    = 4

	operationID      = 1
	operationAcquire = 2
	operationRenew   = 3
	operationRelease = 4
)

// open begins a message in a field, and returns where it begins; shut must follow when it is written.
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

func appendText(b []byte, field protowire.Number, text string) []byte {
	if text == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), text)
}

func appendNumber(b []byte, field protowire.Number, n uint64) []byte {
	if n == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), n)
}

// appendDuration appends a google.protobuf.Duration, also if it is zero.
func appendDuration(b []byte, field protowire.Number, d time.Duration) []byte {
	b, begin := open(b, field)
	b = appendNumber(b, 1, uint64(d/time.Second))
	b = appendNumber(b, 2, uint64(d%time.Second))
	return shut(b, begin)
}

// operation is what is asked for on a stream.
type operation interface {
	// write appends it to a message.
	write(b []byte, id uint64) []byte
}

func (a *acquisition) write(b []byte, id uint64) []byte {
	b, operation := open(b, sentOperations)
	b = appendNumber(b, operationID, id)
	b, request := open(b, operationAcquire)
	b = appendText(b, 1, a.name)
	b = appendText(b, 2, a.id)
	b = appendNumber(b, 3, uint64(a.attempts))
	b = appendText(b, 4, a.client.owner)
	if a.ttl != nil {
		b = appendDuration(b, 5, *a.ttl)
	}
	if wait := a.asked(); wait > 0 {
		b = appendDuration(b, 6, wait)
	}
	for key, value := range a.metadata {
		var entry int
		b, entry = open(b, 7)
		b = appendText(appendText(b, 1, key), 2, value)
		b = shut(b, entry)
	}
	return shut(shut(b, request), operation)
}

// renewing is the renewal of a lease.
type renewing struct{ *Lease }

func (l renewing) write(b []byte, id uint64) []byte {
	b, operation := open(b, sentOperations)
	b = appendNumber(b, operationID, id)
	b, request := open(b, operationRenew)
	b = appendText(b, 1, l.name)
	b = appendText(b, 2, l.id)
	if l.asked != nil {
		b = appendDuration(b, 3, *l.asked)
	}
	b = appendNumber(b, 4, uint64(l.token))
	return shut(shut(b, request), operation)
}

// releasing is a release.
type releasing struct{ name, id string }

func (r *releasing) write(b []byte, id uint64) []byte {
	b, operation := open(b, sentOperations)
	b = appendNumber(b, operationID, id)
	b, request := open(b, operationRelease)
	b = appendText(appendText(b, 1, r.name), 2, r.id)
	return shut(shut(b, request), operation)
}

func appendResumed(b []byte, held holding) []byte {
	b, begin := open(b, sentResumed)
	b = appendNumber(appendText(b, 1, held.name), 2, uint64(held.token))
	return shut(b, begin)
}

func appendCancels(b []byte, ids []uint64) []byte {
	b, begin := open(b, sentCancels)
	for _, id := range ids {
		b = protowire.AppendVarint(b, id)
	}
	return shut(b, begin)
}
