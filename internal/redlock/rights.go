package redlock

import (
	"context"
	_ "embed"
	"errors"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/redisconn"
)

//go:embed scripts/rights.lua
var rightsLua string

var rightsScript = redis.NewScript(redisconn.RightsScript(rightsLua))

// checkRights tries everything that a node may deny us, in ways that change nothing. Errors: *redisconn.RefusedError; any
// other: it does not answer.
func (n *node) checkRights(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*redisconn.CallTimeout)
	defer cancel()
	key, channel := n.keys.rights(), n.keys.events()
	if err := rightsScript.Load(ctx, n.looks).Err(); err != nil { // the others may be there already
		return redisconn.Refusal(n.address, err)
	}
	_, body, err := n.run(ctx, n.looks, rightsScript, []any{key}, []any{channel})
	if err != nil {
		return redisconn.Refusal(n.address, err)
	}
	var denied []string
	list, _ := body.([]any)
	for _, right := range list {
		name, _ := right.(string)
		denied = append(denied, name)
	}
	outside, err := redisconn.TryRights(ctx, n.looks, channel, func(p redis.Pipeliner) []redis.Cmder {
		return []redis.Cmder{
			p.Scan(ctx, 0, key, 1), p.Get(ctx, key), p.Publish(ctx, channel, ""), p.Ping(ctx), p.Do(ctx, "role"),
			p.ScriptExists(ctx, rightsScript.Hash()),
		}
	})
	if err != nil {
		return redisconn.Refusal(n.address, err)
	}
	if problem := redisconn.DeniedProblem(append(denied, outside...), n.keys.prefix); problem != "" {
		return n.refused("%s", problem)
	}
	return nil
}

// checkRights refuses nodes of all that answer and deny us what will be needed.
func checkRights(ctx context.Context, all []surveyed) error {
	for _, s := range all {
		if s.err != nil {
			continue
		}
		if err := s.checkRights(ctx); errors.As(err, new(*redisconn.RefusedError)) {
			return err
		}
	}
	return nil
}
