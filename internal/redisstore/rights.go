package redisstore

import (
	"context"
	_ "embed"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/redisconn"
)

//go:embed scripts/rights.lua
var rightsLua string

var rightsScript = redis.NewScript(redisconn.RightsScript(rightsLua))

// checkRights tries everything that Redis may deny us, in ways that change nothing: a right that is missing shall
// be known at the start, and not when the first one waits in line.
func (s *Store) checkRights(ctx context.Context) error {
	if s.cluster == nil {
		return s.checkRightsAt(ctx)
	}
	masters, _, err := s.masters(ctx)
	if err != nil {
		return err
	}
	for _, m := range masters { // each has its own users
		if err := m.shards[0].checkRightsAt(ctx); err != nil {
			return err
		}
	}
	return nil
}

// checkRightsAt does so where the shard is.
func (s *Store) checkRightsAt(ctx context.Context) error {
	node := s.client
	if s.cluster != nil {
		at, err := s.cluster.MasterForKey(ctx, s.keys.rights())
		if err != nil {
			return s.connectError(err)
		}
		node = at
	}
	if err := rightsScript.Load(ctx, node).Err(); err != nil { // the others may be there already
		return s.connectError(err)
	}
	a, err := s.run(ctx, rightsScript, []string{s.keys.rights()}, s.keys.events())
	if err != nil {
		return s.connectError(err)
	}
	var denied []string
	for i := range a.replies {
		denied = append(denied, a.replies[i].Text(0))
	}
	outside, err := redisconn.TryRights(ctx, node, s.keys.events(), func(p redis.Pipeliner) []redis.Cmder {
		cmds := []redis.Cmder{
			p.Scan(ctx, 0, s.keys.rights(), 1), p.GetEx(ctx, s.keys.rights(), watchedFor), p.HDel(ctx, s.keys.rights(), "none"),
			p.Publish(ctx, s.keys.events(), ""), p.Ping(ctx), p.SetXX(ctx, s.keys.rights(), "", redis.KeepTTL),
		}
		if s.cluster != nil {
			cmds = append(cmds, p.Do(ctx, "asking")) // needed when a slot moves, and not before
		}
		if s.minReplicas > 0 {
			cmds = append(cmds, p.Do(ctx, "wait", 0, 1))
		}
		return cmds
	})
	if err != nil {
		return s.connectError(err)
	}
	if problem := redisconn.DeniedProblem(append(denied, outside...), s.keys.prefix); problem != "" {
		return s.refused("%s", problem)
	}
	return nil
}
