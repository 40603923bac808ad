package rpc

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// inGeneratedCode is what i says, as generated code would have it.
func inGeneratedCode(i item) *lockdv1.SessionResponse {
	a := &lockdv1.Answer{Id: i.op}
	switch {
	case i.grant != nil:
		a.Result = &lockdv1.Answer_Acquired{Acquired: encodeGrant(*i.grant)}
	case i.renewed != nil:
		a.Result = &lockdv1.Answer_Renewed{Renewed: encodeRenewal(*i.renewed)}
	default:
		a.Result = &lockdv1.Answer_Released{Released: &lockdv1.ReleaseResponse{Outcome: encodeOutcome(i.released)}}
	}
	return answering(a)
}

// writeBothWays compares what is written by hand with protobuf.
func writeBothWays(t *testing.T, i item) {
	t.Helper()
	p := new(parcel)
	p.add(&i, nil)
	want := new(lockdv1.SessionResponse)
	if err := proto.Unmarshal(marshal(t, inGeneratedCode(i)), want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, message(t, p), protocmp.Transform()); diff != "" {
		t.Errorf("written by hand (-want +got):\n%s", diff)
	}
}

func largestLease() lease.Lease {
	return lease.Lease{
		Name: strings.Repeat("n", 256), Token: lease.MaxToken - 1, Owner: strings.Repeat("ä", 128), Principal: "somebody",
		Since: time.Unix(math.MaxInt32, 999_999_999), TTL: math.MaxInt64, Left: time.Hour + 1,
		MaxHold: math.MaxInt64, HoldLeft: math.MaxInt64 - 1,
		Metadata: map[string]string{"": "", "k": "v", strings.Repeat("k", 500): strings.Repeat("v", 500)},
	}
}

func TestAnswersAreWrittenAsProtobufWould(t *testing.T) {
	large, odd := largestLease(), lease.Lease{Since: time.Unix(-1, 1), TTL: -1500 * time.Millisecond, Left: math.MinInt64}
	for _, l := range []*lease.Lease{new(lease.Lease), &large, &odd} {
		for _, op := range []uint64{0, 1, math.MaxUint64} {
			writeBothWays(t, item{op: op, grant: &lease.Grant{Lease: *l, Waited: l.TTL}})
			writeBothWays(t, item{op: op, renewed: l})
		}
	}
	for _, o := range []lease.Outcome{lease.Held, lease.Gone, lease.HeldByOther, 99} {
		writeBothWays(t, item{op: 1, released: o})
	}
}

func FuzzWrite(f *testing.F) {
	f.Add(uint64(1), "job", "me", "", "k", "v", int64(7), int64(1_700_000_000), int64(1), int64(30e9), int64(-1))
	l := largestLease()
	f.Add(uint64(math.MaxUint64), l.Name, l.Owner, l.Principal, strings.Repeat("k", 127), strings.Repeat("v", 128), int64(l.Token), int64(-1), int64(-1), int64(l.TTL), int64(0))
	f.Fuzz(func(t *testing.T, op uint64, name, owner, principal, key, value string, token, seconds, nanos, ttl, left int64) {
		for _, s := range []*string{&name, &owner, &principal, &key, &value} {
			*s = strings.ToValidUTF8(*s, "\uFFFD")
		}
		l := lease.Lease{
			Name: name, Token: lease.Token(token), Owner: owner, Principal: principal, Since: time.Unix(seconds, nanos),
			TTL: time.Duration(ttl), Left: time.Duration(left), Metadata: map[string]string{key: value, "": key},
			MaxHold: time.Duration(ttl), HoldLeft: time.Duration(left),
		}
		writeBothWays(t, item{op: op, grant: &lease.Grant{Lease: l, Waited: time.Duration(left)}})
		writeBothWays(t, item{op: op, renewed: &l})
	})
}

// What is put together is one message, in the order put.
func TestAMessageIsWhatWasPutOneAfterTheOther(t *testing.T) {
	o := newOutbox()
	defer o.close()
	lost := &lockdv1.Lost{Name: "a", Token: 7}
	l := largestLease()
	grant := &lease.Grant{Lease: l}
	o.put(item{op: 1, grant: grant, final: true}, nil)
	o.put(item{}, &lockdv1.SessionResponse{Lost: []*lockdv1.Lost{lost}})
	o.put(item{unhurried: true}, answering(&lockdv1.Answer{Id: 2, Result: &lockdv1.Answer_Queued{Queued: new(lockdv1.Held)}}))
	o.put(item{op: 3, released: lease.Gone, final: true}, nil)
	o.put(item{}, &lockdv1.SessionResponse{Draining: true})
	p := o.take()
	want := &lockdv1.SessionResponse{Lost: []*lockdv1.Lost{lost}, Draining: true, Answers: []*lockdv1.Answer{
		inGeneratedCode(item{op: 1, grant: grant}).GetAnswers()[0],
		{Id: 2, Result: &lockdv1.Answer_Queued{Queued: new(lockdv1.Held)}},
		inGeneratedCode(item{op: 3, released: lease.Gone}).GetAnswers()[0],
	}}
	if diff := cmp.Diff(want, message(t, p), protocmp.Transform()); diff != "" || p.items != 5 || p.finals != 2 || len(p.grants) != 1 {
		t.Errorf("%d items, %d final, %d grants, want 5, 2 and 1; the message (-want +got):\n%s", p.items, p.finals, len(p.grants), diff)
	}
}

// A store that somebody else wrote to must not end a session: a text that is not UTF-8 would.
func TestATextThatIsNotUTF8IsMended(t *testing.T) {
	p := new(parcel)
	p.add(&item{op: 1, renewed: &lease.Lease{Name: "a", Owner: "b\xff", Metadata: map[string]string{"\xff": "\xff"}}}, nil)
	got := message(t, p).GetAnswers()[0].GetRenewed().GetLease()
	if got.GetName() != "a" || got.GetOwner() != "b\uFFFD" || got.GetMetadata()["\uFFFD"] != "\uFFFD" {
		t.Errorf("the lease is told as %v, want U+FFFD for what is not UTF-8", got)
	}
}

// What protobuf cannot write is a fault of the whole message, as if gRPC had not taken it.
func TestAMessageThatCannotBeWrittenIsNotSent(t *testing.T) {
	p := new(parcel)
	p.add(&item{op: 1, released: lease.Held}, nil)
	p.add(&item{}, answering(&lockdv1.Answer{Result: &lockdv1.Answer_Queued{Queued: &lockdv1.Held{Lease: &lockdv1.Lease{Owner: "\xff"}}}}))
	if data, err := newCodec().Marshal(p); err == nil {
		t.Errorf("Marshal = %d bytes of a message with a text that is not UTF-8, want an error", data.Len())
	}
}
