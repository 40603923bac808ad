package redisstore

import (
	"context"
	_ "embed"
	"errors"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

//go:embed scripts/rights.lua
var rightsLua string

var rightsScript = newScript(rightsLua)

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
	if denied, err = s.tryOutside(ctx, node, denied); err != nil {
		return s.connectError(err)
	}
	if len(denied) == 0 {
		return nil
	}
	slices.Sort(denied)
	denied = slices.Compact(denied)
	return s.refused("denies us %[1]s; want +%[2]s in the ACL, and ~%[3]s:* and &%[3]s:* in any case; docs/operations.md has all that lockd needs",
		strings.Join(denied, ", "), strings.Join(denied, " +"), s.keys.prefix)
}

// tryOutside adds to denied what is denied of the commands that are no part of scripts.
func (s *Store) tryOutside(ctx context.Context, node redis.UniversalClient, denied []string) ([]string, error) {
	var cmds []redis.Cmder
	_, err := node.Pipelined(ctx, func(p redis.Pipeliner) error {
		cmds = []redis.Cmder{
			p.Scan(ctx, 0, s.keys.rights(), 1), p.GetEx(ctx, s.keys.rights(), watchedFor), p.HDel(ctx, s.keys.rights(), "none"),
			p.Publish(ctx, s.keys.events(), ""), p.Ping(ctx), p.SetXX(ctx, s.keys.rights(), "", redis.KeepTTL),
		}
		if s.cluster != nil {
			cmds = append(cmds, p.Do(ctx, "asking")) // needed when a slot moves, and not before
		}
		if s.minReplicas > 0 {
			cmds = append(cmds, p.Do(ctx, "wait", 0, 1))
		}
		return nil
	})
	for _, cmd := range cmds {
		if redis.HasErrorPrefix(cmd.Err(), "NOPERM") {
			denied, err = append(denied, cmd.Name()), nil
		}
	}
	if err != nil && !errors.Is(err, redis.Nil) {
		var answered redis.Error
		if !errors.As(err, &answered) {
			return nil, err
		}
	}
	sub := node.Subscribe(ctx, s.keys.events())
	defer sub.Close()
	_, err = sub.ReceiveTimeout(ctx, callTimeout)
	if err == nil {
		err = sub.Unsubscribe(ctx)
	}
	if err == nil {
		_, err = sub.ReceiveTimeout(ctx, callTimeout)
	}
	if redis.HasErrorPrefix(err, "NOPERM") {
		return append(denied, deniedCommand(err)), nil
	}
	return denied, err
}

// deniedCommand reads which command a NOPERM is about; the channel is tried with SUBSCRIBE first.
func deniedCommand(err error) string {
	if _, rest, found := strings.Cut(err.Error(), "'"); found {
		if command, _, found := strings.Cut(rest, "'"); found {
			return strings.ToLower(command)
		}
	}
	return "subscribe"
}
