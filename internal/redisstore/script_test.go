package redisstore

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/redisproc"
)

// acquiring is the call that asks for all of batch until notAfter.
func acquiring(s *Store, notAfter time.Time, batch ...lease.Acquisition) (keys, args []any) {
	var ops []*operation
	for _, a := range batch {
		op, err := s.acquiring(a, s.clock.At(notAfter))
		if err != nil {
			panic(err)
		}
		ops = append(ops, op)
	}
	return s.batch.command(ops)
}

// acquireAll runs one batch as a caller whose clock is off by skew.
func acquireAll(t *testing.T, s *Store, skew time.Duration, batch ...lease.Acquisition) []reply {
	t.Helper()
	keys, args := acquiring(s, time.Now().Add(time.Second), batch...)
	args[0] = time.Now().Add(skew).UnixMicro()
	answer, err := s.execute(soon(t), batchScript, keys, args)
	if err != nil {
		t.Fatalf("batch.lua = %v", err)
	}
	return answer.replies
}

// kinds are the words of replies; NUMBER is a token, or a release of which there is no more to say.
func kinds(replies []reply) []string {
	var all []string
	for _, r := range replies {
		kind := r.Kind()
		if r.Number(0) != 0 {
			kind = "NUMBER"
		}
		all = append(all, kind)
	}
	return all
}

func TestABatchAnswersEachOperationForItself(t *testing.T) {
	r := redisproc.Shared(t)
	s, direct := open(t, r.URL()), client(t, r)
	mine, other := asking("mine"), asking("other")
	acquire(t, s, mine)
	acquire(t, s, other)
	direct.RPush(t.Context(), s.keys.lock("list"), "no string")
	direct.Set(t.Context(), s.keys.lock("foreign"), "no lock", 0)

	replies := acquireAll(t, s, 0, asking("free-1"), retry(mine), asking("other"), asking("list"), asking("foreign"), asking("free-2"))
	want := []string{"NUMBER", "GRANTED", "HELD", "ERROR", "ERROR", "NUMBER"}
	if diff := cmp.Diff(want, kinds(replies)); diff != "" {
		t.Fatalf("replies (-want +got):\n%s", diff)
	}
	one, two := replies[0].Number(0), replies[5].Number(0)
	if one >= two {
		t.Errorf("tokens of one batch = %d, %d, want increasing", one, two)
	}
	if fence, _ := direct.Get(t.Context(), s.keys.fence()).Int64(); fence < two {
		t.Errorf("fence = %d, want at least the last token %d", fence, two)
	}
}

func TestABatchReleasesOnlyItsOwn(t *testing.T) {
	r := redisproc.Shared(t)
	s := open(t, r.URL())
	a, b, c := asking("a"), asking("b"), asking("c")
	for _, x := range []lease.Acquisition{a, b, c} {
		acquire(t, s, x)
	}
	var ops []*operation
	for _, r := range []lease.ReleaseRequest{{Name: "a", ID: a.ID}, {Name: "b", ID: newID()}, {Name: "free", ID: newID()}, {Name: "c", ID: c.ID}} {
		ops = append(ops, s.releasing(r))
	}
	replies, _, err := s.batch.call(soon(t), ops)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"NUMBER", "OTHER", "GONE", "NUMBER"}, kinds(replies)); diff != "" {
		t.Errorf("replies (-want +got):\n%s", diff)
	}
	if held(t, s, "a") || !held(t, s, "b") || held(t, s, "c") {
		t.Error("want b held, a and c free")
	}
}

// An uncontended acquire and release of one name cost at most 6 calls inside Redis.
func TestCallBudget(t *testing.T) {
	r := redisproc.Shared(t)
	s, direct := open(t, r.URL()), client(t, r)
	acquire(t, s, asking("warm")) // the scripts are loaded from here on
	least := 100
	for range 5 { // what the checker does meanwhile, and what a new connection is asked, is not the scripts'
		least = min(least, callsOfAPair(t, s, direct))
	}
	if least > 6 {
		t.Errorf("acquire + release = %d redis calls, want at most 6", least)
	}
}

// callsOfAPair answers how many calls Redis has had while a lease was acquired and released.
func callsOfAPair(t *testing.T, s *Store, direct *redis.Client) int {
	t.Helper()
	if err := direct.ConfigResetStat(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	a := asking("job")
	acquire(t, s, a)
	if _, err := s.Release(soon(t), lease.ReleaseRequest{Name: "job", ID: a.ID}); err != nil {
		t.Fatal(err)
	}
	calls := 1 // TIME, acquire's; the checker asks for it too, so it is not counted
	for _, command := range []string{"mget", "get", "set", "del", "pttl", "pexpire", "exists", "type"} {
		calls += commandCalls(t, direct, command)
	}
	return calls
}

func commandCalls(t *testing.T, c redis.Cmdable, command string) int {
	t.Helper()
	text, err := c.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(text, "cmdstat_"+command+":calls=")
	if !ok {
		return 0
	}
	digits, _, _ := strings.Cut(rest, ",")
	n, err := strconv.Atoi(digits)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A late copy writes nothing on its own lease either: it would hide the lease from a pending undo.
func TestALateCopyDoesNotTouchItsOwnLease(t *testing.T) {
	r := redisproc.Shared(t)
	s, direct := open(t, r.URL()), client(t, r)
	a := asking("job")
	acquire(t, s, a)
	before, _ := direct.Get(t.Context(), s.keys.lock("job")).Result()
	keys, args := acquiring(s, time.Now().Add(-time.Second), retry(a))
	answer, err := s.execute(soon(t), batchScript, keys, args)
	if err != nil {
		t.Fatal(err)
	}
	if after, _ := direct.Get(t.Context(), s.keys.lock("job")).Result(); kinds(answer.replies)[0] != "LATE" || after != before {
		t.Errorf("reply %v, value %q, want LATE and %q", answer.replies, after, before)
	}
}

// Beyond 2 s of clock difference, either way, nothing new is granted; what is held goes on.
func TestClockGuard(t *testing.T) {
	s := open(t, redisproc.Shared(t).URL())
	standing := asking("standing")
	acquire(t, s, standing)
	for _, skew := range []time.Duration{-time.Hour, -2100 * time.Millisecond, 2100 * time.Millisecond, time.Hour} {
		t.Run(skew.String(), func(t *testing.T) {
			replies := acquireAll(t, s, skew, asking("job"), retry(standing))
			if diff := cmp.Diff([]string{"SKEW", "GRANTED"}, kinds(replies)); diff != "" {
				t.Errorf("replies (-want +got):\n%s", diff)
			}
			standing = retry(standing)
		})
	}
	if got := kinds(acquireAll(t, s, time.Second, asking("job"))); got[0] != "NUMBER" {
		t.Errorf("acquire with 1 s of skew = %s, want a token", got[0])
	}
}

// Tokens end before 2^53, where neither Lua nor JSON can count by ones any more.
func TestTheFenceEndsBefore2To53(t *testing.T) {
	r := redisproc.Shared(t)
	s, direct := open(t, r.URL()), client(t, r)
	setFence := func(to string) {
		if err := direct.Set(t.Context(), s.keys.fence(), to, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	setFence("9007199254740989")
	if l := acquire(t, s, asking("last-but-one")); l.Token != lease.MaxToken-2 {
		t.Errorf("token = %d, want 2^53-2", l.Token)
	}
	if l := acquire(t, s, asking("last")); l.Token != lease.MaxToken-1 {
		t.Errorf("token = %d, want 2^53-1", l.Token)
	}
	for _, fence := range []string{"9007199254740991", "9007199254740992", "99999999999999999999", "no number", "-5"} {
		setFence(fence)
		if l, err := s.Acquire(soon(t), asking("beyond")); !errors.Is(err, lease.ErrUnavailable) {
			t.Errorf("Acquire with fence %q = %v, %v, want ErrUnavailable", fence, l.Token, err)
		}
		if held(t, s, "beyond") {
			t.Errorf("fence %q: the name is held, want it free", fence)
		}
	}
}

// A fence that is no string reads as absent by MGET; it must not be overwritten as if it were.
func TestAFenceOfTheWrongTypeRefuses(t *testing.T) {
	r := redisproc.Shared(t)
	s, direct := open(t, r.URL()), client(t, r)
	direct.RPush(t.Context(), s.keys.fence(), "x")
	if _, err := s.Acquire(soon(t), asking("job")); !errors.Is(err, lease.ErrUnavailable) {
		t.Errorf("Acquire = %v, want ErrUnavailable", err)
	}
	if kind, _ := direct.Type(context.Background(), s.keys.fence()).Result(); kind != "list" {
		t.Errorf("the fence is a %s now, want it untouched", kind)
	}
}

// A force uses a token up that is newer than the forced one, also where the clock is behind the fence.
func TestAForceRaisesTheFence(t *testing.T) {
	r := redisproc.Shared(t)
	s, direct := open(t, r.URL()), client(t, r)
	const ahead = 8_000_000_000_000_000
	direct.Set(t.Context(), s.keys.fence(), ahead, 0)
	l := acquire(t, s, asking("job"))
	if _, err := s.ForceRelease(soon(t), lease.ForceRequest{Name: "job", Token: l.Token}); err != nil {
		t.Fatal(err)
	}
	if fence, _ := direct.Get(t.Context(), s.keys.fence()).Int64(); l.Token != ahead+1 || fence != ahead+2 {
		t.Errorf("token = %d, fence after the force = %d, want %d and %d", l.Token, fence, int64(ahead+1), int64(ahead+2))
	}
	l = acquire(t, s, asking("job"))
	direct.Del(t.Context(), s.keys.fence()) // by hand
	if _, err := s.ForceRelease(soon(t), lease.ForceRequest{Name: "job", Token: l.Token}); err != nil {
		t.Fatal(err)
	}
	if fence, _ := direct.Get(t.Context(), s.keys.fence()).Int64(); fence != int64(l.Token)+1 {
		t.Errorf("fence after the force, gone before = %d, want %d", fence, int64(l.Token)+1)
	}
}
