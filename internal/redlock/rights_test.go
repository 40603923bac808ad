package redlock

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redisconn"
	"github.com/lockd/lockd/test/redisproc"
)

// documentedUser is the command in docs/operations.md that makes the user lockd at a node, with the password secret: the
// last one of the page.
func documentedUser(t testing.TB) []any {
	t.Helper()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^    ACL SETUSER lockd .*$`).FindAllString(string(page), -1)
	if len(found) != 3 {
		t.Fatalf("docs/operations.md has %d lines ACL SETUSER lockd, want one for any Redis, one for Clusters and one for nodes of a quorum", len(found))
	}
	var command []any
	for word := range strings.FieldsSeq(strings.Replace(found[2], ">PASSWORD", ">secret", 1)) {
		command = append(command, word)
	}
	return command
}

// restricted makes that user at each server and answers the URLs with it.
func restricted(t testing.TB, servers []*redisproc.Server) (urls []string) {
	t.Helper()
	command := documentedUser(t)
	each(t, servers, func(c *redis.Client) error { return c.Do(t.Context(), command...).Err() })
	for _, s := range servers {
		urls = append(urls, strings.Replace(s.URL(), "://", "://lockd:secret@", 1))
	}
	return urls
}

// The user that docs/operations.md makes is enough at a node, and has no right that nobody uses: new nodes are made a group, leases are
// granted, renewed, released, waited for at another lockd, watched, listed and forced, also after SCRIPT FLUSH; and an operator
// replaces nodes and begins anew.
func TestTheDocumentedRightsSuffice(t *testing.T) {
	all := servers(t, 3, whole)
	urls := restricted(t, all)
	one, two := openingAt(t, urls, callTimeout), openingAt(t, urls, callTimeout)
	seen := make(chan lease.Event, 64)
	stop, err := two.Watch(t.Context(), "", func(e lease.Event) { seen <- e })
	must(t, err)
	each(t, all, func(c *redis.Client) error { return c.ScriptFlush(t.Context()).Err() })

	holder, next := leaseOf("job"), leaseOf("job")
	one.granted(t, holder)
	for _, ttl := range []time.Duration{0, time.Minute, 5 * time.Second} {
		_, err := one.Renew(soon(t), lease.Renewal{Name: "job", ID: holder.ID, TTL: ttl})
		must(t, err)
	}
	turns := make(chan struct{}, 1)
	next.Until, next.Turn = time.Now().Add(time.Minute), func(lease.Handover) { turns <- struct{}{} }
	if _, err := two.Acquire(soon(t), next); !errors.As(err, new(*lease.HeldError)) {
		t.Fatalf("Acquire(held) = %v, want a place", err)
	}
	one.gives(t, holder)
	select {
	case <-turns:
	case <-time.After(10 * time.Second):
		t.Fatal("who waited at another lockd had no turn within 10s")
	}
	page, err := one.List(soon(t), lease.ListRequest{Size: 10})
	if err != nil || len(page.Leases) == 0 {
		t.Fatalf("List = %+v, %v, want the lease", page, err)
	}
	_, err = one.ForceRelease(soon(t), lease.ForceRequest{Name: "job", Token: page.Leases[0].Token, By: "tester", Reason: "test"})
	must(t, err)
	until(t, 10*time.Second, "the force is seen by a watcher", func() bool {
		select {
		case e := <-seen:
			return e.Kind == lease.EventForced
		default:
			return false
		}
	})
	stop()
	until(t, 10*time.Second, "nobody listens to events any more", func() bool {
		return strings.HasSuffix(on(t, all[0], "PUBSUB", "NUMSUB", one.keys.events()), " 0]")
	})

	on(t, all[2], "FLUSHALL")
	for _, plan := range []func() (*Change, error){
		func() (*Change, error) { return PlanReplace(t.Context(), Config{URLs: urls, MaxTTL: time.Hour}) },
		func() (*Change, error) { return PlanInit(t.Context(), Config{URLs: urls, MaxTTL: time.Hour}) },
	} {
		ch, err := plan()
		must(t, planned(t, ch, err).Apply(t.Context()))
	}
	for i, s := range all {
		if denied := on(t, s, "ACL", "LOG"); denied != "[]" {
			t.Errorf("node %d has denied %s", i+1, denied)
		}
	}
	called := on(t, all[0], "INFO", "commandstats")
	for _, word := range documentedUser(t) {
		if right, ok := strings.CutPrefix(word.(string), "+"); ok && !strings.Contains(called, "cmdstat_"+right+":") {
			t.Errorf("%s is given, and nothing has used it", word)
		}
	}
}

// Every right that docs/operations.md gives for a node is missed at the start where it is not given, by its name.
func TestEachRightOfANodeIsMissed(t *testing.T) {
	t.Parallel()
	all := servers(t, 3)
	urls := restricted(t, all)
	c, _ := config(t, all, time.Hour)
	c.URLs = urls
	g, err := openGroup(t.Context(), c)
	must(t, err)
	must(t, g.close())
	command := documentedUser(t)
	for i, word := range command {
		right := word.(string)
		if i < 3 || !strings.ContainsAny(right[:1], "+~&") {
			continue
		}
		on(t, all[2], slices.Concat([]any{"ACL", "SETUSER", "lockd", "reset"}, command[3:i], command[i+1:])...)
		says := strings.TrimLeft(right, "+")
		switch right {
		case "+config|get":
			says = `persists by "unknown"` // and the others do not
		case "~lockd:*":
			says = "access one of the keys" // a look needs some
		}
		g, err := openGroup(t.Context(), c)
		if err == nil {
			must(t, g.close())
		}
		var refused *redisconn.RefusedError
		if !errors.As(err, &refused) || refused.Address != all[2].Addr() || !strings.Contains(refused.Problem, says) {
			t.Errorf("without %s openGroup = %v, want a *RefusedError about node 3 with %q", right, err, says)
		}
	}
}

// What the scripts call is tried at the start.
func TestRightsKnowEveryCall(t *testing.T) {
	called := regexp.MustCompile(`(?:redis\.p?call|pcall)\('([A-Z]+)'`)
	for _, text := range []string{valueLua, batchLua, plantLua, enrolLua, claimLua} {
		for _, m := range called.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(rightsLua, "'"+m[1]+"'") {
				t.Errorf("a script calls %s, which rights.lua does not try", m[1])
			}
		}
	}
}
