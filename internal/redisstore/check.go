package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
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

// The oldest Redis whose SET knows KEEPTTL, and GET for a fence of the wrong type.
const oldestMajor, oldestMinor = 6, 2

// checked is what a check of the Redis found.
type checked struct {
	nodes    []lease.Node
	failed   string // why it, or one of its nodes, does not answer
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
	var last error // that says more than that the time was over
	for {
		found, err := s.check(ctx)
		for _, n := range found.nodes {
			if err == nil && n.Eviction != noEviction {
				return &RefusedError{Address: n.Address, Problem: evictionProblem(n.Eviction)}
			}
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
		if err = s.sentinelProblem(ctx, err); errors.As(err, new(*RefusedError)) {
			return err
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		if !sleep(ctx, 100*time.Millisecond) {
			return fmt.Errorf("%w at %s: %w%s", ErrUnreachable, s.address, last, s.tlsHint(last))
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
		if pause = checkEvery; found.unfit() != "" {
			pause = checkUnfit
		}
	}
}

// unreached is the last check's finding with what went wrong since.
func (s *Store) unreached(err error) checked {
	for _, shard := range s.all() {
		shard.unanswered()
	}
	found := *s.found.Load()
	var refused *RefusedError
	if errors.As(err, &refused) {
		// It answers, but is not what it was, and connections made before that still lead there.
		found.refusal = refused.Error()
		s.conns.dropAll()
	}
	found.failed = fmt.Sprintf("redis at %s does not answer: %v", s.address, err)
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
	told(before.refusal, found.refusal, fmt.Sprintf("redis at %s: leases are granted again", s.address))
	told(before.blocked, found.blocked, fmt.Sprintf("redis at %s takes writes again", s.address))
	for _, warning := range found.warnings {
		if !slices.Contains(before.warnings, warning) {
			s.notice(warning)
		}
	}
	if runs := before.runs(); runs != "" && runs != found.runs() {
		s.notice(fmt.Sprintf("redis at %s was restarted or replaced", s.address))
		s.loseAll() // it may have forgotten the last who took a place
	}
}

// Status implements lease.Store.
func (s *Store) Status() lease.Status {
	found := s.found.Load()
	return lease.Status{
		Kind: "redis", Refusal: found.unfit(), Warnings: found.warnings,
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
	masters, _, err := s.masters(ctx)
	if err != nil {
		return checked{}, err
	}
	var all checked
	for _, m := range masters {
		one, err := s.checkNode(ctx, m)
		if err != nil {
			return checked{}, err
		}
		all.nodes, all.warnings = append(all.nodes, one.nodes...), append(all.warnings, one.warnings...)
		all.refusal, all.blocked = cmp.Or(all.refusal, one.refusal), cmp.Or(all.blocked, one.blocked)
	}
	return all, nil
}

func (s *Store) checkNode(ctx context.Context, at master) (checked, error) {
	sent := time.Now()
	redisNow, err := at.client.Time(ctx).Result()
	if err != nil {
		return checked{}, s.connectError(err)
	}
	if at.address == "" { // known now that it has answered
		at.address = s.nodeAddress()
	}
	for _, shard := range at.shards {
		shard.clock.learn(sent, redisNow.UnixMicro())
	}
	// Half a round trip is the best guess at how old the answer is.
	skew := redisNow.Sub(sent.Round(0)) - time.Since(sent)/2

	text, err := at.client.Info(ctx).Result()
	if err != nil {
		return checked{}, s.connectError(err)
	}
	info := parseInfo(text)
	node := lease.Node{
		Address: at.address, Version: info["redis_version"], Role: info["role"], RunID: info["run_id"],
		ClockSkew: skew, Persistence: persistence(ctx, at.client, info), Eviction: info["maxmemory_policy"],
	}
	if problem := s.nodeProblem(node, info); problem != "" {
		return checked{}, &RefusedError{Address: at.address, Problem: problem}
	}
	if err := s.compareAgain(ctx, at); err != nil {
		return checked{}, s.connectError(err)
	}
	found := checked{nodes: []lease.Node{node}}
	found.refusal, found.warnings = s.judge(node)
	if found.blocked = s.blocked(ctx, at); found.blocked == "" {
		found.blocked = s.replicasProblem(info)
	}
	return found, s.preload(ctx, at.client)
}

// noCluster is said of a Cluster's node that is not taken for one.
const noCluster = "is a node of a cluster; want ?cluster=true, or several of its nodes, in the URL"

// nodeProblem says why a server is none that leases can be kept on, or "".
func (s *Store) nodeProblem(n lease.Node, info map[string]string) string {
	switch {
	case versionProblem(n.Version) != "":
		return versionProblem(n.Version)
	case n.Role != "master":
		return roleProblem(n.Role)
	case s.cluster == nil && info["cluster_enabled"] == "1":
		return noCluster
	}
	return ""
}

// judge says what of a node's state forbids granting, and what only endangers promises.
func (s *Store) judge(n lease.Node) (refusal string, warnings []string) {
	switch {
	case n.Eviction != noEviction:
		refusal = fmt.Sprintf("redis at %s %s", n.Address, evictionProblem(n.Eviction))
	case n.ClockSkew.Abs() > maxSkew:
		refusal = fmt.Sprintf("redis at %s: %s", n.Address, skewProblem(n.ClockSkew))
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
	err := s.client.SetXX(ctx, at.shards[0].keys.layout(), s.layout(), redis.KeepTTL).Err()
	var answered redis.Error
	if errors.As(err, &answered) && !errors.Is(err, redis.Nil) {
		return fmt.Sprintf("redis at %s takes no writes: %v", at.address, answered)
	}
	return ""
}

// connectError makes a refused connection's reason the error, and a wrong password final.
func (s *Store) connectError(err error) error {
	var refused *RefusedError
	if errors.As(err, &refused) {
		return refused
	}
	if errors.Is(err, errMoved) && s.cluster == nil {
		return s.refused(noCluster)
	}
	if isAlert(err) { // TLS 1.3 says it only after the handshake
		return tlsProblem(s.address, err)
	}
	var answered redis.Error
	if !errors.As(err, &answered) {
		return err
	}
	for word, want := range map[string]string{
		"WRONGPASS":            "want another user in the URL or another password",
		"ERR invalid password": "want another password",
		"NOAUTH":               "want a password, in --redis-password-file or the URL",
		"ERR AUTH":             "want no password, or Redis to have one",
		"NOPERM":               "want a user with the rights in docs/operations.md",
		"ERR DB index":         "want a database that is there",
	} {
		if strings.HasPrefix(answered.Error(), word) {
			return s.refused("refuses us: %v; %s", answered, want)
		}
	}
	return err
}

// preload loads the scripts that Redis does not know, so that no call pays for sending them.
func (s *Store) preload(ctx context.Context, c redis.Scripter) error {
	for _, script := range allScripts {
		known, err := script.Exists(ctx, c).Result()
		if err != nil {
			return s.connectError(err)
		}
		if len(known) == 1 && known[0] {
			continue
		}
		if err := script.Load(ctx, c).Err(); err != nil {
			return s.connectError(err)
		}
	}
	return nil
}

// persistence says how Redis persists. Managed services refuse CONFIG; then only INFO speaks.
func persistence(ctx context.Context, c redis.Cmdable, info map[string]string) string {
	config := func(name string) (string, bool) {
		got, err := c.ConfigGet(ctx, name).Result()
		value, ok := got[name]
		return value, ok && err == nil
	}
	if info["aof_enabled"] == "1" {
		if policy, ok := config("appendfsync"); ok {
			return "aof " + policy
		}
		return "aof"
	}
	switch save, ok := config("save"); {
	case !ok:
		return "unknown"
	case save == "":
		return "none"
	default:
		return "rdb"
	}
}

const noEviction = "noeviction"

func roleProblem(role string) string {
	if role == "sentinel" {
		return "is a sentinel; want ?master=NAME in the URL, for it to say where the primary is"
	}
	return fmt.Sprintf("is a %s; want a primary: a replica's leases are nobody's", role)
}

func evictionProblem(policy string) string {
	return fmt.Sprintf("evicts keys when full (maxmemory-policy %s): it would evict leases that are held; want maxmemory-policy noeviction", policy)
}

func skewProblem(skew time.Duration) string {
	return fmt.Sprintf("its clock is %s off this server's; want less than %s (run NTP on both)", skew.Round(100*time.Millisecond), maxSkew)
}

// versionProblem says why a Redis of version is too old, or "".
func versionProblem(version string) string {
	parts := append(strings.Split(version, "."), "0")
	major, err := strconv.Atoi(parts[0])
	minor, _ := strconv.Atoi(parts[1])
	if err != nil || major < oldestMajor || major == oldestMajor && minor < oldestMinor {
		return fmt.Sprintf("is of version %q; want %d.%d or later", version, oldestMajor, oldestMinor)
	}
	return ""
}

// parseInfo reads INFO's key:value lines.
func parseInfo(text string) map[string]string {
	lines := func(yield func(string, string) bool) {
		for line := range strings.Lines(text) {
			if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && !yield(key, value) {
				return
			}
		}
	}
	return maps.Collect(lines)
}
