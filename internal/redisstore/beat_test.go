package redisstore

import (
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/proxy"
	"github.com/lockd/lockd/test/redisproc"
)

// Who was passed over while its process was silent has its place again, whatever Redis hears first of that
// process: somebody new who waits there, or a beat whose answer is lost.
func TestWhoWasPassedOverIsAskedForAgain(t *testing.T) {
	for what, hear := range map[string]func(t *testing.T, from, of *Store){
		"a newcomer": func(t *testing.T, from, of *Store) {
			args := append(append(from.guard(), "other", of.instance, from.keys.channels(), 1), from.queueing(waiting("other"))...)
			if _, err := from.run(soon(t), queueScript, from.keys.ofLine("other"), args...); err != nil {
				t.Fatal(err)
			}
		},
		"a beat": func(t *testing.T, from, of *Store) {
			if _, err := from.run(soon(t), beatScript, []string{from.keys.beats(), from.keys.given()}, of.instance, of.keys.channels()); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			r := redisproc.Start(t)
			c := client(t, r)
			a, p := open(t, r.URL()), proxy.Redis(t, r.Addr())
			b := open(t, "redis://"+p.Addr())
			holder, others := asking("job"), asking("other")
			acquire(t, a, holder)
			acquire(t, a, others)
			first, second := queued(t, b, "job"), queued(t, a, "job")
			p.Refuse()
			p.Cut()
			mute(t, b, c)
			freed(t, a, "job", holder.ID)
			second.within(t, time.Second)
			third := queued(t, a, "job")
			hear(t, a, b)
			if err := p.Accept(); err != nil {
				t.Fatal(err)
			}
			until(t, 5*time.Second, "the first is back in its place", func() bool {
				standing, err := a.Get(soon(t), lease.GetRequest{Name: "job", Waiters: 1})
				return err == nil && standing.Waiting == 2
			})
			freed(t, a, "job", second.ID)
			first.within(t, 2*time.Second)
			third.none(t)
		})
	}
}

// What a process leaves behind that waited for a moment only goes by itself.
func TestBeatsEndByThemselves(t *testing.T) {
	t.Parallel()
	r := redisproc.Start(t)
	s, c := open(t, r.URL()), client(t, r)
	acquire(t, s, asking("job"))
	queued(t, s, "job")
	if left := c.PTTL(t.Context(), s.keys.beats()).Val(); left <= 0 {
		t.Errorf("PTTL of the beats = %s, want them to end", left)
	}
}

// After a time in which Redis was away nobody is taken for dead who could not beat: the first in line is
// served first.
func TestAnOutageOfRedisPassesNobodyOver(t *testing.T) {
	t.Parallel()
	r := redisproc.Start(t)
	c, p := client(t, r), proxy.Redis(t, r.Addr())
	a, b := open(t, "redis://"+p.Addr()), listening(t, r.URL(), c)
	holder := asking("job")
	acquire(t, a, holder)
	first, second := queued(t, b, "job"), queued(t, a, "job")
	p.Refuse()
	p.Cut()
	a.beat(t.Context(), nil)
	if err := p.Accept(); err != nil {
		t.Fatal(err)
	}
	until(t, time.Second, "redis answers", func() bool { return a.client.Ping(t.Context()).Err() == nil })
	mute(t, b, c)
	freed(t, a, "job", holder.ID)
	first.within(t, lease.Unclaimed)
	second.none(t)
}
