package redisstore

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/diagnosis"
	"github.com/lockd/lockd/internal/redisconn"
)

// Examine gathers, now, what a diagnosis wants to know of the store and of each server that keeps leases. It ends by ctx's
// deadline, and has no error: that a server does not answer is something to know of it.
func (s *Store) Examine(ctx context.Context) (diagnosis.Store, []diagnosis.Redis) {
	of := diagnosis.Store{Kind: "redis", Desynchronised: s.desynchronised.Load(), Refusal: s.found.Load().unfit()}
	nodes := []master{{address: s.nodeAddress(), shards: s.all()}}
	if s.cluster != nil {
		var err error
		if nodes, _, err = s.masters(ctx); err != nil {
			return of, []diagnosis.Redis{{Address: s.address, Error: err.Error()}}
		}
	}
	each, layouts := make([]diagnosis.Redis, len(nodes)), make([]string, len(nodes))
	var looks sync.WaitGroup
	for i, at := range nodes {
		looks.Go(func() { each[i], layouts[i] = s.visit(ctx, at) })
	}
	looks.Wait()
	of.Layout = cmp.Or(layouts...)
	return of, each
}

// visit gathers what is known of a node, whoever that is by now, and says why its layout is not ours.
func (s *Store) visit(ctx context.Context, at master) (r diagnosis.Redis, layout string) {
	if at.address == "" {
		return diagnosis.Redis{Address: s.address, Error: "no sentinel has said yet where the primary is"}, ""
	}
	visitor := s.conns.Visitor(at.address)
	defer visitor.Close()
	layout = s.otherLayout(ctx, visitor, at.shards[0])
	var write func(context.Context) error
	if layout == "" {
		write = func(ctx context.Context) error {
			err := visitor.SetXX(ctx, at.shards[0].keys.layout(), s.layout(), redis.KeepTTL).Err()
			if errors.Is(err, redis.Nil) { // there is none to be written again
				return nil
			}
			return err
		}
	}
	r = s.conns.Probe(ctx, visitor, write)
	r.Address, r.Follows, r.Cluster = at.address, s.cluster != nil || s.target.Master != "", s.cluster != nil
	if ns := s.restarted.Load(); ns != 0 {
		r.Restarted = time.Unix(0, ns)
	}
	return r, layout
}

// otherLayout says who laid out the keys of a node otherwise than we do, "" if nobody did.
func (s *Store) otherLayout(ctx context.Context, node *redis.Client, shard *Store) string {
	compared := []error{s.isOurs(recorded{key: shard.keys.layout(), got: node.Get(ctx, shard.keys.layout())}, s.layout())}
	if !s.shared && s.cluster == nil {
		compared = append(compared, s.isOurPrefix(recorded{key: prefixKey, got: node.Get(ctx, prefixKey)}))
	}
	for _, err := range compared {
		var refused *redisconn.RefusedError
		if errors.As(err, &refused) {
			return refused.Problem
		}
	}
	return ""
}
