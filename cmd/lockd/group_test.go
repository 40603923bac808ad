package main

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"github.com/lockd/lockd/test/redisproc"
)

// lockdSays runs lockd with args, answers its exit code and all that it wrote, and gives it input to read.
func lockdSays(t *testing.T, input string, args ...string) (code int, said string) {
	t.Helper()
	var out bytes.Buffer
	cmd := command(nil, nil)
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetIn(strings.NewReader(input))
	err := cmd.ExecuteContext(t.Context())
	if err != nil {
		out.WriteString(err.Error())
	}
	return exitCode(err), out.String()
}

// An operator sees what is about to be done to the nodes, is asked, and is told what is wrong.
func TestRedlockCommands(t *testing.T) {
	t.Parallel()
	var urls []string
	var nodes []*redisproc.Server
	for range 3 {
		s := redisproc.Start(t)
		urls, nodes = append(urls, s.URL()), append(nodes, s)
	}
	list := strings.Join(urls, ",")
	dead, err := net.Listen("tcp", "127.0.0.1:0") // mute
	if err != nil {
		t.Fatal(err)
	}
	defer dead.Close()
	for _, step := range []struct {
		what, input string
		args        []string
		code        int
		says        []string
	}{
		{"nothing", "", []string{"redlock"}, exitUsage, []string{"want lockd redlock replace, or init"}},
		{"no nodes", "", []string{"redlock", "init"}, exitUsage, []string{"redlock is not set"}},
		{"two nodes", "", []string{"redlock", "init", "--redlock", urls[0] + "," + urls[1]}, exitUsage, []string{"want 3, 5 or 7"}},
		{"one is mute", "", []string{"redlock", "init", "--yes", "--redlock", urls[0] + "," + urls[1] + ",redis://" + dead.Addr().String()},
			exitUnreachable, []string{dead.Addr().String(), "want all nodes to answer"}},
		{"no group", "", []string{"redlock", "replace", "--yes", "--redlock", list}, exitOther, []string{"0 of the 3 nodes are members", "lockd redlock init"}},
		{"not confirmed", "no\n", []string{"redlock", "init", "--redlock", list}, exitOther, []string{nodes[2].Addr() + " is empty", "Type yes", "nothing was done"}},
		{"nobody answers", "", []string{"redlock", "init", "--redlock", list}, exitOther, []string{"nothing was done"}},
		{"confirmed", "yes\n", []string{"redlock", "init", "--redlock", list}, exitDrained, []string{"done"}},
		{"nothing to do", "", []string{"redlock", "replace", "--redlock", list}, exitDrained, []string{"nothing to do"}},
		{"again, unasked", "", []string{"redlock", "init", "--yes", "--redlock", list}, exitDrained, []string{"no lease is granted for 1h6m", "done"}},
		{"longer leases", "", []string{"redlock", "replace", "--yes", "--redlock", list, "--max-ttl", "2h"}, exitDrained, []string{"leases may last 2h12m0s, instead of 1h6m0s", "done"}},
		{"as long as they are", "", []string{"redlock", "replace", "--redlock", list}, exitDrained, []string{"nothing to do"}},
		{"twice the same", "", []string{"redlock", "init", "--yes", "--redlock", urls[0] + "," + urls[1] + "," + urls[1] + "?db=0"}, exitUsage, []string{"listed twice"}},
	} {
		if code, said := lockdSays(t, step.input, step.args...); code != step.code || !holds(said, step.says) {
			t.Errorf("%s: exit code %d, saying\n%s\nwant %d and %q", step.what, code, said, step.code, step.says)
		}
	}
}

func holds(said string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(said, part) {
			return false
		}
	}
	return true
}
