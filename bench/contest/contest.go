// Package contest has many workers in client processes of their own want one name, each sleeping as its
// holder and again after, and measures what comes of it, from the processes' own records on one clock.
package contest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/lockd/lockd/bench/machine"
	"github.com/lockd/lockd/test/history"
)

// Kind is a lock.
type Kind string

// The locks that can be measured.
const (
	Lockd       Kind = "lockd"
	Redsync     Kind = "redsync"
	Rueidislock Kind = "rueidislock"
)

// Contest is a way to contend.
type Contest struct {
	Kind    Kind
	Targets []string // where each client process goes
	Workers int      // of all client processes together
	Servers []int    // the pids of what serves them, Redis included
	Dir     string   // for what the processes write
	Watch   string   // a lockd to watch, to see the order of grants; "" for none, which costs less

	Hold, Between time.Duration
	WarmUp        time.Duration // not measured
	Measure       time.Duration
}

// startWithin bounds how long client processes may take to be ready.
const startWithin = 30 * time.Second

// Run runs the client processes and returns what they did.
func (c Contest) Run() (f Figures, err error) {
	var all []*client
	defer func() {
		for _, one := range all {
			one.end()
		}
	}()
	for i, target := range c.Targets {
		one, err := c.start(i, target)
		if err != nil {
			return f, err
		}
		all = append(all, one)
	}
	for _, one := range all {
		if err := one.ready(); err != nil {
			return f, err
		}
	}
	if c.Watch != "" {
		w, err := startWatch(c.Watch)
		if err != nil {
			return f, err
		}
		defer func() { f.Wrong = append(f.Wrong, w.stop()...) }()
	}
	begin := history.Now() + int64(50*time.Millisecond)
	window := window{begin + int64(c.WarmUp), begin + int64(c.WarmUp+c.Measure)}
	for _, one := range all {
		if _, err := fmt.Fprintf(one.stdin, "%d %d\n", begin, window.to); err != nil {
			return f, err
		}
	}
	cpu, err := c.cost(all, window)
	if err != nil {
		return f, err
	}
	var files []string
	for _, one := range all {
		if err := one.wait(); err != nil {
			return f, err
		}
		files = append(files, one.order.History)
	}
	records, err := history.ReadFiles(files...)
	if err != nil {
		return f, err
	}
	var holds []history.Hold
	f, holds = measure(records, window, c.Workers)
	f.CPU = float64(cpu) / float64(c.Measure)
	if c.Kind == Lockd {
		f.Wrong = append(f.Wrong, history.CheckTokens(holds)...)
	}
	return f, nil
}

// cost is the processor time that everybody involved uses in the window.
func (c Contest) cost(all []*client, w window) (time.Duration, error) {
	pids := c.Servers
	for _, one := range all {
		pids = append(pids[:len(pids):len(pids)], one.cmd.Process.Pid)
	}
	time.Sleep(time.Duration(w.from - history.Now()))
	before, err := machine.CPU(pids...)
	if err != nil {
		return 0, err
	}
	time.Sleep(time.Duration(w.to - history.Now()))
	after, err := machine.CPU(pids...)
	return after - before, err
}

// client is a client process.
type client struct {
	order  order
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	waited bool
}

func (c Contest) start(i int, target string) (*client, error) {
	id := fmt.Sprintf("client-%d", i)
	one := &client{order: order{
		Kind: c.Kind, Target: target, Number: int64(i) + 1, Client: id, Workers: c.Workers / len(c.Targets),
		History: filepath.Join(c.Dir, id+".jsonl"), Hold: c.Hold, Between: c.Between,
	}}
	text, err := json.Marshal(one.order)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	one.cmd = exec.Command(self)
	one.cmd.Env = append(os.Environ(), variable+"="+string(text))
	one.cmd.Stderr = os.Stderr
	if one.stdin, err = one.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := one.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	one.stdout = bufio.NewReader(out)
	return one, one.cmd.Start()
}

// ready waits until the process says so. One that hangs is killed.
func (c *client) ready() error {
	late := time.AfterFunc(startWithin, func() { _ = c.cmd.Process.Kill() })
	defer late.Stop()
	if _, err := c.stdout.ReadString('\n'); err != nil {
		return fmt.Errorf("a client process did not become ready: %w", errors.Join(err, c.wait()))
	}
	return nil
}

func (c *client) wait() error {
	c.waited = true
	late := time.AfterFunc(startWithin, func() { _ = c.cmd.Process.Kill() })
	defer late.Stop()
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("client process of %s: %w", c.order.Kind, err)
	}
	return nil
}

// end kills what has not been waited for.
func (c *client) end() {
	if !c.waited && c.cmd.Process != nil {
		_ = c.cmd.Process.Kill()
		_ = c.wait()
	}
}
