package redlock

import (
	"context"
	"sync"

	"github.com/lockd/lockd/internal/diagnosis"
)

// Examine gathers, now, what a diagnosis wants to know of the quorum and of each node. It ends by ctx's deadline, and has no
// error: that a node does not answer is something to know of it.
func (s *Store) Examine(ctx context.Context) (diagnosis.Store, []diagnosis.Redis) {
	each := make([]diagnosis.Redis, len(s.group.nodes))
	var looks sync.WaitGroup
	for i, n := range s.group.nodes {
		looks.Go(func() { each[i] = n.visit(ctx) })
	}
	looks.Wait()
	is := s.Status()
	of := diagnosis.Store{Kind: is.Kind, Refusal: is.Refusal, Desynchronised: is.Desynchronised}
	for i, n := range is.Nodes {
		node := diagnosis.Node{Address: n.Address, Out: n.Out, Until: n.OutUntil}
		if node.Out == "" && each[i].Error != "" {
			node.Out = "it does not answer"
		}
		of.Nodes = append(of.Nodes, node)
	}
	return of, each
}

// visit gathers what is known of whoever is at the node's address. No write is tried: what a node has been given to remember
// is not to be written by who only looks.
func (n *node) visit(ctx context.Context) diagnosis.Redis {
	visitor := n.conns.Visitor(n.target.Addrs[0])
	defer visitor.Close()
	r := n.conns.Probe(ctx, visitor, nil)
	r.Address = n.address
	return r
}
