//go:build !race

package deadlinetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
	"time"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/clients/go/lockdtest"
	"github.com/lockd/lockd/test/proc"
)

// addrVariable makes the test binary a holder instead, of a lease of the lockd there.
const addrVariable = "DEADLINETEST_HOLDER_OF"

const ttl = 500 * time.Millisecond

// A process that was paused past its deadline sees the end at its first look, and whatever derives
// from the lease's context ends within 50 ms of running.
func TestPausedHolder(t *testing.T) {
	server := lockdtest.Start(t)
	for range 3 {
		holder := &proc.Process{T: t, Name: "holder"}
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), addrVariable+"="+server.Addr())
		holder.Must(holder.Run(cmd))
		await(t, holder, `holds`)
		holder.Pause()
		time.Sleep(2 * ttl) // the fault itself: a pause of twice the ttl
		holder.Resume()
		after := await(t, holder, `first look: (.+); derived ended (\d+) µs later`)
		if after[1] != lockd.ErrExpired.Error() {
			t.Errorf("the first look after the pause saw %s, want %v", after[1], lockd.ErrExpired)
		}
		if took, err := strconv.Atoi(after[2]); err != nil || time.Duration(took)*time.Microsecond > bound {
			t.Errorf("a derived context ended %s µs after the first look, want at most %s", after[2], bound)
		}
		holder.Remove()
	}
}

func await(t *testing.T, p *proc.Process, pattern string) []string {
	t.Helper()
	match, err := p.Await(regexp.MustCompile(pattern), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return match
}

// hold is the holder's process: it takes a lease and does nothing until it has been paused.
func hold(addr string) {
	c, err := lockd.Dial(addr)
	if err != nil {
		panic(err)
	}
	l, err := c.Acquire(context.Background(), "job", lockd.WithTTL(ttl))
	if err != nil {
		panic(err)
	}
	derived, cancel := context.WithCancel(l.Context())
	defer cancel()
	// It looks at nothing but the time until that jumps, then at the lease before anything else.
	resumed := time.Now()
	fmt.Println("holds")
	for paused := false; !paused; {
		last := resumed
		resumed = time.Now()
		paused = resumed.Sub(last) > ttl
	}
	cause := l.Err()
	<-derived.Done()
	fmt.Printf("first look: %v; derived ended %d µs later\n", cause, time.Since(resumed).Microseconds())
}
