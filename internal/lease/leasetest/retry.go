package leasetest

import (
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

var retryTests = []test{
	{"SameLease", testRetrySameLease},
	{"RestartsTTL", testRetryRestartsTTL},
	{"LargerTTL", testRetryLargerTTL},
	{"SmallerTTL", testRetrySmallerTTL},
	{"AfterExpiry", testRetryAfterExpiry},
	{"HeldByOther", testRetryHeldByOther},
	{"Superseded", testRetrySuperseded},
	{"Tags", testRetryTags},
	{"Told", testRetryTold},
	{"ToldLost", testRetryToldLost},
}

// The same lease id again is answered with the same lease: token, owner, metadata and since are
// those of the grant, whatever the retry says.
func testRetrySameLease(t *testing.T, s Subject) {
	a := claim("job")
	first := s.granted(t, a)
	for attempt := range uint32(3) {
		b := again(a, 1+attempt)
		b.Owner, b.Metadata = "another@host:9", map[string]string{"other": "1"}
		sameLease(t, "the retry", s.granted(t, b), first)
	}
	held, _ := s.get(t, "job")
	sameLease(t, "what stands", held, first)
}

// A retry restarts the ttl, also in the grace.
func testRetryRestartsTTL(t *testing.T, s Subject) {
	a := claim("job")
	s.granted(t, a)
	for _, retry := range []lease.Acquisition{a, again(a, 1), again(a, 2)} {
		s.Grace(t, "job")
		wantFresh(t, "the retry", s.granted(t, retry), ttl)
		held, _ := s.get(t, "job")
		wantFresh(t, "Get after the retry", held, ttl)
	}
}

// A retry with a larger ttl sets it.
func testRetryLargerTTL(t *testing.T, s Subject) {
	a := claim("job")
	s.granted(t, a)
	b := again(a, 2)
	b.TTL = 2 * ttl
	wantFresh(t, "the retry", s.granted(t, b), 2*ttl)
	held, _ := s.get(t, "job")
	wantFresh(t, "Get after the retry", held, 2*ttl)
}

// A retry with a smaller ttl, perhaps a late one, answers that ttl and shortens nothing.
func testRetrySmallerTTL(t *testing.T, s Subject) {
	a := claim("job")
	s.granted(t, a)
	b := again(a, 2)
	b.TTL = time.Second
	if l := s.granted(t, b); l.TTL != time.Second {
		t.Errorf("the retry answers a ttl of %s, want %s as asked", l.TTL, time.Second)
	}
	held, _ := s.get(t, "job")
	wantFresh(t, "Get after the retry", held, ttl)
}

// A lease that ran out before anybody was told of it is granted anew under the same lease id.
func testRetryAfterExpiry(t *testing.T, s Subject) {
	a := claim("job")
	first := s.granted(t, a)
	s.Expire(t, "job")
	if second := s.granted(t, again(a, 2)); second.Token <= first.Token {
		t.Errorf("token went from %d to %d, want larger", first.Token, second.Token)
	}
}

// A retry whose lease is over is refused like anybody else while another holds the name.
func testRetryHeldByOther(t *testing.T, s Subject) {
	a := claim("job")
	s.granted(t, a)
	s.Expire(t, "job")
	second := s.granted(t, claim("job"))
	_, err := s.acquire(t, again(a, 2))
	wantHeld(t, "Acquire(retry of an expired one)", err, second)
}

// An attempt that a later one has overtaken does nothing.
func testRetrySuperseded(t *testing.T, s Subject) {
	a := claim("job")
	first := s.granted(t, again(a, 3))
	s.Grace(t, "job")
	for attempt := range uint32(3) {
		late := again(a, attempt)
		late.TTL = 2 * ttl
		_, err := s.acquire(t, late)
		wantErr(t, "Acquire(overtaken)", err, lease.ErrSuperseded)
		s.undone(t, late)
	}
	held, _ := s.get(t, "job")
	sameLease(t, "what stands", held, first)
	if held.Left != 0 || held.TTL != ttl {
		t.Errorf("overtaken attempts left ttl %s, Left %s, want %s and 0 as before", held.TTL, held.Left, ttl)
	}
}

// The tag that stands decides which undo finds its execution: that of the latest attempt, and
// nobody's once an attempt was executed twice.
func testRetryTags(t *testing.T, s Subject) {
	e1, e2, e3 := newTag(0).Exec, newTag(0).Exec, newTag(0).Exec
	const replayed = lease.ExecReplayed
	for _, test := range []struct {
		name     string
		executed []lease.Tag
		stands   lease.Tag // after all; Exec ExecReplayed: no undo may find it
	}{
		{"granted", []lease.Tag{{Attempt: 1, Exec: e1}}, lease.Tag{Attempt: 1, Exec: e1}},
		{"uncounted", []lease.Tag{{Attempt: 0, Exec: e1}}, lease.Tag{Attempt: 0, Exec: e1}},
		{"same execution", []lease.Tag{{Attempt: 1, Exec: e1}, {Attempt: 1, Exec: e1}}, lease.Tag{Attempt: 1, Exec: e1}},
		{"next attempt", []lease.Tag{{Attempt: 1, Exec: e1}, {Attempt: 2, Exec: e2}}, lease.Tag{Attempt: 2, Exec: e2}},
		{"later attempt", []lease.Tag{{Attempt: 1, Exec: e1}, {Attempt: 7, Exec: e2}}, lease.Tag{Attempt: 7, Exec: e2}},
		{"counted after all", []lease.Tag{{Attempt: 0, Exec: e1}, {Attempt: 1, Exec: e2}}, lease.Tag{Attempt: 1, Exec: e2}},
		{"largest attempt", []lease.Tag{{Attempt: 1, Exec: e1}, {Attempt: 1<<32 - 1, Exec: e2}}, lease.Tag{Attempt: 1<<32 - 1, Exec: e2}},
		{"earlier attempt", []lease.Tag{{Attempt: 2, Exec: e2}, {Attempt: 1, Exec: e1}}, lease.Tag{Attempt: 2, Exec: e2}},
		{"replayed", []lease.Tag{{Attempt: 1, Exec: e1}, {Attempt: 1, Exec: e2}}, lease.Tag{Attempt: 1, Exec: replayed}},
		{"replayed uncounted", []lease.Tag{{Attempt: 0, Exec: e1}, {Attempt: 0, Exec: e2}}, lease.Tag{Attempt: 0, Exec: replayed}},
		{"replayed twice", []lease.Tag{{Attempt: 1, Exec: e1}, {Attempt: 1, Exec: e2}, {Attempt: 1, Exec: e3}}, lease.Tag{Attempt: 1, Exec: replayed}},
		{"replayed and back", []lease.Tag{{Attempt: 1, Exec: e1}, {Attempt: 1, Exec: e2}, {Attempt: 1, Exec: e1}}, lease.Tag{Attempt: 1, Exec: replayed}},
		{"next after replayed", []lease.Tag{{Attempt: 1, Exec: e1}, {Attempt: 1, Exec: e2}, {Attempt: 2, Exec: e3}}, lease.Tag{Attempt: 2, Exec: e3}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := claim(test.name)
			var held lease.Lease
			for _, tag := range test.executed {
				a.Tag = tag
				if l, err := s.acquire(t, a); err == nil {
					held = l
				}
			}
			for _, tag := range append(test.executed, lease.Tag{Attempt: test.stands.Attempt, Exec: replayed}) {
				if tag == test.stands && tag.Exec != replayed {
					continue
				}
				a.Tag = tag
				s.undone(t, a)
				s.stands(t, a.Name, held.Token)
			}
			a.Tag = test.stands
			s.undone(t, a)
			if test.stands.Exec == replayed {
				s.stands(t, a.Name, held.Token)
			} else {
				s.free(t, a.Name)
			}
		})
	}
}

// Whoever was told a token and still holds the name with it gets it again.
func testRetryTold(t *testing.T, s Subject) {
	a := claim("job")
	first := s.granted(t, a)
	s.Grace(t, "job")
	b := again(a, 2)
	b.Told = first.Token
	got := s.granted(t, b)
	sameLease(t, "the retry", got, first)
	wantFresh(t, "the retry", got, ttl)
}

// A lease that its client was told of is never granted anew under its old id: it is lost, whoever
// holds the name now.
func testRetryToldLost(t *testing.T, s Subject) {
	a := claim("job")
	first := s.granted(t, a)
	told := again(a, 2)
	told.Told = first.Token

	s.Expire(t, "job")
	_, err := s.acquire(t, told)
	wantErr(t, "Acquire(told, name free)", err, lease.ErrLost)
	s.free(t, "job")

	regranted := s.granted(t, again(a, 2)) // as a late copy of an attempt before might
	_, err = s.acquire(t, again(told, 3))
	wantErr(t, "Acquire(told, same id with another token)", err, lease.ErrLost)
	s.stands(t, "job", regranted.Token)
	s.Expire(t, "job")

	second := s.granted(t, claim("job"))
	_, err = s.acquire(t, again(told, 4))
	wantErr(t, "Acquire(told, name another's)", err, lease.ErrLost)
	s.stands(t, "job", second.Token)
}
