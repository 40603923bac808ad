package redlock

import (
	"testing"
	"time"
)

// New servers are made a group by the first who comes, who says so, and all vote at once; the next one joins.
func TestNewServersAreMadeAGroup(t *testing.T) {
	t.Parallel()
	all := servers(t, 3)
	c, told := config(t, all, time.Hour)
	g := opened(t, c)
	for _, n := range g.nodes {
		if !n.votes() || !answers(t, n) {
			t.Errorf("redis at %s does not vote: %s", n.address, n.standing.Load().out)
		}
	}
	if !told.have("have been made a group") {
		t.Error("nobody was told of the group")
	}
}
