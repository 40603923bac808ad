package fleet

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"time"

	"github.com/lockd/lockd/test/history"
	"github.com/lockd/lockd/test/proc"
)

// startWithin bounds the start of a client process.
const startWithin = 20 * time.Second

// Work is what a client process does until it is stopped: its workers take and give the names, each one of
// them at random.
type Work struct {
	Target  string
	Names   []string
	Workers int
	TTL     time.Duration
	// Holders keep a lease for up to Hold, and pause for up to Between after it.
	Hold, Between time.Duration
	// Impatient of a hundred acquisitions are given only up to Patience.
	Impatient int
	Patience  time.Duration
	Seed      uint64
}

// Client is a client process.
type Client struct {
	proc.Process
	fleet *Fleet
	id    string
}

// Client starts a client process and returns when it works.
func (f *Fleet) Client(w Work) *Client {
	f.t.Helper()
	id := f.nextClient()
	c := &Client{Process: proc.Process{T: f.t, Name: id}, fleet: f, id: id}
	path, err := f.file(id)
	c.Must(err)
	text, err := json.Marshal(order{Work: w, Client: id, History: path})
	c.Must(err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), variable+"="+string(text))
	c.Must(c.Run(cmd))
	f.t.Cleanup(c.Remove)
	_, err = c.Await(regexp.MustCompile(`works`), startWithin)
	c.Must(err)
	return c
}

// Kill ends the process with SIGKILL. The history says when.
func (c *Client) Kill() {
	c.Process.Kill()
	c.fleet.note(history.Record{Kind: history.Killed, Client: c.id, Call: history.Now()})
}

// Stop ends the process as an operator does: its workers give up waiting and give back what they hold. A
// process that found something wrong fails the test.
func (c *Client) Stop() {
	c.T.Helper()
	c.Process.Stop()
	if code := c.ExitCode(); code != 0 {
		c.T.Errorf("%s ended with code %d; its log:\n%s", c.Name, code, c.Log())
	}
}
