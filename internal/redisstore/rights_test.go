package redisstore

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lockd/lockd/internal/redisconn"
	"github.com/lockd/lockd/test/redisproc"
)

// Every right that docs/operations.md gives is needed: taken away, it is missed at the start, by its name. How Redis
// persists alone is left unknown.
func TestEachRightIsMissed(t *testing.T) {
	r := redisproc.Start(t)
	direct := client(t, r)
	testEachRight(t, documentedUser(t), "unix://lockd:secret@"+r.Addr(), func(command []any) {
		if err := direct.Do(t.Context(), command...).Err(); err != nil {
			t.Fatal(err)
		}
	})
}

// testEachRight takes each word of an ACL SETUSER away, with put at the server that url leads to.
func testEachRight(t *testing.T, command []any, url string, put func(command []any)) {
	for i, word := range command {
		right, _ := word.(string)
		if i < 3 || !strings.ContainsAny(right[:1], "+~&") {
			continue
		}
		t.Run(right, func(t *testing.T) {
			put(slices.Concat([]any{"ACL", "SETUSER", "lockd", "reset"}, command[3:i], command[i+1:]))
			s, err := Open(t.Context(), Config{URL: url})
			if right == "+config|get" {
				if err != nil {
					t.Fatalf("Open = %v", err)
				}
				defer s.Close()
				if got := s.Status().Nodes[0].Persistence; got != "unknown" {
					t.Errorf("persistence = %q, want unknown", got)
				}
				return
			}
			if err == nil {
				s.Close()
			}
			if !errors.As(err, new(*redisconn.RefusedError)) || !strings.Contains(err.Error(), strings.TrimLeft(right, "+")) {
				t.Errorf("Open = %v, want a *RefusedError that names it", err)
			}
		})
	}
}

// What the scripts call is tried at the start.
func TestRightsKnowsEveryCall(t *testing.T) {
	called := regexp.MustCompile(`redis\.p?call\('([A-Z]+)'`)
	for _, text := range []string{valueLua, eventLua, grantLua, aliveLua, lineLua, batchLua, lookLua, queueLua, freeLua, leaveLua, promoteLua, standingLua, beatLua} {
		for _, m := range called.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(rightsLua, "'"+m[1]+"'") {
				t.Errorf("a script calls %s, which rights.lua does not try", m[1])
			}
		}
	}
}
