package redisconn

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

// CallTimeout bounds dialling, writing and reading. Calls of short leases are given less by their
// contexts.
const CallTimeout = 500 * time.Millisecond

// Target is where Redis is and who we are there.
type Target struct {
	Addrs    []string
	Master   string // its name, if Addrs are of sentinels
	Cluster  bool
	DB       int
	TLS      bool
	Secrets  *Secrets // never nil
	network  string   // tcp or unix
	username string
	password string
}

var errURL = errors.New("redis URL cannot be read; want redis://host:port or unix:///path/to.sock, special characters percent-encoded")

// Parse reads a URL, to which secrets, if there are any, go before its password. It does so itself: go-redis would let a
// URL switch on what must stay off (retries, for one), and quote the URL, password and all, in its errors.
func Parse(from string, secrets *Secrets) (Target, error) {
	text, hosts := takeHosts(from)
	u, err := url.Parse(text)
	if err != nil || strings.Contains(from, "#") || strings.Contains(hosts+u.Path+u.RawQuery, "@") {
		// What follows an unescaped # / or ? of a password would be taken for something else, and quoted.
		return Target{}, errURL
	}
	t := Target{username: u.User.Username(), Secrets: secrets}
	if t.Secrets == nil {
		t.Secrets = noSecrets()
	}
	t.password, _ = u.User.Password()
	if err := t.place(u, hosts); err != nil {
		return Target{}, err
	}
	if _, password := t.Login(); t.username != "" && password == "" {
		// go-redis would not log in at all, and be Redis's default user.
		return Target{}, fmt.Errorf("redis URL names the user %q, but there is no password; want one in a file (--redis-password-file), or the URL", t.username)
	}
	if !t.TLS && t.Secrets.Now().forTLS() {
		return Target{}, fmt.Errorf("redis URL has the scheme %q, which speaks no TLS, but there are certificates for it; want rediss://", u.Scheme)
	}
	if t.Master == "" && t.Secrets.Now().SentinelPassword != "" {
		return Target{}, errors.New("there is a password for sentinels, but the redis URL names none; want ?master=NAME")
	}
	return t, nil
}

// String is how messages name it.
func (t Target) String() string {
	if t.Master != "" {
		return fmt.Sprintf("%q of the sentinels %s", t.Master, strings.Join(t.Addrs, ","))
	}
	return strings.Join(t.Addrs, ",")
}

// Login answers who we are at this moment.
func (t Target) Login() (username, password string) {
	if p := t.Secrets.Now().Password; p != "" {
		return t.username, p
	}
	return t.username, t.password
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
func (t *Target) place(u *url.URL, hosts string) error {
	query := u.Query()
	db := query.Get("db")
	t.Master = query.Get("master")
	for key := range query {
		if key != "db" && key != "master" && key != "cluster" {
			return fmt.Errorf("redis URL has the parameter %q; want none but db, master or cluster", key)
		}
	}
	if of := query.Get("cluster"); of != "" && of != "true" || of != "" && t.Master != "" {
		return fmt.Errorf("redis URL has cluster=%s; want cluster=true, and no master beside it", of)
	}
	if query.Has("master") && t.Master == "" {
		return errors.New("redis URL has a master without a name; want ?master=NAME, as the sentinels call it")
	}
	t.Cluster = query.Has("cluster") || t.Master == "" && strings.Contains(hosts, ",")
	switch u.Scheme {
	case "redis", "rediss":
		t.network, t.TLS = "tcp", u.Scheme == "rediss"
		if err := t.takeAddresses(hosts); err != nil {
			return err
		}
		if path := strings.Trim(u.Path, "/"); path != "" {
			db = path
		}
	case "unix":
		if u.Path == "" || hosts != "" || t.Master != "" {
			return errors.New("redis URL names no socket; want unix:///path/to.sock with three slashes")
		}
		t.network, t.Addrs = "unix", []string{u.Path}
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
	if t.DB = n; n != 0 && t.Cluster {
		return fmt.Errorf("redis URL has the database %d; want none, a cluster has no other than 0", n)
	}
	return nil
}

// takeAddresses reads host[:port], or a list of them.
func (t *Target) takeAddresses(hosts string) error {
	port := "6379"
	if t.Master != "" {
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
		t.Addrs = append(t.Addrs, net.JoinHostPort(u.Hostname(), at))
	}
	return nil
}

// Options are go-redis's, for a pool of size connections to each node.
func (t Target) Options(size int) *redis.UniversalOptions {
	return &redis.UniversalOptions{
		Addrs: t.Addrs, MasterName: t.Master, DB: t.DB, IsClusterMode: t.Cluster,
		CredentialsProvider: t.Login,
		Protocol:            2, // no pushes are used

		MaxRetries:            -1, // 0 would mean 3: a lost reply is ours to judge
		ContextTimeoutEnabled: true,
		DialTimeout:           CallTimeout,
		ReadTimeout:           CallTimeout,
		WriteTimeout:          CallTimeout,
		PoolTimeout:           CallTimeout,
		DialerRetries:         1,
		PoolSize:              size,
		PipelinePoolSize:      -1, // pipelines too take connections of this pool
		DisableIdentity:       true,

		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}
