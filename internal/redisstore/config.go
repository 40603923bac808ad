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

// maxCalls is how many script calls may be under way; further ones wait within their deadlines. They
// wait here and not in go-redis's pool, which would not say whether a call that got no connection in
// time was sent. The pool has some more connections, for the checks and List.
const (
	maxCalls = 32
	poolSize = maxCalls + 8
)

// Config says which Redis and how.
type Config struct {
	// URL is redis://[user[:password]@]host[:port][/db] or unix://[user[:password]@]/path/to.sock[?db=N].
	URL string
	// Password, if set, goes before the URL's.
	Password string
	// KeyPrefix begins every key; default "lockd". Two services with different prefixes share a
	// Redis without knowing of each other.
	KeyPrefix string
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
	_, err := c.options()
	return err
}

// options translates c. It parses the URL itself: go-redis would let a URL switch on what must
// stay off (retries, for one), and quote the URL, password and all, in its errors.
func (c Config) options() (*redis.Options, error) {
	if strings.ContainsAny(c.KeyPrefix, "{}") {
		return nil, fmt.Errorf("key prefix %q contains a brace; want none, they place keys in a cluster", c.KeyPrefix)
	}
	u, err := url.Parse(c.URL)
	if err != nil || strings.Contains(c.URL, "#") || strings.Contains(u.Host+u.Path+u.RawQuery, "@") {
		// What follows an unescaped # / or ? of a password would be taken for something else, and quoted.
		return nil, errors.New("redis URL cannot be read; want redis://host:port or unix:///path/to.sock, special characters percent-encoded")
	}
	options := &redis.Options{
		Username: u.User.Username(),
		Protocol: 2, // no pushes are used

		MaxRetries:            -1, // 0 would mean 3: a lost reply is ours to judge
		ContextTimeoutEnabled: true,
		DialTimeout:           callTimeout,
		ReadTimeout:           callTimeout,
		WriteTimeout:          callTimeout,
		PoolTimeout:           callTimeout,
		DialerRetries:         1,
		PoolSize:              poolSize,
		DisableIdentity:       true,

		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	options.Password, _ = u.User.Password()
	if c.Password != "" {
		options.Password = c.Password
	}
	if options.Username != "" && options.Password == "" {
		// go-redis would not log in at all, and be Redis's default user.
		return nil, fmt.Errorf("redis URL names the user %q, but there is no password", options.Username)
	}
	return options, place(options, u)
}

// place fills in where Redis is.
func place(options *redis.Options, u *url.URL) error {
	query := u.Query()
	db := query.Get("db")
	query.Del("db")
	for key := range query {
		return fmt.Errorf("redis URL has the parameter %q; want none but db", key)
	}
	switch u.Scheme {
	case "redis":
		if u.Hostname() == "" || strings.Contains(u.Host, ",") {
			return errors.New("redis URL names no host, or several; want one, as in redis://localhost:6379")
		}
		port := u.Port()
		if port == "" {
			port = "6379"
		}
		options.Network, options.Addr = "tcp", net.JoinHostPort(u.Hostname(), port)
		if path := strings.Trim(u.Path, "/"); path != "" {
			db = path
		}
	case "unix":
		if u.Path == "" || u.Host != "" {
			return errors.New("redis URL names no socket; want unix:///path/to.sock with three slashes")
		}
		options.Network, options.Addr = "unix", u.Path
	default:
		return fmt.Errorf("redis URL has the scheme %q; want redis:// or unix://", u.Scheme)
	}
	if db == "" {
		return nil
	}
	n, err := strconv.Atoi(db)
	if err != nil || n < 0 {
		return fmt.Errorf("redis URL has the database %q; want a number", db)
	}
	options.DB = n
	return nil
}
