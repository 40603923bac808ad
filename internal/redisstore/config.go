package redisstore

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// callTimeout bounds dialling, writing and reading. Calls of short leases are given less by their
// contexts.
const callTimeout = 500 * time.Millisecond

// maxCalls is how many script calls may be under way, at each node of a Cluster; further ones wait within their deadlines. They
// wait here and not in go-redis's pool, which would not say whether a call that got no connection in
// time was sent. Shared calls do not wait for those: there are connections for them. The pool has some
// more for the checks and List.
const (
	maxCalls = 32
	poolSize = maxCalls + maxBatches + 8
)

// Config says which Redis and how.
type Config struct {
	// URL is redis://[user[:password]@]host[:port][/db] or unix://[user[:password]@]/path/to.sock[?db=N]; rediss://
	// speaks TLS. With ?master=NAME the hosts are those of sentinels, which know where the primary is; several hosts
	// without it, or ?cluster=true, are a Cluster.
	URL string
	// Secrets, if set, go before the URL's password, and may be replaced while a Store uses them.
	Secrets *Secrets
	// KeyPrefix begins every key; default "lockd".
	KeyPrefix string
	// Shared: other services use this Redis, with other key prefixes. Otherwise Open refuses a Redis that
	// another prefix is in use on, since that is nearly always one service set up in two ways.
	Shared bool
	// MinReplicas have to have every grant and renewal before it is told; 0: none.
	MinReplicas int
	// Notice is told once per change what an operator should know; it may be nil. It must not block.
	Notice func(msg string)
}

// ErrUnreachable: no Redis answered at the address, which the error names.
var ErrUnreachable = errors.New("redis is unreachable")

// RefusedError: Redis answered, but leases must not be kept there as it is set up.
type RefusedError struct {
	Address string
	Problem string // what is wrong and what would be right
}

func (e *RefusedError) Error() string { return "redis at " + e.Address + " " + e.Problem }

// Check reports what is wrong with c, asking nobody. Its errors never carry a password.
func (c Config) Check() error {
	_, err := c.target()
	return err
}

// target is where Redis is and who we are there.
type target struct {
	network            string // tcp or unix
	addrs              []string
	master             string // its name, if addrs are of sentinels
	cluster            bool
	db                 int
	tls                bool
	username, password string
	secrets            *Secrets // never nil
}

// String is how messages name it.
func (t target) String() string {
	if t.master != "" {
		return fmt.Sprintf("%q of the sentinels %s", t.master, strings.Join(t.addrs, ","))
	}
	return strings.Join(t.addrs, ",")
}

// login answers who we are at this moment.
func (t target) login() (username, password string) {
	if p := t.secrets.now().password; p != "" {
		return t.username, p
	}
	return t.username, t.password
}

var errURL = errors.New("redis URL cannot be read; want redis://host:port or unix:///path/to.sock, special characters percent-encoded")

// target translates c. It parses the URL itself: go-redis would let a URL switch on what must
// stay off (retries, for one), and quote the URL, password and all, in its errors.
func (c Config) target() (target, error) {
	if strings.ContainsAny(c.KeyPrefix, "{}") {
		return target{}, fmt.Errorf("key prefix %q contains a brace; want none, they place keys in a cluster", c.KeyPrefix)
	}
	if c.MinReplicas < 0 {
		return target{}, fmt.Errorf("%d replicas have to confirm a lease; want none or more", c.MinReplicas)
	}
	text, hosts := takeHosts(c.URL)
	u, err := url.Parse(text)
	if err != nil || strings.Contains(c.URL, "#") || strings.Contains(hosts+u.Path+u.RawQuery, "@") {
		// What follows an unescaped # / or ? of a password would be taken for something else, and quoted.
		return target{}, errURL
	}
	t := target{username: u.User.Username(), secrets: c.Secrets}
	if t.secrets == nil {
		t.secrets = noSecrets()
	}
	t.password, _ = u.User.Password()
	if err := t.place(u, hosts); err != nil {
		return target{}, err
	}
	if _, password := t.login(); t.username != "" && password == "" {
		// go-redis would not log in at all, and be Redis's default user.
		return target{}, fmt.Errorf("redis URL names the user %q, but there is no password; want one in a file (--redis-password-file), or the URL", t.username)
	}
	if !t.tls && t.secrets.now().forTLS() {
		return target{}, fmt.Errorf("redis URL has the scheme %q, which speaks no TLS, but there are certificates for it; want rediss://", u.Scheme)
	}
	if t.cluster && c.MinReplicas > 0 {
		return target{}, errors.New("replicas of a cluster cannot be asked to confirm a lease; want min-replicas 0, or a Sentinel group")
	}
	if t.master == "" && t.secrets.now().sentinelPassword != "" {
		return target{}, errors.New("there is a password for sentinels, but the redis URL names none; want ?master=NAME")
	}
	return t, nil
}

// takeHosts takes the hosts out of a URL: a list of them is nothing that net/url reads.
func takeHosts(text string) (rest, hosts string) {
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		return text, ""
	}
	authority, path := rest, ""
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		authority, path = rest[:end], rest[end:]
	}
	user := ""
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		user, authority = authority[:at+1], authority[at+1:]
	}
	return scheme + "://" + user + path, authority
}

// place fills in where Redis is.
func (t *target) place(u *url.URL, hosts string) error {
	query := u.Query()
	db := query.Get("db")
	t.master = query.Get("master")
	for key := range query {
		if key != "db" && key != "master" && key != "cluster" {
			return fmt.Errorf("redis URL has the parameter %q; want none but db, master or cluster", key)
		}
	}
	if of := query.Get("cluster"); of != "" && of != "true" || of != "" && t.master != "" {
		return fmt.Errorf("redis URL has cluster=%s; want cluster=true, and no master beside it", of)
	}
	if query.Has("master") && t.master == "" {
		return errors.New("redis URL has a master without a name; want ?master=NAME, as the sentinels call it")
	}
	t.cluster = query.Has("cluster") || t.master == "" && strings.Contains(hosts, ",")
	switch u.Scheme {
	case "redis", "rediss":
		t.network, t.tls = "tcp", u.Scheme == "rediss"
		if err := t.takeAddresses(hosts); err != nil {
			return err
		}
		if path := strings.Trim(u.Path, "/"); path != "" {
			db = path
		}
	case "unix":
		if u.Path == "" || hosts != "" || t.master != "" {
			return errors.New("redis URL names no socket; want unix:///path/to.sock with three slashes")
		}
		t.network, t.addrs = "unix", []string{u.Path}
	default:
		return fmt.Errorf("redis URL has the scheme %q; want redis://, rediss:// or unix://", u.Scheme)
	}
	if db == "" {
		return nil
	}
	n, err := strconv.Atoi(db)
	if err != nil || n < 0 {
		return fmt.Errorf("redis URL has the database %q; want a number", db)
	}
	if t.db = n; n != 0 && t.cluster {
		return fmt.Errorf("redis URL has the database %d; want none, a cluster has no other than 0", n)
	}
	return nil
}

// takeAddresses reads host[:port], or a list of them.
func (t *target) takeAddresses(hosts string) error {
	port := "6379"
	if t.master != "" {
		port = "26379"
	}
	for host := range strings.SplitSeq(hosts, ",") {
		u, err := url.Parse("redis://" + host)
		if err != nil || u.Hostname() == "" {
			return errors.New("redis URL names no host, or one that cannot be read; want one, as in redis://localhost:6379")
		}
		at := port
		if u.Port() != "" {
			at = u.Port()
		}
		t.addrs = append(t.addrs, net.JoinHostPort(u.Hostname(), at))
	}
	return nil
}

// options are go-redis's.
func (t target) options() *redis.UniversalOptions {
	size := poolSize
	if t.cluster {
		size += clusterShards // of each node
	}
	return &redis.UniversalOptions{
		Addrs: t.addrs, MasterName: t.master, DB: t.db, IsClusterMode: t.cluster,
		MaxRedirects:        maxRedirects,
		CredentialsProvider: t.login,
		Protocol:            2, // no pushes are used

		MaxRetries:            -1, // 0 would mean 3: a lost reply is ours to judge
		ContextTimeoutEnabled: true,
		DialTimeout:           callTimeout,
		ReadTimeout:           callTimeout,
		WriteTimeout:          callTimeout,
		PoolTimeout:           callTimeout,
		DialerRetries:         1,
		PoolSize:              size,
		PipelinePoolSize:      -1, // pipelines too take connections of this pool
		DisableIdentity:       true,

		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}
