package redisstore

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
)

// markAgain is when a mark that has not come is published again.
const markAgain = 50 * time.Millisecond

// hub passes on what the scripts publish to those who want to know it here. While nobody watches it
// runs nothing; what was forced, and who was asked to release, is passed on always.
type hub struct {
	store   *Store
	running sync.WaitGroup // the vigils

	// mu is held while somebody is told: that keeps events in order, and nobody is told after its stop.
	mu     sync.Mutex
	forced func(lease.Event)        // may be nil
	vigil  *vigil                   // nil while nobody watches
	marks  map[string]chan struct{} // those under way; closed when they come
}

func newHub(s *Store) *hub { return &hub{store: s, marks: make(map[string]chan struct{})} }

// close ends the watches and waits for what they started. Nobody is told anything any more.
func (h *hub) close() {
	h.mu.Lock()
	if h.vigil != nil {
		h.vigil.stop()
		h.vigil = nil
	}
	h.forced = nil
	h.mu.Unlock()
	h.running.Wait()
}

// take is given the messages of the events channel, in the order in which they came, and does not
// block. What is no event is ignored.
func (h *hub) take(text string) {
	// Somebody else's watch costs those who watch nothing next to nothing.
	if !h.attentive() && !strings.Contains(text, `"forced"`) && !strings.Contains(text, `"asked"`) {
		return
	}
	var m message
	if json.Unmarshal([]byte(text), &m) != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if came := h.marks[m.Mark]; m.Kind == markKind && came != nil {
		close(came)
		delete(h.marks, m.Mark)
		return
	}
	e, ok := m.event()
	if !ok {
		return
	}
	if (e.Kind == lease.EventForced || e.Kind == lease.EventAsked) && h.forced != nil {
		h.forced(e)
	}
	if e.Kind == lease.EventForced && m.PX > 0 {
		h.store.of(e.Name).closed(e.Name, m.px())
	}
	if e.Kind == lease.EventAsked {
		return // nothing has happened to the name
	}
	if h.vigil != nil {
		h.vigil.take(e, m.px())
	}
}

// attentive reports whether more than what was forced is wanted here.
func (h *hub) attentive() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.vigil != nil || len(h.marks) > 0
}

// gap says that messages may be missing between those taken before and those taken after: it is called
// when the subscription has begun anew, before the first message of that is taken. It does not block.
func (h *hub) gap() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.vigil != nil {
		h.vigil.gap()
	}
}

// catchUp publishes a mark at every node and waits until all come: then every message that was published before the
// call has been taken. Errors: why one did not come.
func (h *hub) catchUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	nodes, err := h.store.nodes(ctx)
	if err != nil {
		return err
	}
	for _, node := range nodes { // those that are published last come last
		if err := h.catchUpWith(ctx, node); err != nil {
			return err
		}
	}
	return nil
}

func (h *hub) catchUpWith(ctx context.Context, node redis.Cmdable) error {
	mark, came := randomMark(), make(chan struct{})
	h.mu.Lock()
	h.marks[mark] = came
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		delete(h.marks, mark)
		h.mu.Unlock()
	}()
	again := time.NewTicker(markAgain)
	defer again.Stop()
	for {
		if err := h.store.publishMark(ctx, node, mark); err != nil {
			return err
		}
		select {
		case <-came:
			return nil
		case <-again.C: // perhaps nothing was subscribed when it was published
		case <-ctx.Done():
			return errors.New("the subscription to redis's channel is interrupted")
		}
	}
}

// watch begins a watch, the scripts publishing already; watched is what stood in that key when asked.
func (h *hub) watch(prefix, watched string, asked time.Time, deliver func(lease.Event)) (stop func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.vigil == nil {
		ctx, cancel := context.WithCancel(context.Background())
		v := newVigil(h, cancel)
		h.vigil = v
		h.running.Go(func() { v.run(ctx) })
	}
	v, w := h.vigil, &watcher{prefix: prefix, deliver: deliver}
	v.found(watched, asked)
	v.admit(w)
	return func() { h.leave(v, w) }
}

// leave ends a watch, and the vigil with the last one.
func (h *hub) leave(v *vigil, w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(v.watchers, w)
	if len(v.watchers) == 0 && h.vigil == v {
		v.stop()
		h.vigil = nil
	}
}
