package rpc

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// watching is a store whose one watcher the test feeds.
type watching struct {
	fakeStore
	prefix  string
	begun   chan func(lease.Event)
	stopped chan struct{}
}

func newWatching() *watching {
	w := &watching{begun: make(chan func(lease.Event), 1), stopped: make(chan struct{})}
	w.watch = func(_ context.Context, prefix string, deliver func(lease.Event)) (func(), error) {
		w.prefix = prefix
		deliver(lease.Event{Kind: lease.EventQueued, Name: "early"}) // a store may begin before it returns
		w.begun <- deliver
		return func() { close(w.stopped) }, nil
	}
	return w
}

func TestAWatchBeginsWithSyncedAndPassesEveryEventOn(t *testing.T) {
	store := newWatching()
	s := serve(t, store)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	watch, err := s.leases.Watch(ctx, &lockdv1.WatchRequest{Prefix: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	deliver := <-store.begun
	if store.prefix != "orders" {
		t.Errorf("the store is asked to watch %q, want orders", store.prefix)
	}
	at := time.Unix(1_700_000_000, 0)
	want := []*lockdv1.Event{{Kind: lockdv1.Event_SYNCED}, {Kind: lockdv1.Event_QUEUED, Name: "early"}}
	for kind, wire := range map[lease.EventKind]lockdv1.Event_Kind{
		lease.EventAcquired: lockdv1.Event_ACQUIRED, lease.EventReleased: lockdv1.Event_RELEASED, lease.EventExpired: lockdv1.Event_EXPIRED,
		lease.EventForced: lockdv1.Event_FORCED, lease.EventQueued: lockdv1.Event_QUEUED, lease.EventLeft: lockdv1.Event_LEFT,
		lease.EventMissed: lockdv1.Event_MISSED,
	} {
		deliver(lease.Event{
			Kind: kind, Name: "orders/42", At: at, Token: 7, Owner: "ana", Principal: "svc", Ticket: 11, By: "ops", Reason: "fire", Missed: 3,
		})
		want = append(want, &lockdv1.Event{
			Kind: wire, Name: "orders/42", At: timestamppb.New(at), Token: 7, Owner: "ana", Principal: "svc", Ticket: 11, By: "ops", Reason: "fire", Missed: 3,
		})
	}
	var got []*lockdv1.Event
	for len(got) < len(want) {
		m, err := watch.Recv()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m.GetEvents()...)
	}
	reply(t, &lockdv1.WatchResponse{Events: got}, nil, &lockdv1.WatchResponse{Events: want})

	cancel()
	<-store.stopped
}

func TestAWatchThatCannotBeginSaysWhy(t *testing.T) {
	for want, fault := range map[string]error{"STORE_UNAVAILABLE": lease.ErrUnavailable, "INTERNAL": errors.New("boom")} {
		s := serve(t, &fakeStore{watch: func(context.Context, string, func(lease.Event)) (func(), error) { return nil, fault }})
		watch, err := s.leases.Watch(t.Context(), &lockdv1.WatchRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := watch.Recv(); reason(err) != want {
			t.Errorf("Watch of a store with %v answers %v, want %s", fault, err, want)
		}
	}
	s := serve(t, &fakeStore{})
	watch, err := s.leases.Watch(t.Context(), &lockdv1.WatchRequest{Prefix: "a//b"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = watch.Recv()
	expectInvalid(t, err, "prefix")
}

func event(n int) lease.Event { return lease.Event{Kind: lease.EventAcquired, Token: lease.Token(n)} }

// taken takes everything a watcher has, message by message.
func taken(t *testing.T, w *watcher) (all []*lockdv1.Event) {
	t.Helper()
	for {
		batch := w.take()
		if len(batch) == 0 {
			return all
		}
		if size := proto.Size(&lockdv1.WatchResponse{Events: batch}); size > maxBatch+4096 {
			t.Errorf("a message has %d bytes, want about %d at most", size, maxBatch)
		}
		all = append(all, batch...)
	}
}

func TestWhatASlowWatcherMissesIsCountedWhereItIsMissing(t *testing.T) {
	w := newWatcher()
	for n := 1; n <= maxEvents+5; n++ {
		w.deliver(event(n))
	}
	w.deliver(lease.Event{Kind: lease.EventMissed, Missed: 10}) // a gap in the gap
	got := taken(t, w)
	if len(got) != maxEvents+1 {
		t.Fatalf("%d events of %d, want %d and one MISSED", len(got), maxEvents+6, maxEvents)
	}
	for n, e := range got[:maxEvents] {
		if e.GetToken() != int64(n)+1 {
			t.Fatalf("event %d is that of token %d, want them in order", n, e.GetToken())
		}
	}
	if last := got[maxEvents]; last.GetKind() != lockdv1.Event_MISSED || last.GetMissed() != 15 {
		t.Errorf("the gap is told as %v, want 15 missed", last)
	}
	w.deliver(event(1))
	if got := taken(t, w); len(got) != 1 || got[0].GetToken() != 1 {
		t.Errorf("after the gap: %v, want the next event alone", got)
	}
}

func TestAGapStandsBeforeWhatCameWhenThereWasRoomAgain(t *testing.T) {
	w := newWatcher()
	long := strings.Repeat("o", 256)
	for n := 1; n <= maxEvents+7; n++ {
		e := event(n)
		e.Owner = long
		w.deliver(e)
	}
	first := len(w.take()) // one message; the queue has room again, and is not empty
	if first == 0 || first >= maxEvents {
		t.Fatalf("the first message has %d events, want some of %d", first, maxEvents)
	}
	w.deliver(event(5000))
	got := taken(t, w)
	gap, after := got[len(got)-2], got[len(got)-1]
	if len(got) != maxEvents-first+2 || gap.GetKind() != lockdv1.Event_MISSED || gap.GetMissed() != 7 || after.GetToken() != 5000 {
		t.Errorf("after a message of %d: %d events that end with %v, %v, want 7 missed and then the new one", first, len(got), gap, after)
	}
}

func TestAGapOfUnknownSizeIsOne(t *testing.T) {
	w := newWatcher()
	for n := range maxEvents {
		w.deliver(event(n))
	}
	w.deliver(event(0))
	w.deliver(lease.Event{Kind: lease.EventMissed})
	got := taken(t, w)
	if last := got[len(got)-1]; last.GetKind() != lockdv1.Event_MISSED || last.GetMissed() != 0 {
		t.Errorf("a gap of unknown size is told as %v, want MISSED without a number", last)
	}
}

func TestAWatcherThatDoesNotReadEndsWithTheServersPatience(t *testing.T) {
	store := newWatching()
	s := serve(t, store)
	if _, err := s.leases.Watch(t.Context(), new(lockdv1.WatchRequest)); err != nil {
		t.Fatal(err)
	}
	deliver := <-store.begun
	e := event(1)
	e.Name, e.Owner = strings.Repeat("n", 256), strings.Repeat("o", 256)
	for range 10 * maxEvents { // more than gRPC buffers; none of it blocks
		deliver(e)
	}
	if err := shutdown(t, s, 100*time.Millisecond); err == nil {
		t.Error("Shutdown() = nil, want it to say that a connection was cut")
	}
	<-store.stopped
}

func TestAWatchEndsWithItsClient(t *testing.T) {
	store := newWatching()
	s := serve(t, store)
	ctx, cancel := context.WithCancel(t.Context())
	watch, err := s.leases.Watch(ctx, new(lockdv1.WatchRequest))
	if err != nil {
		t.Fatal(err)
	}
	<-store.begun
	cancel()
	<-store.stopped
	for err == nil {
		_, err = watch.Recv()
	}
	if status.Code(err) != codes.Canceled {
		t.Errorf("a watch that its client cancelled ends with %v", err)
	}
}
