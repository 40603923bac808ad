package redisstore

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
)

// replicasWithin is how long replicas have to confirm a lease: less than the read may take.
const replicasWithin = 300 * time.Millisecond

// do sends a script's command. If so many replicas have to confirm it, WAIT follows on the same connection: on another
// one it would say nothing of this write. unconfirmed says how many have not, or "".
func (s *Store) do(ctx context.Context, script *redis.Script, command []any) (raw any, unconfirmed string, err error) {
	if s.minReplicas == 0 || script == lookScript || script == standingScript || script == beatScript || script == rightsScript {
		raw, err = s.client.Do(ctx, command...).Result()
		return raw, "", err
	}
	within := replicasWithin
	if deadline, ok := ctx.Deadline(); ok {
		within = max(time.Millisecond, min(within, time.Until(deadline)/2))
	}
	var ran, waited *redis.Cmd
	_, _ = s.client.Pipelined(ctx, func(p redis.Pipeliner) error { // each has its own error
		ran = p.Do(ctx, command...)
		waited = p.Do(ctx, "wait", s.minReplicas, within.Milliseconds())
		return nil
	})
	if raw, err = ran.Result(); err != nil {
		return nil, "", err
	}
	switch n, err := waited.Int64(); {
	case err != nil:
		unconfirmed = fmt.Sprintf("whether %d replicas have it is not known: %v", s.minReplicas, err)
	case n < int64(s.minReplicas):
		unconfirmed = fmt.Sprintf("%d of the %d replicas that have to have it confirmed it within %s", n, s.minReplicas, within)
	}
	return raw, unconfirmed, nil
}

// withhold makes the outcome of what was granted or renewed unknown, since too few replicas have it: whoever asks again
// with the same lease id has it confirmed then, and what nobody asks for again is undone.
func withhold(replies []reply, why string) {
	for i, r := range replies {
		switch kind := r.Kind(); {
		case r.Number(0) > 1, kind == "GRANTED", kind == "RENEWED", kind == "MINE", len(r) == 1 && strings.Contains(kind, "|"):
			replies[i] = reply{"UNCONFIRMED", why}
		}
	}
}

// unconfirmed is the error of such a reply.
func unconfirmed(r reply) error { return fmt.Errorf("%w: %s", lease.ErrUnknown, r.Text(1)) }

// replicasProblem says that too few replicas are there to confirm anything, or "".
func (s *Store) replicasProblem(info map[string]string) string {
	has := 0
	for i := range s.minReplicas { // further ones need not be counted
		if strings.Contains(info[fmt.Sprintf("slave%d", i)], "state=online") {
			has++
		}
	}
	if has == s.minReplicas {
		return ""
	}
	return fmt.Sprintf("redis at %s has %d replicas online; want %d, as --redis-min-replicas says, for anything to be granted or renewed", s.address, has, s.minReplicas)
}
