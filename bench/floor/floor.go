// Package floor is what a pair and a renewal cost at least between three processes: a client and a server that
// exchange lockd's messages on lockd's stream, and Redis, which is sent commands as plain as they can be, all
// those of a message in one write. Nothing is checked, nobody waits in line, and what another holds is overwritten: it
// is no lock, only what is left of one when everything is taken away that can be.
package floor

import (
	"time"

	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/lockd/lockd/proto/lockd/v1/wire"
)

// Windows as lockd and its client have them, so that gRPC does not ask how much is under way.
const (
	streamWindow = 256 << 10
	connWindow   = 1 << 20
)

// The numbers of lockd.proto; an answer's result has its operation's number.
const (
	operations = 2
	answers    = 2
	id         = 1
	acquire    = 2
	renew      = 3
	release    = 4
)

// message is one of lockd.proto, as it is on the wire.
type message struct{ data []byte }

// codec passes messages through.
type codec struct{}

// Name implements encoding.CodecV2.
func (codec) Name() string { return proto.Name }

// Marshal implements encoding.CodecV2.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.Copy(v.(*message).data, mem.DefaultBufferPool())}, nil
}

// Unmarshal implements encoding.CodecV2. The array of what was there before is used again.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	m := v.(*message)
	if n := data.Len(); cap(m.data) < n {
		m.data = make([]byte, n)
	} else {
		m.data = m.data[:n]
	}
	data.CopyTo(m.data)
	return nil
}

// operation is as much of one as must be known. Its texts are parts of its message.
type operation struct {
	id            uint64
	kind          protowire.Number
	name, leaseID []byte
}

// each calls f with the fields of a message that are numbers, or texts and messages.
func each(b []byte, f func(field protowire.Number, number uint64, bytes []byte)) {
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		b = b[max(n, 0):]
		var number uint64
		var bytes []byte
		switch {
		case n < 0:
		case kind == protowire.VarintType:
			number, n = protowire.ConsumeVarint(b)
		case kind == protowire.BytesType:
			bytes, n = protowire.ConsumeBytes(b)
		default:
			n = -1
		}
		if n < 0 {
			panic("this is no message of ours") // both sides are
		}
		f(field, number, bytes)
		b = b[n:]
	}
}

// read appends the operations in m.
func (m *message) read(ops []operation) []operation {
	each(m.data, func(field protowire.Number, _ uint64, b []byte) {
		if field != operations {
			return // the hello
		}
		var op operation
		each(b, func(field protowire.Number, number uint64, b []byte) {
			if field == id {
				op.id = number
				return
			}
			op.kind = field
			each(b, func(field protowire.Number, _ uint64, b []byte) {
				switch field {
				case 1:
					op.name = b
				case 2:
					op.leaseID = b
				}
			})
		})
		ops = append(ops, op)
	})
	return ops
}

// ask appends an operation, as lockd's client would.
func ask(b []byte, n uint64, kind protowire.Number, name, leaseID string, ttl time.Duration) []byte {
	b, op := wire.Open(b, operations)
	b = wire.Number(b, id, n)
	b, request := wire.Open(b, kind)
	b = wire.Text(wire.Text(b, 1, name), 2, leaseID)
	switch kind {
	case acquire:
		b = wire.Text(wire.Number(b, 3, 1), 4, owner)
		b = wire.Duration(b, 5, ttl)
	case renew:
		b = wire.Number(wire.Duration(b, 3, ttl), 4, token)
	}
	return wire.Shut(wire.Shut(b, request), op)
}

// What is the same everywhere: a lease of the usual size.
const (
	owner = "root@host:4711"
	token = 1_763_740_000_000_000
)

// answer appends the answer to an operation, as lockd would.
func answer(b []byte, op *operation, now time.Time) []byte {
	b, begin := wire.Open(b, answers)
	b = wire.Number(b, id, op.id)
	b, result := wire.Open(b, op.kind)
	if op.kind == release {
		b = wire.Number(b, 1, 1)
	} else {
		var lease int
		b, lease = wire.Open(b, 1)
		b = protowire.AppendBytes(protowire.AppendTag(b, 1, protowire.BytesType), op.name)
		b = wire.Timestamp(wire.Text(wire.Number(b, 2, token), 3, owner), 5, now)
		b = wire.Shut(wire.Duration(wire.Duration(b, 6, time.Second), 7, time.Second), lease)
	}
	return wire.Shut(wire.Shut(b, result), begin)
}
