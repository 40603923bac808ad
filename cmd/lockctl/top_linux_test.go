package main

import (
	"fmt"
	"regexp"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lockd/lockd/clients/go/lockdtest"
)

// On a terminal of 80 columns, as over ssh, top shows what is held and follows it; it has no colour where none is wanted, and q
// ends it and leaves the terminal as it was.
func TestTopShowsWhatIsHeldUntilQ(t *testing.T) {
	server := lockdtest.Start(t)
	hold(t, server, "orders/42")
	for later, env := range []string{"TERM=xterm NO_COLOR=1", "TERM=xterm-256color NO_COLOR="} {
		wantColour := later > 0
		term := onTerminal(t, server.Addr(), "sh", "-c", `read go; export `+env+`; before=$(stty -g); lockctl top --every 500ms; echo "code $?"; test "$before" = "$(stty -g)" && echo "as before"; echo the end`)
		if err := unix.IoctlSetWinsize(int(term.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
			t.Fatal(err)
		}
		term.types("go\n")
		text := term.shows(`(?s)^.*orders/42`)[0]
		hold(t, server, fmt.Sprint("later/", later))
		text += term.shows(fmt.Sprint(`(?s)^.*later/`, later))[0]
		if coloured := regexp.MustCompile(`\x1b\[(1;)?3[0-9]m`).MatchString(text); coloured != wantColour {
			t.Errorf("%s: it writes %q, want colour: %t", env, text, wantColour)
		}
		term.types("q")
		term.shows(`code 0`)
		term.shows(`as before`)
		term.shows(`the end`)
	}
}

// A lockd that goes away is said, and what was seen stays; Ctrl-C ends it as q does, a signal as others are.
func TestTopSaysThatLockdIsAway(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	hold(t, server, "orders/42")
	term := onTerminal(t, server.Addr(), "sh", "-c", `lockctl top --every 500ms; echo "code $?"; lockctl top; echo "code $?"`)
	term.shows(`orders/42`)
	server.Stop(t)
	term.shows(`(?s)nobody served|cannot connect`)
	term.types("\x03")
	term.shows(`code 0`)
	term.shows(`cannot connect`)
	term.types("q")
	term.shows(`code 0`)
}
