package redisstore

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/redisproc"
)

// An error at any call inside a script leaves nothing behind but perhaps a raised fence; a release
// may also have freed the lock. Redis rolls nothing back, so this is about the order of the calls.
func TestAnErrorAtEachCallLeavesNothingHalfDone(t *testing.T) {
	r := redisproc.Shared(t)
	s, direct := open(t, r.URL()), client(t, r)
	mine := asking("mine")
	longer := mine
	longer.TTL = 2 * mine.TTL
	fence, lock, free := s.keys.fence(), s.keys.lock("mine"), s.keys.lock("free")
	lineHead := s.lineHead("mine")
	soon := time.Now().Add(time.Hour)
	type call struct{ keys, args []any }
	of := func(keys, args []any) call { return call{keys, args} }
	renewing := func(ttl time.Duration) call {
		return of(s.batch.command([]*operation{s.renewing(lease.Renewal{Name: "mine", ID: mine.ID, TTL: ttl})}))
	}
	lines := func(args ...any) call { return call{keysOf(s.keys.ofLine("mine")), append(lineHead[:7:7], args...)} }
	for _, test := range []struct {
		name, script string
		call
		mayFree bool
	}{
		{"acquire", batchSource, of(acquiring(s, soon, asking("free"))), false},
		{"acquire again", batchSource, of(acquiring(s, soon, retry(longer))), false},
		{"renew", batchSource, renewing(0), false},
		{"renew longer", batchSource, renewing(time.Minute), false},
		{"release", batchSource, of(s.batch.command([]*operation{s.releasing(lease.ReleaseRequest{Name: "mine", ID: mine.ID})})), true},
		{"undo", lineSource(leaveLua), lines(string(mine.ID), 1, mine.Tag.Exec, 0, 0), true},
		{"force", lineSource(freeLua), lines("FORCE", 0, "", ""), true}, // the token is set below
	} {
		t.Run(test.name, func(t *testing.T) {
			reached := true
			for call := 1; reached; call++ {
				redisproc.Flush(t, r)
				standing := acquire(t, s, mine)
				if test.name == "force" {
					test.args[8] = int64(standing.Token)
				}
				before := snapshot(t, direct)
				reached = runFailing(t, direct, test.script, call, test.keys, test.args)
				after := snapshot(t, direct)
				if !reached {
					break // the script makes fewer calls than this: it ran whole
				}
				delete(before, fence)
				delete(after, fence)
				if test.mayFree && after[lock] == "" {
					delete(before, lock)
				}
				if diff := cmp.Diff(before, after); diff != "" {
					t.Errorf("call %d failed, and changed (-before +after):\n%s", call, diff)
				}
				if _, ok := after[free]; ok {
					t.Errorf("call %d failed, and the lock was granted", call)
				}
			}
		})
	}
}

var batchSource = source(eventLua, grantLua, batchLua)

// runFailing runs a script whose call-th call inside Redis fails, and reports whether it came to that.
func runFailing(t *testing.T, c *redis.Client, script string, call int, keys, args []any) bool {
	t.Helper()
	_, err := evalFailing(t, c, script, call, keys, args)
	if err != nil && !strings.Contains(err.Error(), "OOM injected") {
		t.Fatalf("call %d: %v", call, err)
	}
	bitten, err := c.Del(t.Context(), "bitten").Result()
	if err != nil {
		t.Fatal(err)
	}
	return bitten == 1
}

// evalFailing runs a script through a local that shadows redis: its call-th call is not made but
// fails, and leaves the key bitten.
func evalFailing(t *testing.T, c *redis.Client, script string, call int, keys, args []any) (any, error) {
	t.Helper()
	shim := fmt.Sprintf(`
local real, calls = redis, 0
local function fails()
  calls = calls + 1
  if calls == %d then real.call('SET', 'bitten', '1') end
  return calls == %d
end
local redis = {
  call = function(...) if fails() then error({err = 'OOM injected'}) end; return real.call(...) end,
  pcall = function(...) if fails() then return {err = 'OOM injected'} end; return real.pcall(...) end,
}
`, call, call)
	command := append([]any{"EVAL", shim + script, len(keys)}, keys...)
	return c.Do(t.Context(), append(append(command, "nonce"), args...)...).Result()
}

func keysOf(keys []string) []any {
	var all []any
	for _, key := range keys {
		all = append(all, key)
	}
	return all
}

// The failure of one grant of a batch does not hide another that was made.
func TestAGrantThatFailsLeavesTheOthersOfItsBatch(t *testing.T) {
	r := redisproc.Shared(t)
	s, direct := open(t, r.URL()), client(t, r)
	const secondLock = 5 // after MGET, TIME, SET of the fence, SET of the first lock
	keys, args := acquiring(s, time.Now().Add(time.Hour), asking("one"), asking("two"))
	raw, err := evalFailing(t, direct, batchSource, secondLock, keys, args)
	if err != nil {
		t.Fatalf("batch.lua = %v, want an answer for each operation", err)
	}
	answer, ok := decodeAnswer(raw, "nonce")
	if diff := cmp.Diff([]string{"NUMBER", "ERROR"}, kinds(answer.replies)); !ok || diff != "" {
		t.Errorf("replies (-want +got):\n%s", diff)
	}
	if !held(t, s, "one") || held(t, s, "two") {
		t.Error("want one held and two free")
	}
}

// A DEL that fails is no release.
func TestADelThatFailsIsNoRelease(t *testing.T) {
	r := redisproc.Shared(t)
	s, direct := open(t, r.URL()), client(t, r)
	a := asking("job")
	acquire(t, s, a)
	const del = 2 // after MGET
	keys, args := s.batch.command([]*operation{s.releasing(lease.ReleaseRequest{Name: "job", ID: a.ID})})
	raw, err := evalFailing(t, direct, batchSource, del, keys, args)
	if err != nil {
		t.Fatalf("batch.lua = %v, want an answer", err)
	}
	answer, ok := decodeAnswer(raw, "nonce")
	if diff := cmp.Diff([]string{"ERROR"}, kinds(answer.replies)); !ok || diff != "" {
		t.Errorf("replies (-want +got):\n%s", diff)
	}
	if !held(t, s, "job") {
		t.Error("the name is free, want it held still")
	}
}

func snapshot(t *testing.T, c *redis.Client) map[string]string {
	t.Helper()
	all := map[string]string{}
	keys, err := c.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if all[key], err = c.Get(t.Context(), key).Result(); err != nil && !errors.Is(err, redis.Nil) {
			t.Fatal(err)
		}
	}
	return all
}
