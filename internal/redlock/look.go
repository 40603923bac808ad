package redlock

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redisconn"
)

// seen is what a node was found to be, whoever answered.
type seen struct {
	node    lease.Node // without Out
	uptime  time.Duration
	at      time.Time // of ours, when it had answered
	micros  int64     // of its TIME, then
	marker  string    // "": none
	memory  string    // "": none
	fence   string    // "": none; not always a number
	claim   string
	layout  string // "": none
	prefix  string
	settled bool // all that is to be on disk is there
}

// look asks whoever is at the node's address for everything that decides whether the node may vote. Errors:
// *redisconn.RefusedError; any other: it does not answer.
func (n *node) look(ctx context.Context) (seen, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*redisconn.CallTimeout)
	defer cancel()
	var s seen
	node, info, err := redisconn.Look(ctx, n.looks, func(sent time.Time, micros int64) {
		s.micros = micros
		n.clock.Learn(sent, micros) // before the first script, whose not_after is reckoned by it
	})
	if err != nil {
		return seen{}, redisconn.Refusal(n.address, err)
	}
	s.node, s.node.Address = node, n.address
	seconds, _ := strconv.Atoi(info["uptime_in_seconds"])
	s.uptime = time.Duration(seconds) * time.Second
	s.settled = info["aof_enabled"] == "1" && info["aof_rewrite_in_progress"] == "0" && info["aof_rewrite_scheduled"] == "0" &&
		info["aof_last_bgrewrite_status"] == "ok" && info["aof_last_write_status"] == "ok"
	if problem := serverProblem(node, info); problem != "" {
		return s, n.refused("%s", problem)
	}
	got := make([]*redis.StringCmd, 6)
	_, err = n.looks.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, key := range []string{n.keys.marker(), n.keys.memory(), n.keys.fence(), n.keys.claim(), n.keys.layout(), prefixKey} {
			got[i] = p.Get(ctx, key)
		}
		return nil
	})
	var answered redis.Error
	if err != nil && !errors.As(err, &answered) {
		return s, err
	}
	for i, to := range []*string{&s.marker, &s.memory, &s.fence, &s.claim, &s.layout, &s.prefix} {
		err := got[i].Err()
		*to = got[i].Val()
		switch {
		case redis.HasErrorPrefix(err, "WRONGTYPE"):
			*to = "of another type"
		case err != nil && !errors.Is(err, redis.Nil):
			return s, redisconn.Refusal(n.address, err)
		}
	}
	s.at = time.Now()
	return s, nil
}

// serverProblem says why a server can be no node of a group, or "".
func serverProblem(n lease.Node, info map[string]string) string {
	switch {
	case redisconn.VersionProblem(n.Version) != "":
		return redisconn.VersionProblem(n.Version)
	case n.Role != "master":
		return redisconn.RoleProblem(n.Role)
	case info["cluster_enabled"] == "1":
		return "is a node of a cluster; want servers that know nothing of each other"
	case n.Eviction != redisconn.NoEviction:
		return redisconn.EvictionProblem(n.Eviction)
	}
	return ""
}

var wholeNumber = regexp.MustCompile(`^[0-9]{1,16}$`)

// fenceValue is the fence as a number; false if it is none, so the node has no memory.
func (s seen) fenceValue() (int64, bool) {
	if !wholeNumber.MatchString(s.fence) {
		return 0, false
	}
	n, err := strconv.ParseInt(s.fence, 10, 64)
	return n, err == nil
}

// alwaysOnDisk reports whether everything that the server has answered is on disk, so that its next run remembers it.
func (s seen) alwaysOnDisk() bool { return s.node.Persistence == "aof always" && s.settled }

// empty reports whether no lockd has left anything there, as far as a look tells.
func (s seen) empty() bool {
	return s.marker == "" && s.memory == "" && s.fence == "" && s.layout == "" && s.prefix == ""
}

// refused is a RefusedError about the node.
func (n *node) refused(format string, args ...any) error {
	return &redisconn.RefusedError{Address: n.address, Problem: fmt.Sprintf(format, args...)}
}
