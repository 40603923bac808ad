package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lockd/lockd/clients/go/lockdtest"
)

// There is colour on a terminal that has it, and where it was asked for; in a log of errors never.
func TestColouredOnTerminalsOnly(t *testing.T) {
	server := lockdtest.Start(t)
	const code = "\x1b["
	for _, c := range []struct {
		env, args []string
		want      bool
	}{
		{nil, nil, true},
		{[]string{"NO_COLOR=1"}, nil, false},
		{[]string{"NO_COLOR="}, nil, true},
		{[]string{"TERM=dumb"}, nil, false},
		{[]string{"TERM="}, nil, false},
		{nil, []string{"--color", "never"}, false},
		{[]string{"NO_COLOR=1"}, []string{"--color", "always"}, true},
		{nil, []string{"-o", "json"}, false},
		{nil, []string{"--no-such-flag"}, true},
		{nil, []string{"--no-such-flag", "--color", "never"}, false},
		{nil, []string{"--color=never", "--no-such-flag"}, false},
	} {
		shell := fmt.Sprintf("export TERM=xterm; %s lockctl status %s; echo the end", strings.Join(c.env, " "), strings.Join(c.args, " "))
		term := onTerminal(t, server.Addr(), "sh", "-c", shell)
		if shown := term.shows(`(?s)^.*the end`)[0]; strings.Contains(shown, code) != c.want {
			t.Errorf("%s: it writes %q, want colour: %t", shell, shown, c.want)
		}
	}
	for _, c := range []struct {
		args          []string
		stdout, error bool
	}{
		{[]string{"status"}, false, false},
		{[]string{"status", "--color", "always"}, true, false},
		{[]string{"status", "--color", "always", "--no-such-flag"}, false, false},
	} {
		_, out, text := here(t, server.Addr(), c.args...)
		if strings.Contains(out, code) != c.stdout || strings.Contains(text, code) {
			t.Errorf("lockctl %q into a file: %q, %q, want colour: %t, in errors never", c.args, out, text, c.stdout)
		}
	}
}
