package redisstore

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
)

// listed are the masters that a list goes through, as they are now.
type listed struct {
	all      []master
	left     []master // the one that a position is at, and those after it
	division string
}

// scanned answers where from is now.
func (s *Store) scanned(ctx context.Context, from position) (position, listed, error) {
	if s.cluster == nil {
		from.pass, from.division, from.address = 0, "", ""
		return from, listed{left: []master{{client: s.client}}}, nil
	}
	masters, text, err := s.masters(ctx)
	if err != nil {
		return from, listed{}, fmt.Errorf("list: %w: %w", lease.ErrUnavailable, err)
	}
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(text)) // it never fails
	nodes := listed{all: masters, division: strconv.FormatUint(sum.Sum64(), 16)}
	if from.pass == 0 {
		from = position{pass: 1, division: nodes.division}
	}
	i := slices.IndexFunc(masters, func(m master) bool { return m.address >= from.address })
	if i < 0 {
		return from, nodes, nil
	}
	nodes.left = masters[i:]
	if at := nodes.left[0].address; at != from.address {
		from = position{pass: from.pass, division: from.division, address: at}
	}
	return from, nodes, nil
}

// nextNode answers where a list goes on after a node: the zero value if it has been everywhere.
func (s *Store) nextNode(ctx context.Context, at position, nodes listed) (position, error) {
	switch {
	case at.pass == 0:
		return position{}, nil
	case len(nodes.left) > 1:
		return position{pass: at.pass, division: at.division, address: nodes.left[1].address}, nil
	case at.pass > 1:
		return position{}, nil
	case nodes.division == at.division:
		moving, err := s.anyMoves(ctx, nodes.all)
		if err != nil || !moving {
			return position{}, err
		}
	}
	return position{pass: 2, division: nodes.division}, nil
}

// anyMoves reports whether the slot of a shard is moving, or has just moved: who keeps it is asked for a key that is
// nowhere, and refers to another node then.
func (s *Store) anyMoves(ctx context.Context, masters []master) (bool, error) {
	for _, m := range masters {
		cmds, err := m.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, shard := range m.shards {
				p.Get(ctx, shard.keys.rights())
			}
			return nil
		})
		for _, cmd := range cmds {
			if isElsewhere(cmd.Err()) {
				return true, nil
			}
		}
		if err != nil && err != redis.Nil {
			return false, fmt.Errorf("list: %w: %w", lease.ErrUnavailable, err)
		}
	}
	return false, nil
}
