package lockd

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/lockd/lockd/proto/lockd/v1/wire"
)

// How the messages of lockd.proto that a busy client sends are written.

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

// operation is what is asked for on a stream.
type operation interface {
	// write appends it to a message.
	write(b []byte, id uint64) []byte
}

func (a *acquisition) write(b []byte, id uint64) []byte {
	b, operation := wire.Open(b, sentOperations)
	b = wire.Number(b, operationID, id)
	b, request := wire.Open(b, operationAcquire)
	b = wire.Text(b, 1, a.name)
	b = wire.Text(b, 2, a.id)
	b = wire.Number(b, 3, uint64(a.attempts))
	b = wire.Text(b, 4, a.client.owner)
	if a.ttl != nil {
		b = wire.Duration(b, 5, *a.ttl)
	}
	if wait := a.asked(); wait > 0 {
		b = wire.Duration(b, 6, wait)
	}
	for key, value := range a.metadata {
		b = wire.Entry(b, 7, key, value)
	}
	return wire.Shut(wire.Shut(b, request), operation)
}

// renewing is the renewal of a lease.
type renewing struct{ *Lease }

func (l renewing) write(b []byte, id uint64) []byte {
	b, operation := wire.Open(b, sentOperations)
	b = wire.Number(b, operationID, id)
	b, request := wire.Open(b, operationRenew)
	b = wire.Text(b, 1, l.name)
	b = wire.Text(b, 2, l.id)
	if l.asked != nil {
		b = wire.Duration(b, 3, *l.asked)
	}
	b = wire.Number(b, 4, uint64(l.token))
	return wire.Shut(wire.Shut(b, request), operation)
}

// releasing is a release.
type releasing struct{ name, id string }

func (r *releasing) write(b []byte, id uint64) []byte {
	b, operation := wire.Open(b, sentOperations)
	b = wire.Number(b, operationID, id)
	b, request := wire.Open(b, operationRelease)
	b = wire.Text(wire.Text(b, 1, r.name), 2, r.id)
	return wire.Shut(wire.Shut(b, request), operation)
}

func appendResumed(b []byte, held holding) []byte {
	b, begin := wire.Open(b, sentResumed)
	b = wire.Number(wire.Text(b, 1, held.name), 2, uint64(held.token))
	return wire.Shut(b, begin)
}

func appendCancels(b []byte, ids []uint64) []byte {
	b, begin := wire.Open(b, sentCancels)
	for _, id := range ids {
		b = protowire.AppendVarint(b, id)
	}
	return wire.Shut(b, begin)
}
