package redlock

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redlock/ballot"
)

// maxTold bounds what is still to be published at one node; what is more is missed there.
const maxTold = 1 << 14

// told is an event as it is published on the channel of events, by the instance that decided it and at every node. The
// number counts the instance's events, so that who takes them from several nodes sees each one once and all in order.
type told struct {
	From   string      `json:"from"`
	Number int64       `json:"number"`
	Event  lease.Event `json:"event"`
}

// watches tells what happens here to whoever watches anywhere, and keeps a vigil while somebody watches here.
type watches struct {
	store     *Store
	listening []atomic.Int64 // how many listen to events at each node, as last heard
	tellers   []*teller

	mu       sync.Mutex // held while somebody is told
	number   int64      // of the last event told from here
	forced   func(lease.Event)
	forces   map[string]lease.Token // told lately, by name: each node says so
	vigil    *vigil                 // nil while nobody watches here
	subs     []*redis.PubSub
	carries  []bool        // nodes that are known to carry events here
	changed  chan struct{} // closed when carries has changed
	ending   context.Context
	end      context.CancelFunc
	tellings sync.WaitGroup
}

func newWatches(s *Store) *watches {
	n := len(s.queues)
	w := &watches{
		store: s, listening: make([]atomic.Int64, n), forces: make(map[string]lease.Token),
		subs: make([]*redis.PubSub, n), carries: make([]bool, n), changed: make(chan struct{}),
	}
	w.ending, w.end = context.WithCancel(context.Background())
	for _, q := range s.queues {
		t := &teller{node: q.node, channel: s.keys.events(), more: make(chan struct{}, 1)}
		w.tellers = append(w.tellers, t)
		w.tellings.Go(func() { t.run(w.ending) })
	}
	return w
}

// close ends all watches. Nobody is told anything any more.
func (w *watches) close() {
	w.mu.Lock()
	v := w.vigil
	w.vigil, w.forced = nil, nil
	w.mu.Unlock()
	if v != nil {
		v.stop()
	}
	w.end()
	w.tellings.Wait()
}

// tell publishes what happened, in this order. A place in line comes and goes without any node being asked, so that
// nobody knows whether it is listened to.
func (w *watches) tell(events ...lease.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range events {
		if !w.heardLocked() && e.Kind != lease.EventQueued && e.Kind != lease.EventLeft {
			continue
		}
		w.number++
		text, err := json.Marshal(told{w.store.instance, w.number, e})
		if err != nil {
			continue // it is missed, and counted as such
		}
		for _, t := range w.tellers {
			t.tell(string(text))
		}
	}
}

// heardLocked reports whether anybody listens at any node.
func (w *watches) heardLocked() bool {
	if w.vigil != nil {
		return true
	}
	for i := range w.listening {
		if w.listening[i].Load() > 0 {
			return true
		}
	}
	return false
}

// teller publishes events at one node, in their order.
type teller struct {
	node    *node
	channel string
	more    chan struct{}

	mu    sync.Mutex
	queue []string
}

func (t *teller) tell(text string) {
	t.mu.Lock()
	if len(t.queue) < maxTold {
		t.queue = append(t.queue, text)
	}
	t.mu.Unlock()
	select {
	case t.more <- struct{}{}:
	default:
	}
}

// run publishes until ctx ends. What a node does not take in time is missed there.
func (t *teller) run(ctx context.Context) {
	for {
		select {
		case <-t.more:
		case <-ctx.Done():
			return
		}
		t.mu.Lock()
		texts := t.queue
		t.queue = nil
		t.mu.Unlock()
		call, cancel := context.WithTimeout(ctx, callTimeout)
		_, _ = t.node.looks.Pipelined(call, func(p redis.Pipeliner) error {
			for _, text := range texts {
				p.Publish(call, t.channel, text)
			}
			return nil
		})
		cancel()
	}
}

// use is told of the subscription at a node, once.
func (w *watches) use(node int, sub *redis.PubSub) {
	w.mu.Lock()
	w.subs[node] = sub
	watching := w.vigil != nil
	w.mu.Unlock()
	if watching {
		_ = sub.Subscribe(w.ending, w.store.keys.events()) // it is again when the connection is
	}
}

// subscribed is told that a node carries a channel from now on, or not any more.
func (w *watches) subscribed(node int, channel, kind string) {
	if channel == w.store.keys.events() {
		w.carry(node, kind == "subscribe")
	}
}

// silent is told that nothing comes from a node for now.
func (w *watches) silent(node int) { w.carry(node, false) }

func (w *watches) carry(node int, does bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.carries[node] == does {
		return
	}
	before := w.carriedLocked()
	w.carries[node] = does
	close(w.changed)
	w.changed = make(chan struct{})
	if w.vigil != nil && before && !w.carriedLocked() {
		w.vigil.gap() // what is decided now may be told through other nodes only
	}
}

// carriedLocked reports whether a quorum of nodes carries events: each grant is told through one of them.
func (w *watches) carriedLocked() bool {
	n := 0
	for _, does := range w.carries {
		if does {
			n++
		}
	}
	return n >= ballot.Quorum(len(w.carries))
}

// watch begins a watch.
func (w *watches) watch(ctx context.Context, prefix string, deliver func(lease.Event)) (stop func(), err error) {
	w.mu.Lock()
	first := w.vigil == nil
	if first {
		w.vigil = newVigil(w)
	}
	v := w.vigil
	one := v.admit(prefix)
	subs := append([]*redis.PubSub{}, w.subs...)
	w.mu.Unlock()
	if first {
		for _, sub := range subs {
			if sub != nil {
				w.tellings.Go(func() { _ = sub.Subscribe(w.ending, w.store.keys.events()) })
			}
		}
	}
	if err := w.carried(ctx); err != nil {
		w.leave(v, one)
		return nil, fmt.Errorf("watch %q: %w: %w", prefix, lease.ErrUnavailable, err)
	}
	w.mu.Lock()
	one.deliver = deliver
	w.mu.Unlock()
	return func() { w.leave(v, one) }, nil
}

// carried waits until a quorum of nodes carries events here.
func (w *watches) carried(ctx context.Context) error {
	for {
		w.mu.Lock()
		done, changed := w.carriedLocked(), w.changed
		w.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("too few nodes carry messages: %w", ctx.Err())
		}
	}
}

// leave ends a watch, and the vigil with the last one.
func (w *watches) leave(v *vigil, one *watcher) {
	w.mu.Lock()
	delete(v.watchers, one)
	last := len(v.watchers) == 0 && w.vigil == v
	var subs []*redis.PubSub
	if last {
		w.vigil = nil
		subs = append(subs, w.subs...)
	}
	w.mu.Unlock()
	if !last {
		return
	}
	v.stop()
	for _, sub := range subs {
		if sub != nil {
			_ = sub.Unsubscribe(w.ending, w.store.keys.events()) // else messages come that nobody wants
		}
	}
}

// take is told of an event that some instance has published.
func (w *watches) take(node int, text string) {
	var t told
	if json.Unmarshal([]byte(text), &t) != nil || lease.CheckName(t.Event.Name) != nil {
		return // nothing of ours
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.vigil != nil {
		w.vigil.take(t, time.Now())
	}
}

// onForced has deliver called with what is forced anywhere.
func (w *watches) onForced(deliver func(lease.Event)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forced = deliver
}

// asked is told by each node that a holder was asked to release.
func (w *watches) asked(e lease.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.forced != nil {
		w.forced(e)
	}
}

// wasForced is told by each node that a lease was forced.
func (w *watches) wasForced(e lease.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.forces[e.Name] >= e.Token {
		return
	}
	const most = 1024
	if len(w.forces) >= most {
		clear(w.forces) // at worst something is told twice
	}
	w.forces[e.Name] = e.Token
	if w.forced != nil {
		w.forced(e)
	}
}
