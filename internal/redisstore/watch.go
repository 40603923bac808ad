package redisstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
)

const (
	// watchedFor is the PX of the watched key: scripts publish that long after the last watcher died.
	watchedFor = 5 * time.Second
	// keepEvery is how often it is renewed.
	keepEvery = time.Second
)

// Watch implements lease.Store.
func (s *Store) Watch(ctx context.Context, prefix string, deliver func(lease.Event)) (stop func(), err error) {
	asked := time.Now()
	watched, err := s.keepWatched(ctx)
	if err == nil {
		err = s.hub.catchUp(ctx) // what happened before is not told, and what happens from now on comes
	}
	if err != nil {
		return nil, fmt.Errorf("watch %q: %w: %w", prefix, lease.ErrUnavailable, err)
	}
	return s.hub.watch(prefix, watched, asked, deliver), nil
}

// Forced implements lease.Store.
func (s *Store) Forced(deliver func(lease.Event)) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.hub.forced = deliver
}

// keepWatched has the scripts publish for another watchedFor, and answers what stands in the watched
// key: something else than before means that it had gone meanwhile, and events with it.
func (s *Store) keepWatched(ctx context.Context) (watched string, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var set []*redis.BoolCmd
	var found []*redis.StringCmd
	_, err = s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, shard := range s.all() {
			set = append(set, p.SetNX(ctx, shard.keys.watched(), randomMark(), watchedFor))
			found = append(found, p.GetEx(ctx, shard.keys.watched(), watchedFor))
		}
		return nil
	})
	// A full Redis refuses the first and still does the second, which is all that a standing key needs.
	for i := range found {
		mark, missing := found[i].Result()
		if missing != nil {
			return "", errors.Join(err, set[i].Err())
		}
		watched += mark
	}
	return watched, nil
}

// publishMark sends a mark through the events channel.
func (s *Store) publishMark(ctx context.Context, node redis.Cmdable, mark string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	text, err := json.Marshal(map[string]string{"kind": markKind, "mark": mark})
	if err != nil {
		return err
	}
	return node.Publish(ctx, s.keys.events(), text).Err()
}

// Announce implements lease.Store.
func (s *Store) Announce(ctx context.Context, e lease.Event) error {
	s = s.of(e.Name)
	owned, err := json.Marshal(payload{Owner: e.Owner, Principal: e.Principal})
	if err != nil {
		return err
	}
	text, err := json.Marshal(message{
		Kind: askedKind, Name: e.Name, At: e.At.UnixMicro(), Token: int64(e.Token), PX: e.ForceIn.Milliseconds(),
		Payload: string(owned), By: e.By, Reason: e.Reason, Mark: e.Ask,
	})
	if err != nil {
		return err
	}
	if err := s.client.Publish(ctx, s.keys.events(), text).Err(); err != nil {
		return s.failed("announce", e.Name, err)
	}
	return nil
}

func randomMark() string { return strconv.FormatUint(rand.Uint64(), 16) }
