package main

import (
	"testing"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/clients/go/lockdtest"
)

// On a terminal it shows what it would end and asks; only yes ends it, and only what was shown.
func TestForceReleaseAsksOnATerminal(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	client := server.Client(t)
	lease, err := client.TryAcquire(t.Context(), "job", lockd.WithoutKeepalive())
	if err != nil {
		t.Fatal(err)
	}
	forced := func() *terminal {
		term := onTerminal(t, server.Addr(), "sh", "-c", `lockctl force-release job --reason test; echo code $?`)
		term.shows(`name +job`)
		term.shows(`in line +nobody: the name will be free`)
		term.shows(`Type yes to end it: `)
		return term
	}
	for answer, says := range map[string]string{"no\n": "nothing was ended", "\n": "nothing was ended", "\x04": "there was no answer"} {
		term := forced()
		term.types(answer)
		term.shows(says)
		term.shows("code 1")
	}
	term := forced()
	if err := lease.Release(t.Context()); err != nil { // and somebody else has it by the time of the yes
		t.Fatal(err)
	}
	if _, err = client.TryAcquire(t.Context(), "job", lockd.WithoutKeepalive()); err != nil {
		t.Fatal(err)
	}
	term.types("yes\n")
	term.shows("is not in force")
	term.shows("code 70")
	term = forced()
	term.types("yes\n")
	term.shows("ended by force:")
	term.shows("code 0")
	if !isFree(t, client, "job") {
		t.Error("the lease stands, want it ended")
	}
}
