package main

import (
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/clients/go/lockdtest"
)

// hold takes leases that stay.
func hold(t *testing.T, server *lockdtest.Server, names ...string) {
	t.Helper()
	client := server.Client(t)
	for _, name := range names {
		if _, err := client.TryAcquire(t.Context(), name, lockd.WithoutKeepalive()); err != nil {
			t.Fatal(err)
		}
	}
}

// A real bash, without the package bash-completion, completes what is typed with what a real lockd holds. A
// name cannot make it run anything.
func TestBashCompletes(t *testing.T) {
	server := lockdtest.Start(t)
	hold(t, server, "orders/42", "user:7/mail:box", "evil", "evil$(touch${IFS}ran)", "evil;touch ran", "evil`touch ran`")
	dir := t.TempDir()
	term := onTerminal(t, server.Addr(), "env", "-C", dir, "HOME="+dir, "HISTFILE=", "INPUTRC=/dev/null", "TERM=dumb", "bash", "--norc", "--noprofile", "-i")
	term.types("source <(lockctl completion bash) && echo sour''ced\n")
	term.shows(`sourced\r?\n`)
	for typed, want := range map[string]string{
		"lockctl get ord\t":                             `lockctl get orders/42 `,
		"lockctl get user:\t":                           `lockctl get user:7/mail:box `,
		"lockctl get user:7/mail:b\t":                   `lockctl get user:7/mail:box `,
		"lockctl ls --server=" + server.Addr() + " o\t": ` orders/`,
		"lockctl rel\t":                                 `lockctl release `,
		"lockctl get x --output=ya\t":                   `--output=yaml `,
		"lockctl context u\t":                           `lockctl context use `,
		"lockctl get ev\t":                              `lockctl get evil `,
	} {
		term.types(typed)
		term.shows(want + "$")
		term.types("\x01: \n") // as arguments of a command that does nothing
		term.shows(`\n\$ $`)
	}
	if out, err := exec.Command("ls", "-A", dir).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("after it completed names there is %s, %v, want nothing", out, err)
	}
}

// Every shell's script is one, as far as that shell is here to say so; bash always is.
func TestCompletionScriptsParse(t *testing.T) {
	t.Parallel()
	for shell, flag := range map[string]string{"bash": "-n", "zsh": "-n", "fish": "--no-execute"} {
		path, err := exec.LookPath(shell)
		if err != nil && shell != "bash" {
			continue
		}
		code, script, text := here(t, "localhost:1", "completion", shell)
		if code != exitOK || !strings.Contains(script, "__complete") {
			t.Fatalf("lockctl completion %s: %d, %s", shell, code, text)
		}
		cmd := exec.Command(path, flag, "/dev/stdin")
		cmd.Stdin = strings.NewReader(script)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v, %s", shell, err, out)
		}
	}
}

// Completed is what lockctl says to a shell that asks.
func completed(t *testing.T, addr string, args ...string) (words []string, directive string) {
	t.Helper()
	code, out, _ := here(t, addr, append([]string{"__complete"}, args...)...)
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if code != exitOK || len(lines) == 0 {
		t.Fatalf("lockctl __complete %q: %d, %s", args, code, out)
	}
	return lines[:len(lines)-1], lines[len(lines)-1]
}

// However many names there are, a hundred are offered, and more of them as they are typed.
func TestManyNamesAreOfferedBySegment(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	var names []string
	for i := range 150 {
		names = append(names, fmt.Sprintf("a/%d/x", i), fmt.Sprintf("b%d", i))
	}
	hold(t, server, names...)
	if words, then := completed(t, server.Addr(), "get", "a"); !slices.Equal(words, []string{"a/"}) || then != ":6" {
		t.Errorf("a: %q %s, want a/ and no space", words, then)
	}
	if words, then := completed(t, server.Addr(), "get", "a/14"); len(words) != 11 || words[0] != "a/14/x" || then != ":4" {
		t.Errorf("a/14: %q %s, want the eleven names", words, then)
	}
	if words, _ := completed(t, server.Addr(), "get", ""); len(words) != completeMost {
		t.Errorf("%d words are offered, want %d", len(words), completeMost)
	}
}

// Nobody waits for a server that is away or says nothing, and nothing is said about that.
func TestCompletionIsBoundedAndSilent(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0") // the kernel connects, and nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	for what, addr := range map[string]string{"nobody there": "127.0.0.1:1", "mute": mute.Addr().String(), "nonsense": "a:b:c", "not allowed": "192.0.2.1:7420"} {
		for _, args := range [][]string{{"get", ""}, {"ls", ""}, {"force-release", "orders/42", "--reason", "x", "--token", ""}} {
			began := time.Now()
			if words, then := completed(t, addr, args...); len(words) > 0 || then != ":4" {
				t.Errorf("%s: lockctl %q offers %q %s, want nothing", what, args, words, then)
			}
			if took := time.Since(began); took > time.Second+500*time.Millisecond {
				t.Errorf("%s: lockctl %q took %s, want at most about a second", what, args, took)
			}
		}
	}
}
