package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/lockd/lockd/internal/auth"
	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/metrics"
	"github.com/lockd/lockd/internal/redisconn"
	"github.com/lockd/lockd/internal/redisstore"
	"github.com/lockd/lockd/internal/redlock"
	"github.com/lockd/lockd/internal/rpc"
)

// config is everything that can be set.
type config struct {
	Listen           string
	HTTP             string // "": none
	Redis            string // URL; "": leases are kept in memory
	RedisFiles       redisconn.SecretFiles
	RedisShared      bool
	RedisMinReplicas int
	KeyPrefix        string
	Limits           lease.Limits
	Bounds           rpc.Bounds
	Auth             auth.Settings
	Insecure         bool
	Reflection       bool
	LogLevel         string
	LogFormat        string
	AuditLog         string // "": none
	MetricsClass     classRules
	File             string // "": none

	Redlock            urls          // of the nodes; none: leases are kept in one Redis, or in memory
	RedlockNodeTimeout time.Duration // 0: by the ttl

	values map[string]value // the settings as text, by their names

	// What check makes of them.
	grpcAt, httpAt address
	redis          redisstore.Config // its URL and Password may be secrets
	redlock        redlock.Config    // so may its
	guard          *auth.Guard       // nil: plaintext, and nobody is asked
	classes        metrics.Classes
}

// flags answers the flags that set c, each with its default and the name of its variable.
func (c *config) flags() *pflag.FlagSet {
	flags := pflag.NewFlagSet("lockd", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.StringVar(&c.Listen, "listen", "127.0.0.1:7420", "where to serve gRPC: `ADDR` is host:port or unix:///path")
	flags.StringVar(&c.HTTP, "http", "127.0.0.1:7421", "where to serve /healthz, /readyz and /metrics, and on loopback /debug: `ADDR` as above, empty for nowhere")
	flags.StringVar(&c.Redis, "redis", "", "keep leases in the Redis at `URL`: redis://[user@]host[:port][/db] (rediss:// for TLS), redis://sentinel,sentinel?master=NAME, redis://node,node for a Cluster "+
		"or unix://[user@]/path/to.sock; empty: in memory")
	flags.StringVar(&c.RedisFiles.Password, "redis-password-file", "", "`FILE` whose first line is Redis's password; goes before one in the URL")
	flags.StringVar(&c.RedisFiles.SentinelPassword, "redis-sentinel-password-file", "", "`FILE` whose first line is the sentinels' password")
	flags.StringVar(&c.RedisFiles.CA, "redis-ca", "", "PEM `FILE` of who may have signed Redis's certificate; empty: whom the system trusts")
	flags.StringVar(&c.RedisFiles.Cert, "redis-cert", "", "PEM `FILE` of the certificate shown to Redis")
	flags.StringVar(&c.RedisFiles.Key, "redis-key", "", "PEM `FILE` of its private key")
	flags.BoolVar(&c.RedisShared, "redis-shared", false, "other services use this Redis too, with other key prefixes")
	flags.IntVar(&c.RedisMinReplicas, "redis-min-replicas", 0, "how many replicas must have a grant or renewal before it is told; 0: none")
	flags.Var(&c.Redlock, "redlock", "keep leases in a quorum of 3, 5 or 7 independent Redis: `URL,URL,...`, each redis://, rediss:// or unix:// as above; may be given several times. Not beside --redis")
	flags.DurationVar(&c.RedlockNodeTimeout, "redlock-node-timeout", 0, "how long a node has to answer; 0: a tenth of the ttl, at most 250ms")
	flags.StringVar(&c.KeyPrefix, "key-prefix", "lockd", "`PREFIX` of every key in Redis")
	flags.DurationVar(&c.Limits.MinTTL, "min-ttl", time.Second, "shortest ttl a client may ask for")
	flags.DurationVar(&c.Limits.MaxTTL, "max-ttl", time.Hour, "longest ttl a client may ask for")
	flags.DurationVar(&c.Limits.DefaultTTL, "default-ttl", 30*time.Second, "ttl of a client that asks for none")
	flags.DurationVar(&c.Limits.MaxWait, "max-wait", 5*time.Minute, "longest wait a client may ask for in one call")
	c.limitFlags(flags)
	flags.StringVar(&c.Auth.Cert, "tls-cert", "", "PEM `FILE` of the certificate shown to clients, gRPC's and HTTP's; empty: plaintext")
	flags.StringVar(&c.Auth.Key, "tls-key", "", "PEM `FILE` of its private key")
	flags.StringVar(&c.Auth.ClientCA, "tls-client-ca", "", "PEM `FILE` of who may have signed clients' certificates, which then say who they are")
	flags.StringVar(&c.Auth.Tokens, "token-file", "", "`FILE` of names and the hashes of their bearer tokens; others must not be able to read it")
	flags.StringVar(&c.Auth.JWTKeys, "jwt-keys", "", "JWKS `FILE` of who may have signed JWTs")
	flags.StringVar(&c.Auth.Issuer, "jwt-issuer", "", "`ISSUER` of JWTs (iss)")
	flags.StringVar(&c.Auth.Audience, "jwt-audience", "", "`AUDIENCE` that JWTs must be for (aud)")
	flags.StringVar(&c.Auth.Policy, "policy", "", "YAML `FILE` of who may do what, needed once clients are asked who they are, and then what it does not allow is denied; and of how long names may be held")
	flags.BoolVar(&c.Insecure, "insecure", false, "allow plaintext beyond loopback: lease ids, which are secrets, cross the network readable")
	flags.BoolVar(&c.Reflection, "reflection", false, "let the services describe themselves to tools such as grpcurl")
	flags.StringVar(&c.LogLevel, "log-level", "info", "least `LEVEL` to log: debug (every call), info, warn or error")
	flags.StringVar(&c.LogFormat, "log-format", "console", "json or console (key=value): the `FORMAT` of the log on stderr")
	flags.StringVar(&c.AuditLog, "audit-log", "", "append a record of grants, refusals, forced releases and changed settings to `FILE`, or to stderr; empty: none. SIGHUP opens it anew")
	flags.Var(&c.MetricsClass, "metrics-class", "count names under a prefix as a class of their own in /metrics: `PREFIX=CLASS,...`; may be given several times")
	flags.StringVar(&c.File, "config", "", "YAML `FILE` with settings")
	flags.VisitAll(func(f *pflag.Flag) { f.Usage += " [" + variable(f.Name) + "]" })
	return flags
}

// check adds what is wrong with c, and prepares what is derived from it.
func (c *config) check(wrong *problems) {
	add := func(setting string, err error) {
		if err != nil {
			wrong.add(setting, c.values[setting].origin, err)
		}
	}
	var err error
	c.grpcAt, err = c.checkAddress("listen", c.Listen)
	add("listen", err)
	if c.HTTP != "" {
		c.httpAt, err = c.checkAddress("http", c.HTTP)
		add("http", err)
	}
	c.checkLimits(wrong)
	add("log-level", oneOf("log-level", c.LogLevel, logLevels...))
	add("log-format", oneOf("log-format", c.LogFormat, "json", "console"))
	if c.classes, err = metrics.ParseClasses(c.MetricsClass); err != nil {
		add("metrics-class", fmt.Errorf("metrics-class %w", err))
	}
	const fine = "redis://localhost" // so that what is wrong is not the URL
	add("key-prefix", redisstore.Config{URL: fine, KeyPrefix: c.KeyPrefix}.Check())
	add("redis-min-replicas", redisstore.Config{URL: fine, MinReplicas: c.RedisMinReplicas}.Check())
	c.checkStore(wrong)
	c.guard, err = openGuard(c.Auth, c.Limits.MinTTL)
	c.addAbout(wrong, authSettings, err)
}

func oneOf(setting, text string, want ...string) error {
	if slices.Contains(want, text) {
		return nil
	}
	return fmt.Errorf("%s is %q; want one of %s", setting, text, strings.Join(want, ", "))
}

func (c *config) checkAddress(setting, text string) (address, error) {
	at, err := parseAddress(text)
	if err != nil {
		return address{}, fmt.Errorf("%s is %q: %w", setting, text, err)
	}
	switch {
	case at.local() || c.mayBeReached():
		return at, nil
	case c.Insecure:
		return address{}, fmt.Errorf("%s is %q, which is reached from other machines, and in plaintext: they would read clients' tokens; want tls-cert and tls-key", setting, text)
	}
	return address{}, fmt.Errorf("%s is %q, which is reached from other machines, and in plaintext; want a loopback address "+
		"or a unix socket, tls-cert and tls-key, or --insecure", setting, text)
}

// addAbout adds each line of err, which is about some of these settings, with where those were set that were.
func (c *config) addAbout(wrong *problems, settings []string, err error) {
	if err == nil {
		return
	}
	var origins []string
	for _, name := range settings {
		if origin := c.values[name].origin; origin != byDefault {
			origins = append(origins, origin)
		}
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		wrong.addf("%s: %s", strings.Join(origins, ", "), line)
	}
}

// secretFiles are the settings that name files to be read.
var secretFiles = []string{"redis-password-file", "redis-sentinel-password-file", "redis-ca", "redis-cert", "redis-key"}

// checkStore adds what is wrong with where leases are kept.
func (c *config) checkStore(wrong *problems) {
	if len(c.Redlock) == 0 {
		c.checkUnused(wrong, "and redlock is not; want both, or none of them", "redlock-node-timeout")
	}
	switch {
	case len(c.Redlock) > 0 && c.Redis != "":
		c.addAbout(wrong, []string{"redis", "redlock"}, errTwoStores)
	case len(c.Redlock) > 0:
		c.checkRedlock(wrong)
	case c.Redis != "":
		c.checkRedis(wrong)
	default:
		c.checkUnused(wrong, "and redis is not, nor redlock; want one of them, or leases in memory and none of all that", append(slices.Clone(secretFiles), "redis-min-replicas")...)
	}
}

// checkUnused adds which of these settings are set, and would be believed to work.
func (c *config) checkUnused(wrong *problems, why string, settings ...string) {
	none := new(config).flags()
	for _, name := range settings {
		if set := c.values[name]; set.text != none.Lookup(name).DefValue {
			wrong.add(name, set.origin, fmt.Errorf("%s is set %s", name, why))
		}
	}
}

// checkRedis adds what is wrong with the one Redis.
func (c *config) checkRedis(wrong *problems) {
	secrets, err := redisconn.ReadSecrets(c.RedisFiles)
	c.addAbout(wrong, secretFiles, err)
	origin := c.values["redis"].origin
	c.redis = redisstore.Config{URL: c.Redis, Secrets: secrets, KeyPrefix: c.KeyPrefix, Shared: c.RedisShared, MinReplicas: c.RedisMinReplicas}
	if err := checkPassword("redis", c.Redis, origin); err != nil {
		wrong.add("redis", origin, err)
		return
	}
	if secrets == nil {
		return // it is not known what is missing
	}
	at := c.redis
	at.KeyPrefix, at.MinReplicas = "", 0 // have been looked at
	if err := at.Check(); err != nil {
		wrong.add("redis", origin, fmt.Errorf("redis: %w", err))
		return
	}
	at.MinReplicas = max(c.RedisMinReplicas, 0) // do they fit to where that leads
	if err := at.Check(); err != nil {
		wrong.add("redis-min-replicas", c.values["redis-min-replicas"].origin, fmt.Errorf("redis-min-replicas is %d: %w", at.MinReplicas, err))
	}
}
