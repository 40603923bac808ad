package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redisstore"
)

// config is everything that can be set.
type config struct {
	Listen           string
	HTTP             string // "": none
	Redis            string // URL; "": leases are kept in memory
	RedisFiles       redisstore.SecretFiles
	RedisShared      bool
	RedisMinReplicas int
	KeyPrefix        string
	Limits           lease.Limits
	Insecure         bool
	Reflection       bool
	LogLevel         string
	LogFormat        string
	File             string

	// What check makes of them.
	grpcAt, httpAt address
	redis          redisstore.Config // its URL and Password may be secrets
}

// define binds c to flags, each with its default and the name of its variable.
func (c *config) define(flags *pflag.FlagSet) {
	flags.StringVar(&c.Listen, "listen", "127.0.0.1:7420", "where to serve gRPC: `ADDR` is host:port or unix:///path")
	flags.StringVar(&c.HTTP, "http", "127.0.0.1:7421", "where to serve /healthz and /readyz: `ADDR` as above, empty for nowhere")
	flags.StringVar(&c.Redis, "redis", "", "keep leases in the Redis at `URL`: redis://[user@]host[:port][/db] (rediss:// for TLS), redis://sentinel,sentinel?master=NAME "+
		"or unix://[user@]/path/to.sock; empty: in memory")
	flags.StringVar(&c.RedisFiles.Password, "redis-password-file", "", "`FILE` whose first line is Redis's password; goes before one in the URL")
	flags.StringVar(&c.RedisFiles.SentinelPassword, "redis-sentinel-password-file", "", "`FILE` whose first line is the sentinels' password")
	flags.StringVar(&c.RedisFiles.CA, "redis-ca", "", "PEM `FILE` of who may have signed Redis's certificate; empty: whom the system trusts")
	flags.StringVar(&c.RedisFiles.Cert, "redis-cert", "", "PEM `FILE` of the certificate shown to Redis")
	flags.StringVar(&c.RedisFiles.Key, "redis-key", "", "PEM `FILE` of its private key")
	flags.BoolVar(&c.RedisShared, "redis-shared", false, "other services use this Redis too, with other key prefixes")
	flags.IntVar(&c.RedisMinReplicas, "redis-min-replicas", 0, "how many replicas must have a grant or renewal before it is told; 0: none")
	flags.StringVar(&c.KeyPrefix, "key-prefix", "lockd", "`PREFIX` of every key in Redis")
	flags.DurationVar(&c.Limits.MinTTL, "min-ttl", time.Second, "shortest ttl a client may ask for")
	flags.DurationVar(&c.Limits.MaxTTL, "max-ttl", time.Hour, "longest ttl a client may ask for")
	flags.DurationVar(&c.Limits.DefaultTTL, "default-ttl", 30*time.Second, "ttl of a client that asks for none")
	flags.DurationVar(&c.Limits.MaxWait, "max-wait", 5*time.Minute, "longest wait a client may ask for in one call")
	flags.BoolVar(&c.Insecure, "insecure", false, "allow plaintext beyond loopback: lease ids, which are secrets, cross the network readable")
	flags.BoolVar(&c.Reflection, "reflection", false, "let the services describe themselves to tools such as grpcurl")
	flags.StringVar(&c.LogLevel, "log-level", "info", "least `LEVEL` to log: debug (every call), info, warn or error")
	flags.StringVar(&c.LogFormat, "log-format", "console", "json or console (key=value): the `FORMAT` of the log on stderr")
	flags.StringVar(&c.File, "config", "", "YAML `FILE` with settings")
	flags.VisitAll(func(f *pflag.Flag) { f.Usage += " [" + variable(f.Name) + "]" })
}

// load fills in what environment and file say and checks the whole, asking nobody. Its errors name
// the setting, and show no secret.
func (c *config) load(flags *pflag.FlagSet, env []string) error {
	// Looked at first: afterwards one cannot tell where the value came from.
	if flags.Changed("redis") && hasPassword(c.Redis) {
		return errors.New("--redis has a password in its value, where every user of this machine can read it; " +
			"want it in LOCKD_REDIS, in the file given by --config, or in one given by --redis-password-file")
	}
	if err := layer(flags, env); err != nil {
		return err
	}
	return c.check()
}

// hasPassword reports whether text, if it is a URL, carries a password. It looks at the text and not at
// how it parses: a password with an unescaped # / or ? in it parses as something else.
func hasPassword(text string) bool {
	_, rest, _ := strings.Cut(text, "://")
	at := strings.LastIndex(rest, "@")
	return at >= 0 && strings.Contains(rest[:at], ":")
}

// check says what is wrong with c, and prepares what is derived from it.
func (c *config) check() (err error) {
	if c.grpcAt, err = c.checkAddress("listen", c.Listen); err != nil {
		return err
	}
	if c.HTTP != "" {
		if c.httpAt, err = c.checkAddress("http", c.HTTP); err != nil {
			return err
		}
	}
	if err := c.Limits.Validate(); err != nil {
		return fmt.Errorf("min-ttl, default-ttl, max-ttl or max-wait: %w", err)
	}
	if want := []string{"debug", "info", "warn", "error"}; !slices.Contains(want, c.LogLevel) {
		return fmt.Errorf("log-level is %q; want one of %s", c.LogLevel, strings.Join(want, ", "))
	}
	if want := []string{"json", "console"}; !slices.Contains(want, c.LogFormat) {
		return fmt.Errorf("log-format is %q; want one of %s", c.LogFormat, strings.Join(want, ", "))
	}
	return c.checkRedis()
}

func (c *config) checkAddress(setting, text string) (address, error) {
	at, err := parseAddress(text)
	if err != nil {
		return address{}, fmt.Errorf("%s is %q: %w", setting, text, err)
	}
	if !c.Insecure && !at.local() {
		return address{}, fmt.Errorf("%s is %q, which is reached from other machines, and in plaintext; want a loopback address "+
			"or a unix socket, or --insecure", setting, text)
	}
	return at, nil
}

func (c *config) checkRedis() error {
	if c.Redis == "" {
		if c.RedisFiles != (redisstore.SecretFiles{}) {
			return errors.New("redis-password-file, redis-sentinel-password-file, redis-ca, redis-cert or redis-key is set and redis is not; " +
				"want both, or none of them for leases in memory")
		}
		return nil
	}
	secrets, err := redisstore.ReadSecrets(c.RedisFiles)
	if err != nil {
		return fmt.Errorf("redis-password-file, redis-sentinel-password-file, redis-ca, redis-cert or redis-key: %w", err)
	}
	c.redis = redisstore.Config{URL: c.Redis, Secrets: secrets, KeyPrefix: c.KeyPrefix, Shared: c.RedisShared, MinReplicas: c.RedisMinReplicas}
	if err := c.redis.Check(); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}
