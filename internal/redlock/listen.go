package redlock

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
)

// notice is what every instance wants to know, as JSON on the channel of notices: published by scripts, so by each node
// for itself. A hint: one can be missed.
type notice struct {
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	Next      string `json:"next,omitempty"` // freed: the instance that has waited the longest
	At        int64  `json:"at,omitempty"`   // forced, as what follows: µs since 1970
	Token     int64  `json:"token,omitempty"`
	Owner     string `json:"owner,omitempty"`
	Principal string `json:"principal,omitempty"`
	By        string `json:"by,omitempty"`
	Reason    string `json:"reason,omitempty"`
	ForceIn   int64  `json:"force_in,omitempty"` // asked, as what follows: ms
	Ask       string `json:"ask,omitempty"`
}

const (
	noticeFreed  = "freed"  // the name is free at this node, and somebody waits for it
	noticeForced = "forced" // an operator has ended a lease
	noticeAsked  = "asked"  // an operator has asked a holder to release; published by an instance, at every node
)

// keepListening takes notices, and events while somebody watches here, from one node until ctx ends.
func (s *Store) keepListening(ctx context.Context, node int) {
	sub := s.queues[node].node.looks.Subscribe(ctx, s.keys.notices())
	stop := context.AfterFunc(ctx, func() { _ = sub.Close() }) // a read cannot be cancelled
	defer stop()
	s.watches.use(node, sub)
	for pause := firstPause; ctx.Err() == nil; {
		msg, err := sub.Receive(ctx)
		if err != nil {
			s.watches.silent(node)
			sleep(ctx, about(pause)) // then Receive dials, and subscribes, again
			pause = min(2*pause, time.Second)
			continue
		}
		pause = firstPause
		switch m := msg.(type) {
		case *redis.Subscription:
			s.watches.subscribed(node, m.Channel, m.Kind)
		case *redis.Message:
			s.take(node, m.Channel, m.Payload)
		}
	}
}

// take is told of what a node publishes.
func (s *Store) take(node int, channel, text string) {
	if channel == s.keys.events() {
		s.watches.take(node, text)
		return
	}
	var n notice
	if json.Unmarshal([]byte(text), &n) != nil || lease.CheckName(n.Name) != nil {
		return // nothing of ours
	}
	switch n.Kind {
	case noticeFreed:
		s.lines.noticed(node, n.Name, n.Next)
	case noticeForced:
		s.watches.wasForced(lease.Event{
			Kind: lease.EventForced, Name: n.Name, At: time.UnixMicro(n.At), Token: lease.Token(n.Token),
			Owner: n.Owner, Principal: n.Principal, By: n.By, Reason: n.Reason,
		})
		s.lines.noticed(node, n.Name, n.Next)
	case noticeAsked:
		s.watches.asked(lease.Event{
			Kind: lease.EventAsked, Name: n.Name, At: time.UnixMicro(n.At), Token: lease.Token(n.Token), Owner: n.Owner, Principal: n.Principal,
			By: n.By, Reason: n.Reason, ForceIn: min(max(0, time.Duration(n.ForceIn)*time.Millisecond), lease.MaxForceIn), Ask: n.Ask,
		})
	}
}

// Announce implements lease.Store: one node that carries it is enough.
func (s *Store) Announce(ctx context.Context, e lease.Event) error {
	text, err := json.Marshal(notice{
		Kind: noticeAsked, Name: e.Name, At: e.At.UnixMicro(), Token: int64(e.Token), Owner: e.Owner, Principal: e.Principal,
		By: e.By, Reason: e.Reason, ForceIn: e.ForceIn.Milliseconds(), Ask: e.Ask,
	})
	if err != nil {
		return err
	}
	failures := make([]error, len(s.queues))
	var all sync.WaitGroup
	for i, q := range s.queues {
		all.Go(func() { failures[i] = q.node.looks.Publish(ctx, s.keys.notices(), text).Err() })
	}
	all.Wait()
	if slices.Contains(failures, nil) {
		return nil
	}
	return fmt.Errorf("%w: no node took it", lease.ErrUnavailable)
}

// Forced implements lease.Store.
func (s *Store) Forced(deliver func(lease.Event)) { s.watches.onForced(deliver) }

// Watch implements lease.Store. What happens is told by the instance that decided it, through all nodes; so a watch
// misses nothing as long as a quorum of them carries messages.
func (s *Store) Watch(ctx context.Context, prefix string, deliver func(lease.Event)) (stop func(), err error) {
	return s.watches.watch(ctx, prefix, deliver)
}
