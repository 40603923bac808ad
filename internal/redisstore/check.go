package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redisconn"
)

const (
	// openFor is how long Open goes on trying, so that a lockd that cannot reach its Redis has
	// ended, with the reason, within 5 s.
	openFor = 4 * time.Second
	// checkEvery is how often a running store looks at its Redis again.
	checkEvery = 2 * time.Second
	// checkUnfit is how often while leases cannot be had: they shall be again as soon as the reason is gone.
	checkUnfit = 250 * time.Millisecond
)

// checked is what a check of the Redis found.
type checked struct {
	nodes    []lease.Node
	failed   string // why it does not answer
	partly   string // why some of a Cluster's nodes do not, if others do
	refusal  string // why we grant no leases; "" if we do
	blocked  string // why Redis would take none; "" if it would
	warnings []string
}

// runs tells one set of server processes from another.
func (c checked) runs() (all string) {
	for _, n := range c.nodes {
		all += n.RunID
	}
	return all
}

// unfit says why no lease can be had, or "".
func (c checked) unfit() string {
	for _, reason := range []string{c.failed, c.refusal, c.blocked} {
		if reason != "" {
			return reason
		}
	}
	return ""
}

// firstCheck decides whether leases may be kept in this Redis at all.
func (s *Store) firstCheck(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, openFor)
	defer cancel()
	var last error  // that says more than that the time was over
	var hint string // whichever try gave rise to it
	for {
		found, err := s.check(ctx)
		if err == nil && found.partly != "" {
			err = errors.New(found.partly)
		}
		for _, n := range found.nodes {
			if err == nil && n.Eviction != redisconn.NoEviction {
				return &redisconn.RefusedError{Address: n.Address, Problem: redisconn.EvictionProblem(n.Eviction)}
			}
		}
		if err == nil {
			err = s.checkSeeds(ctx)
		}
		if err == nil {
			err = s.checkRights(ctx)
		}
		if err == nil {
			err = s.claimPrefix(ctx)
		}
		if err == nil {
			s.accept(found)
			return nil
		}
		if err = s.sentinelProblem(ctx, err); errors.As(err, new(*redisconn.RefusedError)) {
			return err
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		if tls := s.target.TLSHint(err); tls != "" {
			hint = tls
		}
		if !sleep(ctx, 100*time.Millisecond) {
			return fmt.Errorf("%w at %s: %w%s", redisconn.ErrUnreachable, s.address, last, hint)
		}
	}
}

// keepChecking looks again until ctx ends. What would have kept the store from opening keeps it from
// granting: renew and release go on, and grants come back when the reason is gone.
func (s *Store) keepChecking(ctx context.Context) {
	for pause := checkEvery; sleep(ctx, pause); {
		found, err := s.check(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			found = s.unreached(err)
		}
		s.accept(found)
		if pause = checkEvery; found.unfit() != "" || found.partly != "" {
			pause = checkUnfit
		}
	}
}

// unreached is the last check's finding with what went wrong since.
func (s *Store) unreached(err error) checked {
	if s.cluster != nil {
		s.cluster.ReloadState(s.background) // who does not answer may have been replaced
	}
	for _, shard := range s.all() {
		shard.unanswered()
	}
	found := *s.found.Load()
	var refused *redisconn.RefusedError
	if errors.As(err, &refused) {
		// It answers, but is not what it was, and connections made before that still lead there.
		found.refusal = refused.Error()
		s.conns.DropAll()
	}
	found.failed, found.partly = fmt.Sprintf("redis at %s does not answer: %v", s.address, err), ""
	found.nodes = slices.Clone(found.nodes)
	for i := range found.nodes {
		found.nodes[i].Error = found.failed
	}
	return found
}

// accept makes found what is known, and tells the operator what came and what went.
func (s *Store) accept(found checked) {
	before := s.found.Swap(&found)
	s.refusal.Store(&found.refusal)
	told := func(was, is, gone string) {
		switch {
		case is != "" && was == "":
			s.notice(is)
		case is == "" && was != "":
			s.notice(gone)
		}
	}
	told(before.failed, found.failed, fmt.Sprintf("redis at %s answers again", s.address))
	told(before.partly, found.partly, fmt.Sprintf("redis at %s: every node answers again", s.address))
	told(before.refusal, found.refusal, fmt.Sprintf("redis at %s: leases are granted again", s.address))
	told(before.blocked, found.blocked, fmt.Sprintf("redis at %s takes writes again", s.address))
	for _, warning := range found.warnings {
		if !slices.Contains(before.warnings, warning) {
			s.notice(warning)
		}
	}
	if runs := before.runs(); runs != "" && runs != found.runs() {
		s.notice(fmt.Sprintf("redis at %s was restarted or replaced", s.address))
		s.restarted.Store(time.Now().UnixNano())
		s.loseAll() // it may have forgotten the last who took a place
	}
}

// Status implements lease.Store.
func (s *Store) Status() lease.Status {
	found := s.found.Load()
	warnings := found.warnings
	if found.partly != "" {
		warnings = append([]string{found.partly}, warnings...)
	}
	return lease.Status{
		Kind: "redis", Refusal: found.unfit(), Warnings: warnings,
		Nodes: found.nodes, Desynchronised: s.desynchronised.Load(),
	}
}

// check asks Redis, every node of it, for everything that decides whether leases are safe there.
func (s *Store) check(ctx context.Context) (checked, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*callTimeout)
	defer cancel()
	if s.cluster == nil {
		return s.checkNode(ctx, master{client: s.client, shards: s.all()})
	}
	return s.checkNodes(ctx)
}

func (s *Store) checkNode(ctx context.Context, at master) (checked, error) {
	node, info, err := redisconn.Look(ctx, at.client, func(sent time.Time, redisMicros int64) {
		for _, shard := range at.shards {
			shard.clock.Learn(sent, redisMicros)
		}
	})
	if err != nil {
		return checked{}, s.connectError(err)
	}
	if at.address == "" { // known now that it has answered
		at.address = s.nodeAddress()
	}
	node.Address = at.address
	if problem := s.nodeProblem(node, info); problem != "" {
		return checked{}, &redisconn.RefusedError{Address: at.address, Problem: problem}
	}
	if err := s.compareAgain(ctx, at); err != nil {
		return checked{}, s.connectError(err)
	}
	found := checked{nodes: []lease.Node{node}}
	found.refusal, found.warnings = s.judge(node)
	if found.blocked = s.blocked(ctx, at); found.blocked == "" {
		found.blocked = s.replicasProblem(info)
	}
	return found, s.connectError(redisconn.Preload(ctx, at.client, allScripts))
}

// noCluster is said of a Cluster's node that is not taken for one.
const noCluster = "is a node of a cluster; want ?cluster=true, or several of its nodes, in the URL"

// nodeProblem says why a server is none that leases can be kept on, or "".
func (s *Store) nodeProblem(n lease.Node, info map[string]string) string {
	switch {
	case redisconn.VersionProblem(n.Version) != "":
		return redisconn.VersionProblem(n.Version)
	case n.Role != "master":
		return redisconn.RoleProblem(n.Role)
	case s.cluster == nil && info["cluster_enabled"] == "1":
		return noCluster
	}
	return ""
}

// judge says what of a node's state forbids granting, and what only endangers promises.
func (s *Store) judge(n lease.Node) (refusal string, warnings []string) {
	switch {
	case n.Eviction != redisconn.NoEviction:
		refusal = fmt.Sprintf("redis at %s %s", n.Address, redisconn.EvictionProblem(n.Eviction))
	case n.ClockSkew.Abs() > maxSkew:
		refusal = fmt.Sprintf("redis at %s: %s", n.Address, redisconn.SkewProblem(n.ClockSkew))
	}
	switch n.Persistence {
	case "aof always":
	case "aof": // CONFIG is denied us
		warnings = append(warnings, fmt.Sprintf(
			"redis at %s has appendonly yes, and lockd may not ask for its appendfsync (CONFIG GET): unless that is always, a crash of it may forget leases that are held, and grant their names again (tokens still increase)",
			n.Address))
	default:
		warnings = append(warnings, fmt.Sprintf(
			"redis at %s persists by %q: a crash of it may forget leases that are held, and grant their names again; want appendonly yes and appendfsync always where that matters (tokens still increase)",
			n.Address, n.Persistence))
	}
	return refusal, warnings
}

// blocked says why Redis takes no writes (it is full, lacks replicas, cannot persist), or "". It asks by
// writing what is there anyway. Grants are not forbidden for it: Redis refuses them, and knows first
// when it no longer does.
func (s *Store) blocked(ctx context.Context, at master) string {
	err := at.client.SetXX(ctx, at.shards[0].keys.layout(), s.layout(), redis.KeepTTL).Err()
	var answered redis.Error
	if errors.As(err, &answered) && !errors.Is(err, redis.Nil) && !isElsewhere(err) {
		return fmt.Sprintf("redis at %s takes no writes: %v", at.address, answered)
	}
	return ""
}

// connectError makes a refused connection's reason the error, and a wrong password final.
func (s *Store) connectError(err error) error {
	if errors.Is(err, errMoved) && s.cluster == nil && !errors.As(err, new(*redisconn.RefusedError)) {
		return s.refused(noCluster)
	}
	if refused := s.deniedKeys(err); refused != nil {
		return refused
	}
	return redisconn.Refusal(s.address, err)
}

// deniedKeys names the keys that err says are not for us, since Redis does not say which; nil if it says something else.
func (s *Store) deniedKeys(err error) error {
	var answered redis.Error
	if !errors.As(err, &answered) || !strings.HasPrefix(answered.Error(), "NOPERM") || !strings.Contains(answered.Error(), " access ") || !strings.Contains(answered.Error(), "key") {
		return nil
	}
	want := "~" + s.keys.prefix + ":*"
	if !s.shared && s.keys.prefix+":prefix" != prefixKey {
		want += " ~" + prefixKey
	}
	return s.refused("denies us keys: %v; want %s in the ACL", answered, want)
}
