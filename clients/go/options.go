package lockd

import (
	"maps"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"
)

// DefaultUnavailableFor is how long nothing may answer before an acquisition gives up, unless
// [WithUnavailableFor] says otherwise.
const DefaultUnavailableFor = 10 * time.Second

// A DialOption changes how a Client behaves.
type DialOption func(*config)

// config is what DialOptions set.
type config struct {
	owner          string
	insecure       bool
	tls            *TLSFiles // nil: plaintext
	tokenFile      string    // "": no token
	unavailableFor time.Duration
}

// newConfig returns the defaults with opts applied.
func newConfig(opts []DialOption) config {
	cfg := config{unavailableFor: DefaultUnavailableFor}
	for _, opt := range opts {
		opt(&cfg)
	}
	if cfg.owner == "" {
		cfg.owner = defaultOwner()
	}
	return cfg
}

// WithOwner says who holds this client's leases, for people: at most 256 bytes of UTF-8 without
// control characters. The default is user@host:pid.
func WithOwner(owner string) DialOption {
	return func(c *config) { c.owner = owner }
}

// WithInsecure allows plaintext to addresses beyond loopback and unix sockets. Lease ids are secrets
// and travel unprotected then: use it on networks that you trust. [WithTLS] is the better choice.
func WithInsecure() DialOption {
	return func(c *config) { c.insecure = true }
}

// WithUnavailableFor sets for how long in a row nothing may answer before an acquisition gives up
// with [ErrUnavailable]; the default is [DefaultUnavailableFor]. The first connection is given 5 s or
// d, whichever is shorter, and none at all once every address has refused it.
func WithUnavailableFor(d time.Duration) DialOption {
	return func(c *config) { c.unavailableFor = d }
}

// An AcquireOption changes what is asked for.
type AcquireOption func(*request)

// request is what AcquireOptions set.
type request struct {
	ttl       *time.Duration // nil: the server's default
	metadata  map[string]string
	keepalive bool
	queued    func(HeldError) // nil: nobody wants to know
}

// WithTTL sets how long the lease lasts from each renewal on, in whole milliseconds (fractions are
// cut off) and within the server's bounds, by default 1 s to 1 h. Without it the server's default
// holds, 30 s. A short ttl frees the name soon after a crash; a long one rides out long outages.
func WithTTL(ttl time.Duration) AcquireOption {
	return func(r *request) { r.ttl = &ttl }
}

// WithMetadata attaches what people and tools may want to know: at most 1 KiB of UTF-8, keys and
// values together, visible to everybody who may look.
func WithMetadata(metadata map[string]string) AcquireOption {
	metadata = maps.Clone(metadata)
	return func(r *request) { r.metadata = metadata }
}

// WithoutKeepalive leaves the lease alone: it is not renewed, and Close does not release it. It ends
// by Release or when its ttl runs out. For a lease that is handed on to another process.
func WithoutKeepalive() AcquireOption {
	return func(r *request) { r.keepalive = false }
}

// WithQueued has f told, while Acquire waits, who is in the way and which place in line the caller has:
// as soon as lockd says so, and again when it is asked again, about once a minute, if that changed. So what f
// was told last may be a minute old; lockd's Get shows the line as it is. Position is 0 when the place is not known. f is called on the goroutine of Acquire, before it
// returns, so it must not block: a turn that comes meanwhile waits for it.
func WithQueued(f func(HeldError)) AcquireOption {
	return func(r *request) { r.queued = f }
}

// defaultOwner returns user@host:pid, with what cannot be found out left out.
func defaultOwner() string {
	name := strconv.Itoa(os.Getuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, _ := os.Hostname() // "" is as good as any name for a host that has none
	return strings.ToValidUTF8(name+"@"+host+":"+strconv.Itoa(os.Getpid()), "?")
}
