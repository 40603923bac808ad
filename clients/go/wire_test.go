package lockd

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// What is written by hand is what protobuf would have written.
func TestWrite(t *testing.T) {
	long := largest()
	short := &acquisition{client: new(Client), attempt: attempt{way: new(stream)}}
	negative, fine := -1500*time.Millisecond, time.Second+time.Nanosecond
	for name, test := range map[string]struct {
		op   operation
		want *lockdv1.Operation
	}{
		"the largest acquisition": {long, acquiringBy(&lockdv1.AcquireRequest{
			Name: long.name, LeaseId: long.id, Attempt: 1 << 31, Owner: long.client.owner, Metadata: long.metadata,
			Ttl: durationpb.New(*long.ttl), Wait: durationpb.New(1<<62 + 1),
		})},
		"the smallest": {short, acquiringBy(&lockdv1.AcquireRequest{})},
		"a renewal": {renewing{&Lease{name: "job", id: "id", token: 1<<53 - 1, asked: &fine}},
			&lockdv1.Operation{Request: &lockdv1.Operation_Renew{Renew: &lockdv1.RenewRequest{
				Name: "job", LeaseId: "id", Token: 1<<53 - 1, Ttl: durationpb.New(fine),
			}}}},
		"a ttl that lockd refuses": {renewing{&Lease{asked: &negative}},
			&lockdv1.Operation{Request: &lockdv1.Operation_Renew{Renew: &lockdv1.RenewRequest{Ttl: durationpb.New(negative)}}}},
		"a release": {&releasing{"job", "id"},
			&lockdv1.Operation{Request: &lockdv1.Operation_Release{Release: &lockdv1.ReleaseRequest{Name: "job", LeaseId: "id"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			test.want.Id = math.MaxUint64
			var got sessionRequest
			if err := proto.Unmarshal(test.op.write(nil, math.MaxUint64), &got); err != nil {
				t.Fatal(err)
			}
			want := &sessionRequest{Operations: []*lockdv1.Operation{test.want}}
			if diff := cmp.Diff(want, &got, protocmp.Transform()); diff != "" {
				t.Errorf("written (-want +got):\n%s", diff)
			}
		})
	}
}

func acquiringBy(r *lockdv1.AcquireRequest) *lockdv1.Operation {
	return &lockdv1.Operation{Request: &lockdv1.Operation_Acquire{Acquire: r}}
}

// What is read by hand is what protobuf would have read, whatever else a lockd of tomorrow says.
func TestRead(t *testing.T) {
	l := &lockdv1.Lease{
		Name: "job", Token: 1<<53 - 1, Owner: "me", Principal: "p", Since: timestamppb.Now(), Ttl: durationpb.New(-time.Second - 1),
		TtlLeft: durationpb.New(time.Hour), Metadata: map[string]string{"a": "b"}, MaxHold: durationpb.New(time.Hour), HoldEndsIn: durationpb.New(time.Minute + 1),
	}
	l.ProtoReflect().SetUnknown([]byte{0x7d, 1, 2, 3, 4}) // field 15, of 32 bits
	more := &lockdv1.Answer{Result: &lockdv1.Answer_Released{Released: &lockdv1.ReleaseResponse{Outcome: 1}}}
	more.ProtoReflect().SetUnknown([]byte{0x7a, 2, 'h', 'i'}) // field 15, a text
	another := proto.Clone(l).(*lockdv1.Lease)
	another.Name, another.Owner = "jobs", "her"
	for name, test := range map[string]struct {
		a    *lockdv1.Answer
		want answer
	}{
		"granted": {&lockdv1.Answer{Result: &lockdv1.Answer_Acquired{Acquired: &lockdv1.AcquireResponse{Lease: l, Waited: durationpb.New(5)}}},
			answer{kind: 2, terms: terms{named: true, token: 1<<53 - 1, owner: "me", ttl: -time.Second - 1, waited: 5, maxHold: time.Hour, holdLeft: time.Minute + 1}}},
		"another granted": {&lockdv1.Answer{Result: &lockdv1.Answer_Acquired{Acquired: &lockdv1.AcquireResponse{Lease: another}}},
			answer{kind: 2, terms: terms{token: 1<<53 - 1, owner: "her", ttl: -time.Second - 1, maxHold: time.Hour, holdLeft: time.Minute + 1}}},
		"granted nothing": {&lockdv1.Answer{Result: &lockdv1.Answer_Acquired{Acquired: new(lockdv1.AcquireResponse)}}, answer{kind: 2}},
		"renewed": {&lockdv1.Answer{Result: &lockdv1.Answer_Renewed{Renewed: &lockdv1.RenewResponse{Lease: l}}},
			answer{kind: 3, terms: terms{named: true, token: 1<<53 - 1, owner: "me", ttl: -time.Second - 1, maxHold: time.Hour, holdLeft: time.Minute + 1}}},
		"released":           {&lockdv1.Answer{Result: &lockdv1.Answer_Released{Released: &lockdv1.ReleaseResponse{Outcome: 3}}}, answer{kind: 4, outcome: 3}},
		"more than a result": {more, answer{kind: 4, outcome: 1}},
		"refused": {errorOf(7, &lockdv1.Error{Code: 9, Reason: reasonLost}),
			answer{kind: 5, rest: errorOf(7, &lockdv1.Error{Code: 9, Reason: reasonLost})}},
		"queued":  {queuedAt(7, 3), answer{kind: 6, rest: queuedAt(7, 3)}},
		"nothing": {new(lockdv1.Answer), answer{rest: &lockdv1.Answer{Id: 7}}},
	} {
		t.Run(name, func(t *testing.T) {
			test.a.Id = 7
			b, err := proto.Marshal(test.a)
			if err != nil {
				t.Fatal(err)
			}
			id, kind, body, err := readAnswer(b)
			got := answer{kind: kind}
			if err := got.read(&call{name: "job", owner: "me"}, b, body); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(answer{}, terms{}, instant{}), protocmp.Transform()); id != 7 || err != nil || diff != "" {
				t.Errorf("id %d, error %v, (-want +got):\n%s", id, err, diff)
			}
		})
	}
}

// Whatever comes instead of a message is refused or read, and never more.
func FuzzHear(f *testing.F) {
	for _, m := range []*sessionResponse{
		{Draining: true, Answers: []*lockdv1.Answer{grantOf(1, &lockdv1.AcquireRequest{Name: "job"}), queuedAt(2, 1)}},
		{Lost: []*lockdv1.Lost{{Name: "job", Token: 1}}, Answers: []*lockdv1.Answer{errorOf(1, new(lockdv1.Error))}},
	} {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)-1])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l := &link{leases: make(map[holding]*Lease), early: make(map[holding]error)}
		s := newStream(l, nil, func() {}, "a")
		for range 2 {
			c := &call{slots: s.trying, name: "job", until: closing}
			slot(c.slots)
			if _, err := s.begin(c, new(releasing), time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		known := proto.Unmarshal(b, new(sessionResponse))
		if err := s.hear(b); err != nil && known == nil {
			t.Errorf("hear = %v of a message that protobuf reads", err)
		}
		s.watcher.Stop()
	})
}
