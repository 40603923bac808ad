package redisconn

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
)

// MaxSkew is how far this process's clock and Redis's may be apart while new leases are granted.
// Tokens grow by the clock after a wipe, and keys expire by it: beyond this neither is trusted.
const MaxSkew = 2 * time.Second

// NoEviction is the one policy under which leases that are held are not evicted.
const NoEviction = "noeviction"

// The oldest Redis whose SET knows KEEPTTL, and GET for a fence of the wrong type.
const oldestMajor, oldestMinor = 6, 2

// Look asks a server what it is: a Node without Address and Error, and INFO's lines. learn is told of its TIME.
func Look(ctx context.Context, c redis.Cmdable, learn func(sent time.Time, redisMicros int64)) (lease.Node, map[string]string, error) {
	sent := time.Now()
	redisNow, err := c.Time(ctx).Result()
	if err != nil {
		return lease.Node{}, nil, err
	}
	learn(sent, redisNow.UnixMicro())
	// Half a round trip is the best guess at how old the answer is.
	skew := redisNow.Sub(sent.Round(0)) - time.Since(sent)/2

	text, err := c.Info(ctx).Result()
	if err != nil {
		return lease.Node{}, nil, err
	}
	info := Info(text)
	persists, err := persistence(ctx, c, info)
	if err != nil {
		return lease.Node{}, nil, err
	}
	return lease.Node{
		Version: info["redis_version"], Role: info["role"], RunID: info["run_id"],
		ClockSkew: skew, Persistence: persists, Eviction: info["maxmemory_policy"],
	}, info, nil
}

// persistence says how Redis persists. Managed services refuse CONFIG; then only INFO speaks. Who does not answer has not
// refused it.
func persistence(ctx context.Context, c redis.Cmdable, info map[string]string) (string, error) {
	name, prefix := "save", ""
	if info["aof_enabled"] == "1" {
		name, prefix = "appendfsync", "aof "
	}
	got, err := c.ConfigGet(ctx, name).Result()
	if err != nil && !errors.As(err, new(redis.Error)) {
		return "", err
	}
	switch value, ok := got[name]; {
	case !ok && prefix != "":
		return "aof", nil
	case !ok:
		return "unknown", nil
	case prefix != "":
		return prefix + value, nil
	case value == "":
		return "none", nil
	}
	return "rdb", nil
}

// RoleOf answers what a server is, from the reply of ROLE: master, slave or sentinel.
func RoleOf(cmd *redis.Cmd) (string, error) {
	reply, err := cmd.Slice()
	if err != nil {
		return "", err
	}
	if len(reply) > 0 {
		if is, ok := reply[0].(string); ok {
			return is, nil
		}
	}
	return "server of unknown role", nil
}

// RoleProblem says of a server that is no primary what would be right.
func RoleProblem(role string) string {
	if role == "sentinel" {
		return "is a sentinel; want ?master=NAME in the URL, for it to say where the primary is"
	}
	return fmt.Sprintf("is a %s; want a primary: a replica's leases are nobody's", role)
}

// EvictionProblem says what is wrong with any other policy than NoEviction.
func EvictionProblem(policy string) string {
	return fmt.Sprintf("evicts keys when full (maxmemory-policy %s): it would evict leases that are held; want maxmemory-policy noeviction", policy)
}

// SkewProblem says of a skew of more than MaxSkew what would be right.
func SkewProblem(skew time.Duration) string {
	return fmt.Sprintf("its clock is %s off this server's; want less than %s (run NTP on both)", skew.Round(100*time.Millisecond), MaxSkew)
}

// VersionProblem says why a Redis of version is too old, or "".
func VersionProblem(version string) string {
	parts := append(strings.Split(version, "."), "0")
	major, err := strconv.Atoi(parts[0])
	minor, _ := strconv.Atoi(parts[1])
	if err != nil || major < oldestMajor || major == oldestMajor && minor < oldestMinor {
		return fmt.Sprintf("is of version %q; want %d.%d or later", version, oldestMajor, oldestMinor)
	}
	return ""
}

// Info reads INFO's key:value lines.
func Info(text string) map[string]string {
	lines := func(yield func(string, string) bool) {
		for line := range strings.Lines(text) {
			if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && !yield(key, value) {
				return
			}
		}
	}
	return maps.Collect(lines)
}
