package redisstore

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/redisproc"
)

// The line where Redis forgets, is full, has another time, or holds what others wrote.

// When Redis loses its data everybody stands in line again, in the order in which they stood.
func TestALineThatRedisForgetsStandsAgain(t *testing.T) {
	t.Parallel()
	r := redisproc.Start(t)
	c := client(t, r)
	s := listening(t, r.URL(), c)
	holder := asking("job")
	token := acquire(t, s, holder).Token
	var line []turn
	for range 5 {
		line = append(line, queued(t, s, "job"))
	}
	if err := c.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	for _, w := range line {
		h := w.within(t, 3*time.Second)
		if h.Lease.Token <= token {
			t.Errorf("token = %d after %d, want a larger one", h.Lease.Token, token)
		}
		token = h.Lease.Token
		freed(t, s, "job", w.ID)
	}
}

// A Redis that comes back with the beat, but without the last places, is asked again for them.
func TestARestartedRedisIsAskedAgain(t *testing.T) {
	t.Parallel()
	r := redisproc.Start(t)
	s, c := open(t, r.URL()), client(t, r)
	holder := asking("job")
	acquire(t, s, holder)
	w := queued(t, s, "job")
	c.Del(t.Context(), s.keys.ofLine("job")[1:4]...)
	before := *s.found.Load()
	before.nodes = []lease.Node{{RunID: "another"}}
	s.found.Store(&before) // as if this had been another Redis
	until(t, 5*time.Second, "the waiter stands in line again", func() bool {
		standing, err := s.Get(soon(t), lease.GetRequest{Name: "job"})
		return err == nil && standing.Waiting == 1
	})
	freed(t, s, "job", holder.ID)
	w.within(t, time.Second)
}

// A full Redis lets a name with a line be released; it takes nobody more into line, and an expired lease
// is handed over as soon as there is memory.
func TestALineOnAFullRedis(t *testing.T) {
	t.Parallel()
	r := redisproc.Start(t)
	s, c := open(t, r.URL()), client(t, r)
	holder := asking("job")
	acquire(t, s, holder)
	first, second := queued(t, s, "job"), queued(t, s, "job")
	full := func(limit string) {
		if err := c.ConfigSet(t.Context(), "maxmemory", limit).Err(); err != nil {
			t.Fatal(err)
		}
	}
	full("1")
	if _, err := s.Acquire(soon(t), waiting("job").Acquisition); !errors.Is(err, lease.ErrStoreFull) {
		t.Errorf("Acquire(ready to wait) = %v, want ErrStoreFull", err)
	}
	freed(t, s, "job", holder.ID)
	first.within(t, time.Second)
	c.Del(t.Context(), s.keys.lock("job"))
	s.promote("job")
	second.none(t)
	if held(t, s, "job") {
		t.Error("the name was granted by a full Redis, want it free")
	}
	full("0")
	second.within(t, 2*time.Second)
}

// A beat is heard by a full Redis, too: else all that wait would be passed over.
func TestABeatOnAFullRedis(t *testing.T) {
	t.Parallel()
	r := redisproc.Start(t)
	s, c := open(t, r.URL()), client(t, r)
	c.ConfigSet(t.Context(), "maxmemory", "1")
	s.beat(t.Context(), nil)
	if !c.HExists(t.Context(), s.keys.beats(), s.instance).Val() {
		t.Error("a full Redis did not take the beat")
	}
}

// With the clocks too far apart a release frees, and hands over to nobody; the line goes on when they
// agree.
func TestAReleaseUnderASkewedClockOnlyFrees(t *testing.T) {
	r := redisproc.Shared(t)
	s := open(t, r.URL())
	holder := asking("job")
	acquire(t, s, holder)
	w := queued(t, s, "job")
	args := append(s.lineHead("job"), "RELEASE", string(holder.ID))
	args[0] = time.Now().Add(-time.Hour).UnixMicro()
	answer, err := s.run(soon(t), freeScript, s.keys.ofLine("job"), args...)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"HELD", "STANDS"}, kinds(answer.replies)); diff != "" {
		t.Errorf("replies (-want +got):\n%s", diff)
	}
	if held(t, s, "job") {
		t.Error("the name is held, want it free")
	}
	w.none(t)
	s.handed("job", time.Now(), answer.replies[1])
	w.within(t, time.Second)
}

// Dead waiters are set aside a few at a time, and hold nobody up for long.
func TestManyDeadWaiters(t *testing.T) {
	r := redisproc.Shared(t)
	s, c := open(t, r.URL()), client(t, r)
	holder := asking("job")
	acquire(t, s, holder)
	dead := open(t, r.URL())
	for range 70 {
		queued(t, dead, "job")
	}
	w := queued(t, s, "job")
	dead.stop() // no beat brings it back
	dead.running.Wait()
	mute(t, dead, c)
	freed(t, s, "job", holder.ID)
	w.within(t, time.Second)
	freed(t, s, "job", w.ID)
	if left := c.PTTL(t.Context(), s.keys.queue("job")).Val(); left <= 0 || left > lease.KeepPlace {
		t.Errorf("the places of those who have gone end in %s, want up to %s", left, lease.KeepPlace)
	}
}

// A copy that sat in a buffer while its undo went by takes no place.
func TestALateCopyTakesNoPlace(t *testing.T) {
	t.Parallel()
	s, direct, p := behindProxy(t, redisproc.Start(t))
	holder := asking("job")
	acquire(t, direct, holder)
	w := waiting("job")
	delayed := p.DelayRequest(calls(queueScript))
	if _, err := s.Acquire(soon(t), w.Acquisition); !errors.Is(err, lease.ErrUnknown) {
		t.Fatalf("Acquire with its request held back = %v, want ErrUnknown", err)
	}
	if err := direct.Undo(t.Context(), undoing(w.Acquisition)); err != nil {
		t.Fatal(err)
	}
	direct.client.ConfigResetStat(t.Context())
	delayed.Release()
	until(t, 5*time.Second, "the delayed call reaches redis", func() bool {
		return commandCalls(t, direct.client, "evalsha") >= 1
	})
	if n := direct.client.Exists(t.Context(), direct.keys.ofLine("job")[1:4]...).Val(); n != 0 {
		t.Errorf("%d keys of a line are there, want none", n)
	}
}

// Keys of a line that somebody else wrote stop the line, but never a release, and nothing is granted twice.
func TestForeignKeysInALine(t *testing.T) {
	r := redisproc.Shared(t)
	for i, what := range []string{"line", "queue", "waiters", "beats", "given"} {
		t.Run(what, func(t *testing.T) {
			redisproc.Flush(t, r)
			a, b, c := open(t, r.URL()), open(t, r.URL()), client(t, r)
			key := append(a.keys.ofLine("job")[1:4], a.keys.beats(), a.keys.given())[i]
			holder := asking("job")
			acquire(t, a, holder)
			queued(t, b, "job")
			_, err := c.TxPipelined(t.Context(), func(p redis.Pipeliner) error { // or a beat may come in between
				p.Del(t.Context(), key)
				p.RPush(t.Context(), key, "by hand")
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := a.Acquire(soon(t), waiting("job").Acquisition); err == nil {
				t.Error("Acquire = a lease, want a refusal or a place")
			}
			freed(t, a, "job", holder.ID)
			if kind := c.Type(t.Context(), key).Val(); what != "line" && kind != "list" {
				t.Errorf("the foreign key is a %s now, want it untouched", kind)
			}
		})
	}
}
