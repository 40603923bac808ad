package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/clients/go/lockdtest"
)

// TestScripts runs testdata/script, each with a lockd of its own. Beyond testscript's commands there are
//
//	code N COMMAND…    runs it and wants the exit code N
//	hold NAME          takes a lease as "somebody else" and keeps it
//	expire NAME        lets a lease run out
//	wait-for NAME N    has waiter-1 to waiter-N stand in line for it, until the script ends
//	stop-server        makes lockd unreachable
//
// and $LONG, 300 bytes, and $SERVER, where that lockd is.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			server := lockdtest.Start(t)
			env.Values["server"] = server
			env.Setenv(serverVariable, server.Addr())
			env.Setenv("SERVER", server.Addr())
			env.Setenv("LONG", strings.Repeat("x", 300))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"code": func(ts *testscript.TestScript, neg bool, args []string) {
				want, err := strconv.Atoi(args[0])
				ts.Check(err)
				got := 0
				var exit *exec.ExitError
				if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
					got = exit.ExitCode()
				} else {
					ts.Check(err)
				}
				if got != want {
					ts.Fatalf("it ended with %d, want %d", got, want)
				}
			},
			"hold": func(ts *testscript.TestScript, neg bool, args []string) {
				ts.Check(ts.Exec("lockctl", "acquire", args[0], "--owner", "somebody else"))
			},
			"wait-for": func(ts *testscript.TestScript, neg bool, args []string) {
				n, err := strconv.Atoi(args[1])
				ts.Check(err)
				ts.Check(haveWait(t, ts, args[0], n))
			},
			"expire": func(ts *testscript.TestScript, neg bool, args []string) {
				ts.Value("server").(*lockdtest.Server).Expire(t, args[0])
			},
			"stop-server": func(ts *testscript.TestScript, neg bool, args []string) {
				ts.Value("server").(*lockdtest.Server).Stop(t)
			},
		},
	})
}

// haveWait has n wait for name, one after the other, until the script ends.
func haveWait(t *testing.T, ts *testscript.TestScript, name string, n int) error {
	server := ts.Value("server").(*lockdtest.Server)
	for i := range n {
		client, err := lockd.Dial(server.Addr(), lockd.WithOwner(fmt.Sprintf("waiter-%d", i+1)))
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(context.Background())
		var waiting sync.WaitGroup
		waiting.Go(func() { _, _ = client.Acquire(ctx, name) }) // ends with the script
		ts.Defer(func() { cancel(); waiting.Wait(); _ = client.Close() })
		eventually(t, "they stand in line", func() bool { return inLine(t, client, name) == int64(i+1) })
	}
	return nil
}
