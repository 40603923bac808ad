package main

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/lockd/lockd/clients/go/lockdtest"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// watched serves Watch from a script: the n-th call sends the n-th of streams and ends with its error,
// nil: when the client goes.
type watched struct {
	lockdv1.UnimplementedLeaseServiceServer
	streams chan scripted
}

type scripted struct {
	events []*lockdv1.Event
	err    error
}

func watchScript(streams ...scripted) *watched {
	w := &watched{streams: make(chan scripted, len(streams))}
	for _, s := range streams {
		w.streams <- s
	}
	close(w.streams)
	return w
}

func (w *watched) Watch(_ *lockdv1.WatchRequest, stream grpc.ServerStreamingServer[lockdv1.WatchResponse]) error {
	script, ok := <-w.streams
	if !ok {
		return status.Error(codes.PermissionDenied, "the script is over")
	}
	if len(script.events) > 0 {
		if err := stream.Send(&lockdv1.WatchResponse{Events: script.events}); err != nil {
			return err
		}
	}
	if script.err == nil {
		<-stream.Context().Done()
	}
	return script.err
}

var (
	synced   = &lockdv1.Event{Kind: lockdv1.Event_SYNCED}
	draining = status.Error(codes.Unavailable, "draining")
)

func acquiredEvent(name string, token int64) *lockdv1.Event {
	return &lockdv1.Event{Kind: lockdv1.Event_ACQUIRED, Name: name, Token: token, Owner: "me"}
}

func TestWatchForPeople(t *testing.T) {
	t.Parallel()
	at := timestamppb.New(time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC))
	addr := serve(t, watchScript(scripted{[]*lockdv1.Event{
		synced,
		{Kind: lockdv1.Event_QUEUED, Name: "orders/42", At: at, Owner: "you", Ticket: 17},
		{Kind: lockdv1.Event_FORCED, Name: "orders/42", At: at, Token: 5, Owner: "me", By: "ops", Reason: "host\nis gone"},
		{Kind: lockdv1.Event_ACQUIRED, Name: "orders/42", At: at, Token: 6, Owner: "you", Ticket: 17},
		{Kind: lockdv1.Event_MISSED, Missed: 3},
		{Kind: lockdv1.Event_MISSED},
	}, status.Error(codes.PermissionDenied, "no more")}))
	code, out, text := here(t, addr, "watch", "orders")
	want := `
TIME                  EVENT     NAME                      TOKEN             OWNER                     DETAIL
2026-01-02T03:04:05Z  queued    orders/42                 -                 you                       ticket 17
2026-01-02T03:04:05Z  forced    orders/42                 5                 me                        by ops: "host\nis gone"
2026-01-02T03:04:05Z  acquired  orders/42                 6                 you                       ticket 17
-                     missed    -                         -                 -                         3 events are missing here
-                     missed    -                         -                 -                         events are missing here
`
	if code != exitDenied || out != want[1:] {
		t.Errorf("lockctl watch: %d, %s, want %d, %s", code, out, exitDenied, want)
	}
	if want := "lockctl: watching orders at " + addr + "\nlockctl: denied: no more\n"; text != want {
		t.Errorf("lockctl watch says %q, want %q", text, want)
	}
}

// One stream after another reads as one: it begins once, and says where events may be missing.
func TestWatchGoesOnAtTheNextServer(t *testing.T) {
	t.Parallel()
	addr := serve(t, watchScript(
		scripted{nil, draining}, // before it has begun
		scripted{[]*lockdv1.Event{synced, acquiredEvent("a", 1)}, draining},
		scripted{nil, draining},
		scripted{[]*lockdv1.Event{synced, acquiredEvent("a", 2)}, status.Error(codes.PermissionDenied, "no more")},
	))
	code, out, text := here(t, addr, "watch", "-o", "jsonl")
	var kinds []string
	for line := range strings.Lines(out) {
		kind, _, _ := strings.Cut(strings.TrimPrefix(line, `{"kind":"`), `"`)
		kinds = append(kinds, kind)
	}
	if got, want := strings.Join(kinds, " "), "SYNCED ACQUIRED MISSED ACQUIRED"; code != exitDenied || got != want {
		t.Errorf("lockctl watch: %d, %s, want %d, %s", code, got, exitDenied, want)
	}
	if want := "lockctl: the server went away (draining): events may be missing\nlockctl: denied: no more\n"; text != want {
		t.Errorf("lockctl watch says %q, want %q", text, want)
	}
}

func TestWatchGivesUpOnAServerThatStaysAway(t *testing.T) {
	t.Parallel()
	streams := []scripted{{[]*lockdv1.Event{synced}, draining}}
	for range 100 {
		streams = append(streams, scripted{nil, draining})
	}
	addr := serve(t, watchScript(streams...))
	code, _, text := here(t, addr, "--unavailable-for", "300ms", "watch")
	if code != exitUnavailable || !strings.Contains(text, "nobody served at "+addr+" for 300ms: draining") {
		t.Errorf("lockctl watch: %d, %q, want %d, nobody served", code, text, exitUnavailable)
	}
}

// A line is there as soon as its event is, and an interrupted watch has done what it was to do.
func TestWatchPrintsWhatHappensAsItHappens(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	client := server.Client(t)
	l := start(t, server.Addr(), "watch", "orders", "-o", "jsonl")
	l.await(`{"kind":"SYNCED",.*}\n`)
	takeOver(t, client, "other")
	lease := takeOver(t, client, "orders/42")
	l.await(`{"kind":"ACQUIRED","name":"orders/42",.*"token":"[1-9][0-9]*",.*}\n`)
	if err := lease.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.await(`{"kind":"RELEASED","name":"orders/42",.*}\n`)
	if strings.Contains(l.Log(), "other") {
		t.Error("it prints what happens elsewhere")
	}
	l.Signal(syscall.SIGINT)
	l.exits(exitOK)
}

// Once it has been there, its absence is put up with for as long as any other's.
func TestWatchWaitsForAServerThatWasThere(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	l := start(t, server.Addr(), "watch", "--unavailable-for", "500ms")
	l.await("TIME")
	server.Stop(t)
	l.exits(exitUnavailable)
	l.await("nobody served at .* for 500ms")
}

// A server that comes back is watched again.
func TestWatchOutlivesItsServer(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	l := start(t, server.Addr(), "watch", "-o", "jsonl")
	l.await(`"SYNCED"`)
	server.Stop(t)
	l.await("the server went away .*: events may be missing\n")
	server.Start(t)
	l.await(`"MISSED"`)
	takeOver(t, server.Client(t), "job")
	l.await(`{"kind":"ACQUIRED","name":"job",.*}\n`)
	l.Signal(syscall.SIGTERM)
	l.exits(exitOK)
}

// Nothing was watched.
func TestAWatchInterruptedBeforeItBeganIs130(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	addr := serve(t, nil, grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		close(begun)
		<-stream.Context().Done()
		return nil
	}))
	l := start(t, addr, "watch")
	<-begun
	l.Signal(syscall.SIGINT)
	l.exits(130)
}

func TestAWatchThatNobodyReadsEndsQuietly(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	client := server.Client(t)
	cmd := command(t, server.Addr(), "watch", "-o", "jsonl")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var says strings.Builder
	cmd.Stderr = &says
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 100)); err != nil { // it has begun
		t.Fatal(err)
	}
	out.Close()
	takeOver(t, client, "job")
	if err := cmd.Wait(); err != nil || says.Len() > 0 {
		t.Errorf("lockctl watch: %v, %q, want success without a word", err, says.String())
	}
}
