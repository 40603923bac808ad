package lockd

import (
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// The numbers of lockd.proto.
const (
	receivedAnswers  = 2
	receivedLost     = 3
	receivedDraining = 4
	receivedAsked    = 5
	receivedHolds    = 6

	answerID       = 1
	answerAcquired = 2
	answerRenewed  = 3
	answerReleased = 4
	answerQueued   = 6 // the last of the results
)

// fields reads a message field by field.
type fields struct {
	rest   []byte
	field  protowire.Number
	number uint64 // of a field that is one
	bytes  []byte // of a field that is a text or a message; it is a part of rest
	err    error
}

// next reads the next field and reports whether there was one. Those of a kind that this package does not know are read
// over.
func (f *fields) next() bool {
	if len(f.rest) == 0 || f.err != nil {
		return false
	}
	field, kind, n := protowire.ConsumeTag(f.rest)
	if n < 0 {
		return f.fail(n)
	}
	f.field, f.number, f.bytes, f.rest = field, 0, nil, f.rest[n:]
	switch kind {
	case protowire.VarintType:
		f.number, n = protowire.ConsumeVarint(f.rest)
	case protowire.BytesType:
		f.bytes, n = protowire.ConsumeBytes(f.rest)
	default:
		f.field = 0
		n = protowire.ConsumeFieldValue(field, kind, f.rest)
	}
	if n < 0 {
		return f.fail(n)
	}
	f.rest = f.rest[n:]
	return true
}

func (f *fields) fail(n int) bool {
	f.err = protowire.ParseError(n)
	return false
}

// answer is what lockd said, and when that was heard, or how the stream ended.
type answer struct {
	kind protowire.Number // of the result; 0: none
	// What is frequent was read for the call that it answers.
	terms   terms
	outcome lockdv1.ReleaseResponse_Outcome
	rest    *lockdv1.Answer // what is not; else nil

	came instant
	err  error
}

// terms is what an answer says of a lease.
type terms struct {
	named       bool // it is one of the name that was asked for
	token       int64
	owner       string
	ttl, waited time.Duration

	maxHold, holdLeft time.Duration // both 0: nothing bounds it
}

// readAnswer reads an answer as far as must be known to find its call: body is the result. What else a lockd of
// tomorrow adds is none.
func readAnswer(b []byte) (id uint64, kind protowire.Number, body []byte, err error) {
	f := fields{rest: b}
	for f.next() {
		if f.field == answerID {
			id = f.number
		} else if f.field <= answerQueued && f.bytes != nil { // the last one counts, as always in protobuf
			kind, body = f.field, f.bytes
		}
	}
	return id, kind, body, f.err
}

// read reads the answer to c, whole of which is b and whose result is body.
func (a *answer) read(c *call, b, body []byte) error {
	f := fields{rest: body}
	switch a.kind {
	case answerAcquired, answerRenewed:
		for f.next() {
			switch f.field {
			case 1:
				f.err = a.terms.read(c, f.bytes)
			case 2:
				a.terms.waited, f.err = readDuration(f.bytes)
			}
		}
	case answerReleased:
		for f.next() {
			if f.field == 1 {
				a.outcome = lockdv1.ReleaseResponse_Outcome(f.number)
			}
		}
	default:
		a.rest = new(lockdv1.Answer)
		return proto.Unmarshal(b, a.rest)
	}
	return f.err
}

func (t *terms) read(c *call, lease []byte) error {
	f := fields{rest: lease}
	for f.next() {
		switch f.field {
		case 1:
			t.named = string(f.bytes) == c.name
		case 2:
			t.token = int64(f.number)
		case 3:
			if t.owner = c.owner; string(f.bytes) != c.owner { // it nearly always is
				t.owner = string(f.bytes)
			}
		case 6:
			t.ttl, f.err = readDuration(f.bytes)
		case 9:
			t.maxHold, f.err = readDuration(f.bytes)
		case 10:
			t.holdLeft, f.err = readDuration(f.bytes)
		}
	}
	return f.err
}

func readDuration(b []byte) (time.Duration, error) {
	var d durationpb.Duration
	f := fields{rest: b}
	for f.next() {
		switch f.field {
		case 1:
			d.Seconds = int64(f.number)
		case 2:
			d.Nanos = int32(f.number)
		}
	}
	return d.AsDuration(), f.err
}

// termsIn returns what a unary answer says of a lease of name.
func termsIn(lease *lockdv1.Lease, name string) terms {
	return terms{
		named: lease.GetName() == name, token: lease.GetToken(), owner: lease.GetOwner(), ttl: lease.GetTtl().AsDuration(),
		maxHold: lease.GetMaxHold().AsDuration(), holdLeft: lease.GetHoldEndsIn().AsDuration(),
	}
}
