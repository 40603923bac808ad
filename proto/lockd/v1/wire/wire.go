// Package wire appends fields of protobuf messages, for the few messages of a session that are so frequent that they are
// written by hand, in the client and in the server. Each function appends one field to b and returns it; what
// is zero is left out, as proto3 has it. It is for lockd's own use and promises nothing to others.
package wire

import (
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Open begins a message in a field, and returns where it begins; Shut must follow when it is written.
func Open(b []byte, field protowire.Number) ([]byte, int) {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	b = append(b, 0) // its length, which nearly always is one byte or two
	return b, len(b)
}

// Shut ends the message that begins there, whatever is within it being shut.
func Shut(b []byte, begin int) []byte {
	length := uint64(len(b) - begin)
	if more := protowire.SizeVarint(length) - 1; more > 0 {
		b = append(b, "123456789"[:more]...)
		copy(b[begin+more:], b[begin:])
	}
	protowire.AppendVarint(b[:begin-1], length)
	return b
}

// Text appends a string, which must be UTF-8.
func Text(b []byte, field protowire.Number, text string) []byte {
	if text == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), text)
}

// Number appends an integer or an enumeration.
func Number(b []byte, field protowire.Number, n uint64) []byte {
	if n == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), n)
}

// Entry appends an entry of a map of strings, also if both are empty.
func Entry(b []byte, field protowire.Number, key, value string) []byte {
	b, begin := Open(b, field)
	return Shut(Text(Text(b, 1, key), 2, value), begin)
}

// Duration appends a google.protobuf.Duration, also if it is zero.
func Duration(b []byte, field protowire.Number, d time.Duration) []byte {
	return seconds(b, field, int64(d/time.Second), int64(d%time.Second))
}

// Timestamp appends a google.protobuf.Timestamp, also if it is 1970's first moment.
func Timestamp(b []byte, field protowire.Number, at time.Time) []byte {
	return seconds(b, field, at.Unix(), int64(at.Nanosecond()))
}

func seconds(b []byte, field protowire.Number, seconds, nanos int64) []byte {
	b, begin := Open(b, field)
	return Shut(Number(Number(b, 1, uint64(seconds)), 2, uint64(nanos)), begin)
}
