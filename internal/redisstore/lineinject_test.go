package redisstore

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/redisproc"
)

// An error at any call inside a script that knows lines leaves a line that can go on: the fence is
// where the lock's token is or beyond, who holds the name is not in line for it as well, and whoever is
// in line comes to hold it once, in order.
func TestAnErrorAtEachCallLeavesALineThatGoesOn(t *testing.T) {
	r := redisproc.Shared(t)
	s, direct := open(t, r.URL()), client(t, r)
	other := open(t, r.URL())
	for _, test := range []struct {
		name, script string
		free         bool                                        // the lease ran out before
		args         func(holder, first lease.Acquisition) []any // beyond line.lua's own
	}{
		{"release", freeLua, false, func(holder, _ lease.Acquisition) []any { return []any{"RELEASE", string(holder.ID)} }},
		{"force", freeLua, false, func(lease.Acquisition, lease.Acquisition) []any { return []any{"FORCE", 0, "by", "reason"} }},
		{"undo of the holder", leaveLua, false, func(holder, _ lease.Acquisition) []any { return leaving(holder, 0) }},
		{"leave", leaveLua, false, func(_, first lease.Acquisition) []any { return leaving(first, 0) }},
		{"leave for a while", leaveLua, false, func(_, first lease.Acquisition) []any { return leaving(first, 1) }},
		{"promote", promoteLua, true, func(lease.Acquisition, lease.Acquisition) []any { return nil }},
		{"queue", queueLua, false, func(lease.Acquisition, lease.Acquisition) []any { return s.queueing(waiting("job")) }},
		{"queue on a free name", queueLua, true, func(lease.Acquisition, lease.Acquisition) []any { return s.queueing(waiting("job")) }},
		{"queue again", queueLua, true, func(_, first lease.Acquisition) []any { return s.queueing(turn{Acquisition: first}) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			reached := true
			for call := 1; reached; call++ {
				redisproc.Flush(t, r)
				s.beaten.Store(0) // Redis has forgotten their beats
				other.beaten.Store(0)
				holder := asking("job")
				token := acquire(t, s, holder).Token
				line := []turn{queued(t, other, "job"), queued(t, s, "job")}
				args := append(s.lineHead("job"), test.args(holder, line[0].Acquisition)...)
				if test.name == "force" {
					args[8] = int64(token)
				}
				if test.free {
					direct.Del(t.Context(), s.keys.lock("job"))
				}
				forgetWaiters(s, other) // from here on the test alone moves the line
				reached = runFailing(t, direct, lineSource(test.script), call, keysOf(s.keys.ofLine("job")), args)
				checkLine(t, s, direct, call)
				served := serve(t, s, direct)
				left := strings.HasPrefix(test.name, "leave")
				for i, w := range line {
					n := len(slices.DeleteFunc(slices.Clone(served), func(id lease.ID) bool { return id != w.ID }))
					if n > 1 || n == 0 && (i > 0 || !left) {
						t.Errorf("call %d failed, and waiter %d was served %d times", call, i+1, n)
					}
				}
			}
		})
	}
}

func leaving(a lease.Acquisition, keep int) []any {
	return []any{string(a.ID), a.Tag.Attempt, a.Tag.Exec, keep, 0}
}

func (s *Store) queueing(w turn) []any {
	return []any{string(w.ID), w.Tag.Attempt, w.Tag.Exec, 0, w.TTL.Milliseconds(), px(w.TTL), "{}",
		time.Now().Add(time.Hour).UnixMicro(), time.Now().Add(time.Minute).UnixMicro(), 1}
}

// forgetWaiters has stores do nothing by themselves any more for those who wait.
func forgetWaiters(stores ...*Store) {
	for _, s := range stores {
		s.waiters.mu.Lock()
		clear(s.waiters.names)
		s.waiters.mu.Unlock()
	}
}

// checkLine checks what holds at any moment.
func checkLine(t *testing.T, s *Store, c *redis.Client, call int) {
	t.Helper()
	value := c.Get(t.Context(), s.keys.lock("job")).Val()
	if value == "" {
		return
	}
	id, _, _ := holder(value)
	l, err := decodeLock(value)
	if err != nil {
		t.Fatal(err)
	}
	if fence, _ := strconv.ParseInt(c.Get(t.Context(), s.keys.fence()).Val(), 10, 64); fence < l.token {
		t.Errorf("call %d failed, and the fence is %d with token %d granted", call, fence, l.token)
	}
	if place, err := c.ZScore(t.Context(), s.keys.queue("job"), string(id)).Result(); err == nil && place >= 0 {
		t.Errorf("call %d failed, and who holds the name stands in line for it", call)
	}
	if c.PTTL(t.Context(), s.keys.lock("job")).Val() <= 0 {
		t.Errorf("call %d failed, and the lock never expires", call)
	}
}

// serve moves the line on until nobody is left, and answers who held the name.
func serve(t *testing.T, s *Store, c *redis.Client) (served []lease.ID) {
	t.Helper()
	last := int64(0)
	for range 8 {
		value := c.Get(t.Context(), s.keys.lock("job")).Val()
		if value == "" {
			if _, err := s.runLine(soon(t), promoteScript, "job"); err != nil {
				t.Fatal(err)
			}
			if value = c.Get(t.Context(), s.keys.lock("job")).Val(); value == "" {
				return served
			}
		}
		id, _, _ := holder(value)
		if l, _ := decodeLock(value); l.token <= last {
			t.Errorf("token = %d after %d, want a larger one", l.token, last)
		} else {
			last = l.token
		}
		served = append(served, id)
		if _, err := s.runLine(soon(t), freeScript, "job", "RELEASE", string(id)); err != nil {
			t.Fatal(err)
		}
	}
	t.Error("the line does not end")
	return served
}
