package guard

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// patience bounds what should have happened long before.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	if Is(os.Args) {
		os.Exit(Main(os.Args))
	}
	// The race detector has a process that ends sleep for a second, for other threads' reports.
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	goleak.VerifyTestMain(m)
}

// startCommand runs a shell script under a guard. What the script writes to $OUT is for await.
func startCommand(t *testing.T, until time.Time, linger time.Duration, script string) (*Guard, *output) {
	t.Helper()
	out := &output{t: t, path: filepath.Join(t.TempDir(), "out")}
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	g, err := Start(Command{
		Path: sh, Args: []string{"sh", "-c", script}, Env: append(os.Environ(), "OUT="+out.path), Linger: linger,
	}, until)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g, out
}

// output is a file that a command writes to.
type output struct {
	t    *testing.T
	path string
}

// await waits for a line "NAME PID" and returns the process id.
func (o *output) await(name string) int {
	o.t.Helper()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for late := time.After(patience); ; {
		text, _ := os.ReadFile(o.path) // not there yet
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, name+" "); ok && strings.HasSuffix(rest, "\n") {
				pid, err := strconv.Atoi(strings.TrimSpace(rest))
				if err != nil {
					o.t.Fatal(err)
				}
				return pid
			}
		}
		select {
		case <-look.C:
		case <-late:
			o.t.Fatalf("the command does not write %q", name)
		}
	}
}

// next returns the next event.
func next(t *testing.T, g *Guard) Event {
	t.Helper()
	select {
	case event, ok := <-g.Events():
		if !ok {
			t.Fatal("the guard is gone")
		}
		return event
	case <-time.After(patience):
		t.Fatal("the guard reports nothing")
	}
	return Event{}
}

// rest returns the events up to the guard's end, and checks that Started, the first one, names a process.
func rest(t *testing.T, g *Guard) []Event {
	t.Helper()
	if first := next(t, g); first.Kind != Started || first.Number <= 1 {
		t.Errorf("first event = %v, want Started with a process id", first)
	}
	var events []Event
	for event := range g.Events() {
		events = append(events, event)
	}
	return events
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// dead reports whether a process is gone, or a zombie that somebody is yet to reap.
func dead(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	p, _ := parseStat(pid, stat)
	return p.dead
}

func TestEndedCarriesTheExitCode(t *testing.T) {
	for script, want := range map[string]int{"exit 0": 0, "exit 3": 3, "kill -TERM $$": 128 + 15, "kill -KILL $$": 128 + 9} {
		g, _ := startCommand(t, time.Time{}, 0, script)
		if diff := cmp.Diff([]Event{{Ended, want}}, rest(t, g)); diff != "" {
			t.Errorf("events of %q (-want +got):\n%s", script, diff)
		}
	}
}

func TestNotStartedCarriesTheErrno(t *testing.T) {
	dir := t.TempDir()
	noScript := filepath.Join(dir, "no-script")
	must(t, os.WriteFile(noScript, []byte("no script\n"), 0o700))
	for path, want := range map[string]syscall.Errno{
		filepath.Join(dir, "missing"): unix.ENOENT, dir: unix.EACCES, noScript: unix.ENOEXEC,
	} {
		g, err := Start(Command{Path: path, Args: []string{"x"}}, time.Time{})
		must(t, err)
		if got := next(t, g); got != (Event{NotStarted, int(want)}) {
			t.Errorf("event for %s = %v, want NotStarted, %d", path, got, want)
		}
		if event, ok := <-g.Events(); ok {
			t.Errorf("event after NotStarted = %v, want none", event)
		}
		g.Close()
	}
}

func TestWhatIsTooLateIsNotStarted(t *testing.T) {
	g, out := startCommand(t, time.Now(), 0, `echo started $$ >$OUT`)
	if got := next(t, g); got != (Event{NotStarted, int(unix.ETIMEDOUT)}) {
		t.Errorf("event = %v, want NotStarted, ETIMEDOUT", got)
	}
	if _, err := os.Stat(out.path); err == nil {
		t.Error("it was started")
	}
}

// The caller need not do anything for it: it could be stopped, or hang.
func TestTheCommandIsKilledWhenItsTimeIsOver(t *testing.T) {
	const allowed = 300 * time.Millisecond
	until := time.Now().Add(allowed)
	g, _ := startCommand(t, until, time.Hour, `trap "" TERM; while :; do sleep 0.01; done`)
	events := rest(t, g)
	late := time.Since(until)
	if diff := cmp.Diff([]Event{{Killing, 0}, {Ended, 128 + 9}}, events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if late < 0 {
		t.Errorf("it was killed %s before its time", -late)
	}
}

func TestUntilMovesTheMoment(t *testing.T) {
	g, out := startCommand(t, time.Now().Add(patience), 0, `echo here $$ >$OUT; while :; do sleep 0.01; done`)
	pid := out.await("here")
	must(t, g.Until(time.Time{}))
	must(t, g.Until(time.Now().Add(time.Hour)))
	if dead(pid) {
		t.Error("the command was killed")
	}
	must(t, g.Until(time.Now()))
	if diff := cmp.Diff([]Event{{Killing, 0}, {Ended, 128 + 9}}, rest(t, g)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// Descendants die wherever they went: the group, other groups, other sessions, orphans among them.
func TestKillingReachesEveryDescendant(t *testing.T) {
	const script = `trap "" TERM HUP
sleep 1000 & echo inside $! >>$OUT
timeout 1000 sh -c 'echo group $$ >>$OUT; sleep 1000' &
setsid sh -c 'sh -c "echo orphan \$\$ >>$OUT; exec sleep 1000" & echo session $$ >>$OUT; exit' &
echo leader $$ >>$OUT
wait; sleep 1000`
	for how, end := range map[string]func(t *testing.T, g *Guard, leader int){
		"time is over":        func(t *testing.T, g *Guard, _ int) { must(t, g.Until(time.Now())) },
		"the caller vanishes": func(t *testing.T, g *Guard, _ int) { must(t, g.Close()) },
		"the guard is killed": func(t *testing.T, g *Guard, _ int) {
			if stuck := g.Abandon(); stuck != 0 {
				t.Errorf("process %d could not be killed", stuck)
			}
		},
		"the guard is stopped": func(t *testing.T, g *Guard, _ int) {
			must(t, unix.Kill(g.process.Process.Pid, unix.SIGSTOP))
			g.Abandon()
		},
		"the leader died before": func(t *testing.T, g *Guard, leader int) {
			must(t, unix.Kill(leader, unix.SIGKILL))
			must(t, g.Until(time.Now()))
		},
	} {
		t.Run(how, func(t *testing.T) {
			g, out := startCommand(t, time.Time{}, time.Hour, script)
			pids := []int{out.await("inside"), out.await("group"), out.await("orphan"), out.await("leader")}
			out.await("session")
			end(t, g, pids[3])
			for range g.Events() {
			}
			// The caller's vanishing is seen by the guard alone, so that it may still be at work.
			for _, pid := range pids {
				for late := time.Now().Add(patience); !dead(pid); {
					if time.Now().After(late) {
						t.Fatalf("process %d of %v lives", pid, pids)
					}
				}
			}
		})
	}
}

// Like the reader of a pipe that has not seen its end yet.
func TestWhatIsLeftInTheGroupMayEndByItself(t *testing.T) {
	g, out := startCommand(t, time.Time{}, time.Hour, `
sh -c 'trap "echo term $$ >>$OUT; exit" TERM; echo reader $$ >>$OUT; sleep 0.1; echo done $$ >>$OUT' &
until grep -q reader $OUT; do sleep 0.01; done 2>/dev/null
exit 5`)
	if diff := cmp.Diff([]Event{{Ended, 5}}, rest(t, g)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	out.await("done")
}

func TestWhatIsLeftInTheGroupIsEnded(t *testing.T) {
	g, out := startCommand(t, time.Time{}, time.Second, `
sh -c 'trap "echo term $$ >>$OUT; exit" TERM; echo obedient $$ >>$OUT; while :; do sleep 0.01; done' &
setsid sh -c 'echo detached $$ >>$OUT; exec sleep 1000' &
until grep -q obedient $OUT && grep -q detached $OUT; do sleep 0.01; done 2>/dev/null
exit 5`)
	events := rest(t, g)
	if len(events) != 2 || events[0].Kind != LeftBehind || events[1] != (Event{Ended, 5}) {
		t.Errorf("events = %v, want LeftBehind and Ended with 5", events)
	}
	if pid := out.await("term"); !dead(pid) {
		t.Error("what was left in the group is alive")
	}
	detached := out.await("detached")
	if dead(detached) {
		t.Error("what had left the group was killed")
	}
	must(t, unix.Kill(detached, unix.SIGKILL))
}

func TestWhatIsLeftAndDeafIsKilledAfterLinger(t *testing.T) {
	g, out := startCommand(t, time.Time{}, 100*time.Millisecond, `
sh -c 'trap "" TERM; echo deaf $$ >>$OUT; while :; do sleep 0.01; done' &
until grep -q deaf $OUT; do sleep 0.01; done 2>/dev/null
exit 5`)
	events := rest(t, g)
	if got := events[len(events)-1]; got != (Event{Ended, 5}) {
		t.Errorf("last event = %v, want Ended with 5", got)
	}
	if pid := out.await("deaf"); !dead(pid) {
		t.Error("what was left in the group is alive")
	}
}

// A child that the caller had before, from an exec in a shell, is not the command's.
func TestAbandonSparesOtherChildren(t *testing.T) {
	other := exec.Command("sleep", "1000")
	must(t, other.Start())
	g, _ := startCommand(t, time.Time{}, 0, "sleep 1000")
	g.Abandon()
	if dead(other.Process.Pid) {
		t.Error("a child that was there before is dead")
	}
	must(t, other.Process.Kill())
	_ = other.Wait() // killed
}

func TestParseStat(t *testing.T) {
	for text, want := range map[string]process{
		"7 (sh) S 3 5 5 0 -1":          {pid: 7, parent: 3, group: 5},
		"7 (a) Z (b) R) Z 3 5 5 0 -1":  {pid: 7, parent: 3, group: 5, dead: true},
		"7 (new\nline) X 3 5 5 0 -1\n": {pid: 7, parent: 3, group: 5, dead: true},
	} {
		if got, ok := parseStat(7, []byte(text)); !ok || got != want {
			t.Errorf("parseStat(%q) = %+v, %t, want %+v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "7 (sh)", "7 (sh) S x 5", "7 (sh) S 3 x"} {
		if got, ok := parseStat(7, []byte(text)); ok {
			t.Errorf("parseStat(%q) = %+v, want none", text, got)
		}
	}
}
