package rpc

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/lockd/lockd/internal/auth"
	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// maxEvents is how many events wait for a slow watcher before more are dropped.
const maxEvents = 1024

// Watch implements lockdv1.LeaseServiceServer.
func (s *leaseService) Watch(req *lockdv1.WatchRequest, stream grpc.ServerStreamingServer[lockdv1.WatchResponse]) error {
	ctx := stream.Context()
	caller := callerOf(ctx)
	if _, err := caller.MayBelow(auth.Watch, req.GetPrefix(), time.Now()); err != nil {
		return err
	}
	w := newWatcher()
	stop, err := s.lessor.Watch(ctx, req.GetPrefix(), w.filtered(caller, req.GetPrefix()))
	if err != nil {
		return err
	}
	defer stop()
	batch := []*lockdv1.Event{{Kind: lockdv1.Event_SYNCED}}
	for {
		replaced := caller.Changes() // before it is asked what may be told
		if _, err := caller.MayBelow(auth.Watch, req.GetPrefix(), time.Now()); err != nil {
			return err
		}
		if len(batch) > 0 {
			if err := stream.Send(&lockdv1.WatchResponse{Events: batch}); err != nil {
				return err
			}
		}
		if batch, err = w.next(ctx, replaced); err != nil {
			return err
		}
	}
}

// filtered is deliver for caller: what that may not watch it is not told, nor counted among what is missing. How many events
// the store has missed, whoever's they were, is for who may watch all of prefix.
func (w *watcher) filtered(caller *auth.Caller, prefix string) func(lease.Event) {
	if caller == nil {
		return w.deliver
	}
	return func(e lease.Event) {
		about := e.Name
		if e.Kind == lease.EventMissed {
			about = prefix
		}
		switch _, err := caller.May(auth.Watch, about, time.Now()); {
		case err == nil:
			w.deliver(e)
		case e.Kind == lease.EventMissed:
			e.Missed = 0
			w.deliver(e)
		}
	}
}

// watcher is a queue of events with a bound: what comes when it is full is dropped and counted, so
// that who watches slowly holds nobody up.
type watcher struct {
	filled chan struct{} // gets a value when an event has come

	mu     sync.Mutex
	queue  []lease.Event
	missed gap // after the last of queue
}

func newWatcher() *watcher { return &watcher{filled: make(chan struct{}, 1)} }

// gap counts events that are missing in one place.
type gap struct {
	open    bool
	count   int64
	unknown bool // how many
}

// add widens the gap by an event, which may be a gap itself.
func (g *gap) add(e lease.Event) {
	g.open = true
	switch {
	case e.Kind != lease.EventMissed:
		g.count++
	case e.Missed > 0:
		g.count += e.Missed
	default:
		g.unknown = true
	}
}

func (g *gap) event() lease.Event {
	if g.unknown {
		return lease.Event{Kind: lease.EventMissed}
	}
	return lease.Event{Kind: lease.EventMissed, Missed: g.count}
}

// deliver never blocks.
func (w *watcher) deliver(e lease.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) >= maxEvents {
		w.missed.add(e)
		return
	}
	if w.missed.open { // there has been room again, but not for all
		w.queue = append(w.queue, w.missed.event())
		w.missed = gap{}
	}
	w.queue = append(w.queue, e)
	signal(w.filled)
}

// next waits for events and answers them as far as they go into one message, or ctx's error; none as soon as
// replaced is closed.
func (w *watcher) next(ctx context.Context, replaced <-chan struct{}) ([]*lockdv1.Event, error) {
	for {
		if batch := w.take(); len(batch) > 0 {
			return batch, nil
		}
		select {
		case <-w.filled:
		case <-replaced:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// take answers what is queued, up to about maxBatch bytes.
func (w *watcher) take() []*lockdv1.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	var batch []*lockdv1.Event
	for size := 0; len(batch) < len(w.queue) && size < maxBatch; {
		event := encodeEvent(w.queue[len(batch)])
		size += proto.Size(event)
		batch = append(batch, event)
	}
	if w.queue = w.queue[len(batch):]; len(w.queue) > 0 {
		return batch
	}
	w.queue = nil
	if w.missed.open {
		batch = append(batch, encodeEvent(w.missed.event()))
		w.missed = gap{}
	}
	return batch
}
