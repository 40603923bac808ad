package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/lockd/lockd/internal/redisconn"
	"github.com/lockd/lockd/internal/redlock"
)

// urls are those of a quorum's nodes: text with commas between them or, on the command line, several of that. It is a pflag.Value.
type urls []string

// Set adds those of text. A comma ends a URL only where another begins: one that stands in a password, where it should be
// escaped, does not tear the password apart, or half of it would be shown.
func (u *urls) Set(text string) error {
	begun := false
	for part := range strings.SplitSeq(strings.TrimRight(text, ", \t\n"), ",") {
		if begun && !strings.Contains(part, "://") {
			(*u)[len(*u)-1] += "," + part
			continue
		}
		if part = strings.TrimSpace(part); part != "" {
			*u = append(*u, part)
			begun = strings.Contains(part, "://")
		}
	}
	return nil
}

// String is what Set would take again.
func (u *urls) String() string { return strings.Join(*u, ",") }

// Type implements pflag.Value.
func (u *urls) Type() string { return "urls" }

// redactedURLs are URLs as they may be shown.
func redactedURLs(text string) string {
	var all urls
	_ = all.Set(text) // takes everything
	for i := range all {
		all[i] = redacted(all[i])
	}
	return all.String()
}

// checkRedlock adds what is wrong with the nodes of a quorum, of which none is asked.
func (c *config) checkRedlock(wrong *problems) {
	c.checkUnused(wrong, "and leases are kept by redlock, which has no use for it", "redis-sentinel-password-file", "redis-shared", "redis-min-replicas")
	secrets, err := redisconn.ReadSecrets(c.RedisFiles)
	c.addAbout(wrong, secretFiles, err)
	origin := c.values["redlock"].origin
	for _, url := range c.Redlock {
		if err := checkPassword("redlock", url, origin); err != nil {
			wrong.add("redlock", origin, err)
			return
		}
	}
	c.redlock = redlock.Config{
		URLs: c.Redlock, Secrets: secrets, NodeTimeout: c.RedlockNodeTimeout, KeyPrefix: c.KeyPrefix, MaxTTL: c.Limits.MaxTTL,
	}
	if secrets == nil || !wrong.spare("key-prefix", "redis-sentinel-password-file") {
		return // it is not known what is missing
	}
	c.addAbout(wrong, []string{"redlock", "redlock-node-timeout"}, c.redlock.Check())
}

// checkPassword refuses a password where everybody can read it, and one that is none.
func checkPassword(setting, url, origin string) error {
	switch password := passwordOf(url); {
	case password != "" && origin == "--"+setting:
		return fmt.Errorf("there is a password in its value, where every user of this machine can read it; "+
			"want it in %s, in the file given by --config, or in one given by --redis-password-file", variable(setting))
	case password == hidden:
		return fmt.Errorf("%s: the password is %s, which is what lockd shows instead of one; want the password itself", setting, hidden)
	}
	return nil
}

// errTwoStores is what is wrong with both a Redis and a quorum.
var errTwoStores = errors.New("redis and redlock are both set; want one place for leases: redis for one Redis, a Sentinel group or a Cluster, redlock for independent nodes")
