package redisstore

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/lease/leasetest"
	"github.com/lockd/lockd/internal/redisconn"
	"github.com/lockd/lockd/test/redisproc"
)

// The tags are as safety demands: each is the smallest number of its part of the slots, and none changes ever.
func TestShardTags(t *testing.T) {
	if got := slotOf("123456789"); got != 0x31C3%clusterSlots {
		t.Errorf("slotOf(123456789) = %d, want Redis's", got)
	}
	for i, tag := range shardTags {
		if slot := slotOf(tag); slot < 64*i || slot > 64*i+63 {
			t.Errorf("tag %s of shard %d has slot %d, want one of %d-%d", tag, i, slot, 64*i, 64*i+63)
		}
	}
	if diff := cmp.Diff([]string{"460", "14", "278", "10"}, shardTags[:4]); diff != "" {
		t.Errorf("the first tags (-want +got):\n%s", diff)
	}
}

// A Cluster keeps leases as one Redis does, with the rights that docs/operations.md gives, each of which is needed; and
// what is wrong with one is said at the start.
func TestCluster(t *testing.T) {
	c := redisproc.StartCluster(t)
	url := restrictedCluster(t, c)
	direct := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{c.Servers[0].Addr()}, DisableIdentity: true})
	defer direct.Close()
	t.Run("contract", func(t *testing.T) {
		leasetest.Run(t, func(t *testing.T) leasetest.Subject { return clusterSubject(t, c, url, direct) })
	})
	c.Flush()
	for _, test := range []struct{ name, url, says string }{
		{"as one Redis", "redis://" + c.Servers[0].Addr(), "want ?cluster=true"},
		{"one Redis as a cluster", redisproc.Start(t, redisproc.TCP()).URL() + "?cluster=true", "is no cluster"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Open(t.Context(), Config{URL: test.url})
			if !errors.As(err, new(*redisconn.RefusedError)) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("Open = %v, want a *RefusedError with %q", err, test.says)
			}
		})
	}
	t.Run("list", func(t *testing.T) { testClusterList(t, url) })
	t.Run("rights", func(t *testing.T) {
		testEachRight(t, documentedClusterUser(t), url, func(command []any) {
			for _, s := range c.Servers {
				c.Do(s, command...)
			}
		})
	})
	refuses := func(c Config, says string) {
		t.Helper()
		if _, err := Open(t.Context(), c); !errors.As(err, new(*redisconn.RefusedError)) || !strings.Contains(err.Error(), says) {
			t.Errorf("Open(%+v) = %v, want a *RefusedError with %q", c, err, says)
		}
	}
	t.Run("a single Redis among the nodes", func(t *testing.T) {
		single := redisproc.Start(t, redisproc.TCP()).Addr()
		for _, url := range []string{c.URL() + "," + single, "redis://" + single + "," + c.Servers[0].Addr()} {
			refuses(Config{URL: url}, "redis at "+single+" is no cluster")
		}
	})
	t.Run("two clusters", func(t *testing.T) { testTwoClusters(t, c) })
	refuses(Config{URL: c.URL(), KeyPrefix: "other"}, `with the key prefix "lockd"`)
	for i := range shardTags { // whichever is the first of its node
		direct.Set(t.Context(), "lockd:{"+shardTags[i]+"}:layout", "format=2", 0)
	}
	refuses(Config{URL: c.URL()}, "another layout")
	c.Forget(5)
	refuses(Config{URL: c.URL()}, "slot 5, and perhaps others, is nobody's")
}

func clusterSubject(t *testing.T, c *redisproc.Cluster, url string, direct *redis.ClusterClient) leasetest.Subject {
	c.Flush()
	s := open(t, url)
	expireIn := func(t *testing.T, name string, left func(l lease.Lease) time.Duration) {
		t.Helper()
		standing, err := s.Get(soon(t), lease.GetRequest{Name: name})
		if err != nil || !standing.Held && standing.Lease.Closed == 0 {
			t.Fatalf("Get(%q) = %+v, %v, want a lease", name, standing, err)
		}
		if err := direct.PExpire(t.Context(), s.of(name).keys.lock(name), left(standing.Lease)).Err(); err != nil {
			t.Fatal(err)
		}
	}
	return leasetest.Subject{
		Store:  s,
		Beside: func(t *testing.T) lease.Store { return open(t, url) },
		Expire: func(t *testing.T, name string) {
			expireIn(t, name, func(l lease.Lease) time.Duration { return l.Delay })
			s.of(name).promote(name)
		},
		Open: func(t *testing.T, name string) {
			expireIn(t, name, func(lease.Lease) time.Duration { return 0 })
			s.of(name).promote(name)
		},
		Age: func(t *testing.T, name string, by time.Duration) {
			t.Helper()
			age(t, direct, s.of(name).keys.lock(name), by)
		},
		Forget: func(t *testing.T, name string, id lease.ID) {
			t.Helper()
			queue := s.of(name).keys.queue(name)
			if end, err := direct.ZScore(t.Context(), queue, string(id)).Result(); err != nil || end >= 0 {
				t.Fatalf("the place of %s in the line of %q = %v, %v, want one that is kept", id, name, end, err)
			}
			if err := direct.ZAdd(t.Context(), queue, redis.Z{Score: -1, Member: string(id)}).Err(); err != nil {
				t.Fatal(err)
			}
		},
		Grace: func(t *testing.T, name string) {
			expireIn(t, name, func(l lease.Lease) time.Duration { return l.Delay + lease.Grace(l.TTL)/2 })
		},
	}
}

// A list, page by page, has the names of all nodes.
func testClusterList(t *testing.T, url string) {
	s := open(t, url)
	var want, got []string
	for i := range 100 {
		name := fmt.Sprintf("list/%d", i)
		acquire(t, s, asking(name))
		want = append(want, name)
	}
	for token, first := "", true; first || token != ""; first = false {
		page, err := s.List(soon(t), lease.ListRequest{Prefix: "list", Size: 7, Token: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range page.Leases {
			got = append(got, l.Name)
		}
		token = page.Next
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
}

// Nodes of two Clusters are not taken for one: in the URL, whichever answers first, and where a connection leads later.
func testTwoClusters(t *testing.T, c *redisproc.Cluster) {
	other := redisproc.Start(t, redisproc.TCP(), redisproc.Args("--cluster-enabled", "yes"))
	c.Do(other, "CLUSTER", "ADDSLOTSRANGE", 0, clusterSlots-1)
	until(t, 10*time.Second, "the other cluster serves", func() bool { return strings.Contains(c.Do(other, "CLUSTER", "INFO"), "cluster_state:ok") })
	for range 5 {
		if _, err := Open(t.Context(), Config{URL: c.URL() + "," + other.Addr()}); !errors.As(err, new(*redisconn.RefusedError)) || !strings.Contains(err.Error(), "another Cluster") {
			t.Errorf("Open = %v, want a *RefusedError about another Cluster", err)
		}
	}
	s := open(t, c.URL())
	if err := s.checkSeed(soon(t), other.Addr()); !errors.As(err, new(*redisconn.RefusedError)) || !strings.HasPrefix(err.Error(), "redis at "+other.Addr()+" is of another Cluster") {
		t.Errorf("a connection to a node of another Cluster = %v, want a *RefusedError that names it", err)
	}
	if err := s.checkSeed(soon(t), c.Servers[5].Addr()); err != nil {
		t.Errorf("a connection to a replica of this one = %v", err)
	}
}
