package rpc

import (
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/durationpb"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// How a session's message is read that has nothing but plain operations, as nearly all have: two objects for each of
// them, where protobuf makes five to eight. Whatever is rare, unknown or wrong in a message leaves all of it to protobuf, so
// that there is one opinion of what a message may be.

// Wire types, as they stand in a tag below the number of the field.
const (
	number = uint64(protowire.VarintType)
	text   = uint64(protowire.BytesType)
)

// plainRequest reads a message into to, which must be empty. It reports false, and has done nothing, if protobuf
// must read it. Nothing of to is a part of data.
func plainRequest(data []byte, to *lockdv1.SessionRequest) bool {
	const leastOperation = 64 // in bytes, about
	ops := make([]*lockdv1.Operation, 0, 1+len(data)/leastOperation)
	f := fields{rest: data}
	for f.next() {
		if f.tag != 2<<3|text {
			return false
		}
		op := plainOperation(f.bytes)
		if op == nil {
			return false
		}
		ops = append(ops, op)
	}
	if f.bad {
		return false
	}
	to.Operations = ops
	return true
}

// plainOperation answers nil if protobuf must read it, and so do the next three.
func plainOperation(b []byte) *lockdv1.Operation {
	var id, request uint64
	var body []byte
	f := fields{rest: b}
	for f.next() {
		switch f.tag {
		case 1<<3 | number:
			id = f.number
		case 2<<3 | text, 3<<3 | text, 4<<3 | text:
			if request != 0 {
				return nil // two of a kind are one, says protobuf
			}
			request, body = f.tag>>3, f.bytes
		default:
			return nil
		}
	}
	switch {
	case f.bad:
		return nil
	case request == 2:
		return plainAcquire(id, body)
	case request == 3:
		return plainRenew(id, body)
	case request == 4:
		return plainRelease(id, body)
	}
	return nil
}

func plainAcquire(id uint64, b []byte) *lockdv1.Operation {
	m := new(struct {
		op        lockdv1.Operation
		request   lockdv1.Operation_Acquire
		acquire   lockdv1.AcquireRequest
		ttl, wait durationpb.Duration
	})
	var name, leaseID, owner []byte
	f := fields{rest: b}
	for f.next() {
		switch f.tag {
		case 1<<3 | text:
			name = f.text()
		case 2<<3 | text:
			leaseID = f.text()
		case 3<<3 | number:
			m.acquire.Attempt = uint32(f.number)
		case 4<<3 | text:
			owner = f.text()
		case 5<<3 | text:
			m.acquire.Ttl = f.duration(&m.ttl)
		case 6<<3 | text:
			m.acquire.Wait = f.duration(&m.wait)
		case 8<<3 | number:
			m.acquire.Token = int64(f.number)
		default: // metadata, for one
			return nil
		}
	}
	if f.bad {
		return nil
	}
	m.acquire.Name, m.acquire.LeaseId, m.acquire.Owner = texts(name, leaseID, owner)
	m.op.Id, m.op.Request, m.request.Acquire = id, &m.request, &m.acquire
	return &m.op
}

func plainRenew(id uint64, b []byte) *lockdv1.Operation {
	m := new(struct {
		op      lockdv1.Operation
		request lockdv1.Operation_Renew
		renew   lockdv1.RenewRequest
		ttl     durationpb.Duration
	})
	var name, leaseID []byte
	f := fields{rest: b}
	for f.next() {
		switch f.tag {
		case 1<<3 | text:
			name = f.text()
		case 2<<3 | text:
			leaseID = f.text()
		case 3<<3 | text:
			m.renew.Ttl = f.duration(&m.ttl)
		case 4<<3 | number:
			m.renew.Token = int64(f.number)
		default:
			return nil
		}
	}
	if f.bad {
		return nil
	}
	m.renew.Name, m.renew.LeaseId, _ = texts(name, leaseID, nil)
	m.op.Id, m.op.Request, m.request.Renew = id, &m.request, &m.renew
	return &m.op
}

func plainRelease(id uint64, b []byte) *lockdv1.Operation {
	m := new(struct {
		op      lockdv1.Operation
		request lockdv1.Operation_Release
		release lockdv1.ReleaseRequest
	})
	var name, leaseID []byte
	f := fields{rest: b}
	for f.next() {
		switch f.tag {
		case 1<<3 | text:
			name = f.text()
		case 2<<3 | text:
			leaseID = f.text()
		default:
			return nil
		}
	}
	if f.bad {
		return nil
	}
	m.release.Name, m.release.LeaseId, _ = texts(name, leaseID, nil)
	m.op.Id, m.op.Request, m.request.Release = id, &m.request, &m.release
	return &m.op
}

// texts copies the texts of one operation into one string, so that a name which stands in line for minutes keeps
// neither its message nor other operations in memory.
func texts(a, b, c []byte) (string, string, string) {
	var all strings.Builder
	all.Grow(len(a) + len(b) + len(c))
	all.Write(a)
	all.Write(b)
	all.Write(c)
	s := all.String()
	return s[:len(a)], s[len(a) : len(a)+len(b)], s[len(a)+len(b):]
}

// fields reads a message field by field.
type fields struct {
	rest   []byte
	tag    uint64 // number of the field, and its wire type in the lowest three bits
	number uint64 // of a number
	bytes  []byte // of a text or a message; a part of rest
	bad    bool   // it is nothing that is plain; next has reported false or will
}

// next reads the next field and reports whether there was one.
func (f *fields) next() bool {
	if len(f.rest) == 0 || f.bad {
		return false
	}
	tag, n := protowire.ConsumeVarint(f.rest)
	if n < 0 {
		f.bad = true
		return false
	}
	f.tag, f.rest = tag, f.rest[n:]
	switch tag & 7 {
	case number:
		f.number, n = protowire.ConsumeVarint(f.rest)
	case text:
		f.bytes, n = protowire.ConsumeBytes(f.rest)
	default:
		n = -1
	}
	if n < 0 {
		f.bad = true
		return false
	}
	f.rest = f.rest[n:]
	return true
}

// text answers the field as a text.
func (f *fields) text() []byte {
	f.bad = f.bad || !utf8.Valid(f.bytes)
	return f.bytes
}

// duration reads the field into d. One that comes twice adds to what the first one said, as always in protobuf.
func (f *fields) duration(d *durationpb.Duration) *durationpb.Duration {
	in := fields{rest: f.bytes}
	for in.next() {
		switch in.tag {
		case 1<<3 | number:
			d.Seconds = int64(in.number)
		case 2<<3 | number:
			d.Nanos = int32(in.number)
		default:
			in.bad = true
		}
	}
	f.bad = f.bad || in.bad
	return d
}
