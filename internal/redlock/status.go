package redlock

import (
	"fmt"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redisconn"
)

// status is each node as last looked at, and why nothing can be granted, or "".
func (g *group) status() (nodes []lease.Node, refusal string, warnings []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	can, why := 0, ""
	for i, n := range g.nodes {
		l, at := g.last[i], n.standing.Load()
		node := l.node
		node.Address, node.Out, node.OutUntil = n.address, at.why(), at.until
		switch {
		case l.err != nil:
			node.Error = n.trouble(l.err)
			why += "; " + node.Error
		case at.out != "":
			why += fmt.Sprintf("; redis at %s does not vote: %s", n.address, at.why())
		case node.ClockSkew.Abs() > redisconn.MaxSkew:
			why += fmt.Sprintf("; redis at %s: %s", n.address, redisconn.SkewProblem(node.ClockSkew))
		default:
			can++
		}
		if l.err == nil && node.Persistence != "aof always" {
			warnings = append(warnings, fmt.Sprintf(
				"redis at %s persists by %q: each time it is started again it does not vote for %s; want appendonly yes and appendfsync always, or a lower --max-ttl",
				n.address, node.Persistence, g.identity.outTime().Round(time.Second)))
		}
		nodes = append(nodes, node)
	}
	if can < len(g.nodes)/2+1 {
		refusal = fmt.Sprintf("%d of %d nodes can grant leases, want %d%s", can, len(g.nodes), len(g.nodes)/2+1, why)
	}
	return nodes, refusal, warnings
}
