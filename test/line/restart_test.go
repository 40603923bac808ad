package line

import (
	"context"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/test/fleet"
	"github.com/lockd/lockd/test/history"
)

// One lockd after the other is drained and started again while 64 contend: no lease is lost, nobody sees an
// error, nobody loses the place in line, and nobody is served before one who was there earlier. A third
// lockd that serves nobody looks on.
func TestRollingRestartKeepsEveryPlace(t *testing.T) {
	f := fleet.Start(t, 3)
	line := watch(t, connect(t, f.Lockds[2]), "contended")
	var clients []*fleet.Client
	for i := range 2 {
		clients = append(clients, f.Client(fleet.Work{
			Target: f.Target(i, 1-i), Names: []string{"contended"}, Workers: 32, TTL: 3 * time.Second,
			Hold: 2 * time.Millisecond, Between: 2 * time.Millisecond, Seed: uint64(i),
		}))
	}
	for i := range 4 {
		line.turns(t, 64)
		lockd := f.Lockds[i%2]
		lockd.Stop()
		if code := lockd.ExitCode(); code != 0 {
			t.Errorf("lockd drained with exit code %d, want 0", code)
		}
		line.turns(t, 64)
		lockd.Restart()
	}
	line.turns(t, 64)
	// Before the clients give up their places by themselves.
	until(t, "whoever left is back at its place", func() bool { return line.away() == 0 })
	for _, c := range clients {
		c.Stop()
	}
	line.check(t)
	records := f.History()
	right(t, records)
	for _, r := range records {
		if r.Kind == history.Lost || r.Error != "" {
			t.Errorf("%s/%d: %s: %s, want no error and no loss", r.Client, r.Worker, r.Kind, r.Error)
		}
	}
}

// watched is a line that a watch follows.
type watched struct {
	mu   sync.Mutex
	line history.Line
	err  error // why the watch ended, if it did
}

// watch follows the line of name until the test ends.
func watch(t *testing.T, lockd api, name string) *watched {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := lockd.Watch(ctx, &lockdv1.WatchRequest{Prefix: name}, grpc.WaitForReady(true))
	if err == nil {
		_, err = stream.Recv() // SYNCED
	}
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	w := &watched{}
	var following sync.WaitGroup
	following.Go(func() {
		for {
			m, err := stream.Recv()
			w.mu.Lock()
			w.line.Add(m.GetEvents()...)
			w.err = err
			w.mu.Unlock()
			if err != nil {
				return
			}
		}
	})
	t.Cleanup(func() { cancel(); following.Wait() })
	return w
}

// turns waits until so many more have come to their turn.
func (w *watched) turns(t *testing.T, n int) {
	t.Helper()
	granted := func() int {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.err != nil {
			t.Fatalf("the watch ended: %v", w.err)
		}
		return w.line.Granted
	}
	enough := granted() + n
	until(t, "more have had their turn", func() bool { return granted() >= enough })
}

func (w *watched) away() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.line.Away()
}

// check fails the test if a grant was out of order, or events were missed, so that nobody knows.
func (w *watched) check(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, err := range w.line.Wrong() {
		if i == 10 {
			t.Errorf("... and %d more", len(w.line.Wrong())-i)
			break
		}
		t.Error(err)
	}
	if w.line.Missed > 0 || w.err != nil {
		t.Errorf("the watch missed events %d times and ended with %v, want neither", w.line.Missed, w.err)
	}
}
