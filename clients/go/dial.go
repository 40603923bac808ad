package lockd

import (
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// How the connection is watched and made anew. Leases last seconds, so both go faster than gRPC's
// defaults (never, and up to two minutes).
const (
	// pingAfter is how long a connection may be silent before it is asked for a sign of life, and
	// pingTimeout how long that may take, as may the acknowledgement of anything sent. lockd cuts
	// clients that ask more often than every 10 s, and counts by its own clock.
	pingAfter   = 12 * time.Second
	pingTimeout = 3 * time.Second
	// Windows of a fixed size: gRPC would otherwise ask the other side after every few messages how much
	// is under way, which costs a busy stream a tenth of its processor time.
	streamWindow = 256 << 10 // bytes that lockd may send on a stream before any is read
	connWindow   = 1 << 20   // and on all streams together
	// Between attempts to connect.
	firstReconnect = 50 * time.Millisecond
	lastReconnect  = time.Second
	connectWithin  = 3 * time.Second
)

// serviceConfig: a connection to each address of the target, used in turn, so that whoever tries again
// after a server that is mute, or cut off from its store, is with another one. No retry policy: this
// package retries itself, because it counts attempts.
const serviceConfig = `{"loadBalancingConfig":[{"round_robin":{}}]}`

// Dial returns a Client of the lockd at target. It does not wait for a connection.
//
// target is "host:port", several of them separated by commas (any lockd in front of the same store
// will do; the default port is 7420), or a gRPC target such as "unix:///run/lockd.sock" or
// "dns:///lockd.internal:7420". Connections are plaintext unless [WithTLS] is given, so without it anything but
// loopback and unix sockets is refused unless [WithInsecure] is given.
func Dial(target string, opts ...DialOption) (*Client, error) {
	cfg := newConfig(opts)
	if cfg.unavailableFor <= 0 {
		return nil, fmt.Errorf("%w: WithUnavailableFor(%s): want more than 0", ErrInvalid, cfg.unavailableFor)
	}
	t, err := parseTarget(target)
	if err != nil {
		return nil, err
	}
	if t.remote != "" && cfg.tls == nil && !cfg.insecure {
		return nil, fmt.Errorf("%w: target %q: the connection is plaintext, and %s is neither loopback nor a unix socket; use WithTLS, or use WithInsecure on a network that you trust",
			ErrInvalid, target, t.remote)
	}
	secrets, err := cfg.credentials(t, insecure.NewCredentials())
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient(t.grpc, append(append(t.options(), secrets...),
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithDisableServiceConfig(),
		// What remains is harmless: gRPC repeats a request that certainly no server processed, under
		// the same attempt, and counted from the same sending, which is too early and thus safe.
		grpc.WithDisableRetry(),
		grpc.WithInitialWindowSize(streamWindow),
		grpc.WithInitialConnWindowSize(connWindow),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingAfter, Timeout: pingTimeout, PermitWithoutStream: true}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: firstReconnect, Multiplier: 1.6, Jitter: 0.2, MaxDelay: lastReconnect},
			MinConnectTimeout: connectWithin,
		}))...)
	if err != nil {
		return nil, fmt.Errorf("%w: target %q: %w", ErrInvalid, target, err)
	}
	return newClient(cfg, target, conn, lockdv1.NewLeaseServiceClient(conn)), nil
}
