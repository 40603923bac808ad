// Package redisconn connects to one Redis: where it is and who we are there, TLS and secrets that are replaced live, what
// becomes of a call whose reply is lost or another's, and what a server says of itself. It knows no key
// and no lease's script; the stores on Redis stand on it.
//
// The rule of all of it: what was certainly not done is told from what may have been. A lost reply is never sent again
// from here, since whether it may be is its caller's to judge.
package redisconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
)

// go-redis logs to stderr on its own what it also returns as errors; once is enough, and in one form.
func init() { redis.SetLogger(silence{}) }

type silence struct{}

// Printf implements go-redis's logger.
func (silence) Printf(context.Context, string, ...any) {}

var (
	// ErrUnreachable: no Redis answered at the address, which the error names.
	ErrUnreachable = errors.New("redis is unreachable")
	// ErrDesynchronised: the reply was another call's, so nothing is known of this one.
	ErrDesynchronised = errors.New("the connection is desynchronised: it answered another call")
	// ErrNoConnection: every connection was busy until the call's deadline, so nothing was sent.
	ErrNoConnection = errors.New("all connections are busy")
)

// RefusedError: Redis answered, but leases must not be kept there as it is set up.
type RefusedError struct {
	Address string
	Problem string // what is wrong and what would be right
}

func (e *RefusedError) Error() string { return "redis at " + e.Address + " " + e.Problem }

// DialError: there is no connection, so the command was certainly not sent.
type DialError struct{ Err error }

func (e *DialError) Error() string { return e.Err.Error() }
func (e *DialError) Unwrap() error { return e.Err }

// ConnectProblem marks err as certain. go-redis strips one layer from an OnConnect error, so there are two.
func ConnectProblem(err error) error { return fmt.Errorf("connect: %w", &DialError{err}) }

// Failed names a failed call by what is known of its effect: lease.ErrUnknown, or for certain there was none,
// lease.ErrUnavailable or lease.ErrStoreFull.
func Failed(err error) error {
	var answered redis.Error
	switch {
	case errors.As(err, new(*DialError)), errors.Is(err, ErrNoConnection), errors.Is(err, redis.ErrClosed):
		return fmt.Errorf("%w: %w", lease.ErrUnavailable, err)
	case errors.As(err, &answered):
		// Redis said no to the script, or the script raised where it had written nothing.
		return FromRedis(answered.Error())
	default:
		return fmt.Errorf("%w: %w", lease.ErrUnknown, err)
	}
}

// FromRedis turns Redis's word for why it did nothing into ours.
func FromRedis(text string) error {
	kind := lease.ErrUnavailable
	if strings.Contains(text, "OOM ") { // Redis 6 puts the script's name before it
		kind = lease.ErrStoreFull
	}
	return fmt.Errorf("%w: redis says: %s", kind, text)
}

// Refusal makes what only the operator can mend a *RefusedError of the Redis at address; any other err is answered as it is.
func Refusal(address string, err error) error {
	var refused *RefusedError
	if errors.As(err, &refused) {
		return refused
	}
	if isAlert(err) { // TLS 1.3 says it only after the handshake
		return tlsProblem(address, err)
	}
	var answered redis.Error
	if !errors.As(err, &answered) {
		return err
	}
	for word, want := range map[string]string{
		"WRONGPASS":            "want another user in the URL or another password",
		"ERR invalid password": "want another password",
		"NOAUTH":               "want a password, in --redis-password-file or the URL",
		"ERR AUTH":             "want no password, or Redis to have one",
		"NOPERM":               "want a user with the rights in docs/operations.md",
		"ERR DB index":         "want a database that is there",
	} {
		if strings.HasPrefix(answered.Error(), word) {
			return &RefusedError{Address: address, Problem: fmt.Sprintf("refuses us: %v; %s", answered, want)}
		}
	}
	return err
}

// tlsProblem says what would be right where a server is there, and we cannot agree with it.
func tlsProblem(address string, err error) error {
	var untrusted *tls.CertificateVerificationError
	var plain tls.RecordHeaderError
	switch {
	case errors.As(err, &untrusted):
		return &RefusedError{Address: address, Problem: fmt.Sprintf(
			"shows a certificate that is not trusted: %v; want --redis-ca to be the certificate of who signed it, and the URL to have a name that is in it", untrusted.Err)}
	case isAlert(err):
		return &RefusedError{Address: address, Problem: fmt.Sprintf(
			"does not accept us: %v; want --redis-cert and --redis-key of a client whom it trusts", err)}
	case errors.As(err, &plain):
		return &RefusedError{Address: address, Problem: "speaks no TLS there; want its TLS port, or redis:// for plaintext"}
	}
	return fmt.Errorf("TLS handshake: %w (a Redis that speaks no TLS there does not answer one; want its TLS port, or redis:// for plaintext)", err)
}

// isAlert reports whether err is what the other side says, in TLS, of why it does not want us.
func isAlert(err error) bool {
	var told *net.OpError
	return errors.As(err, &told) && told.Op == "remote error"
}

// TLSHint says what it may mean that a server ends every connection, or "".
func (t Target) TLSHint(err error) string {
	if t.TLS || !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
		return ""
	}
	return " (a Redis that speaks TLS there ends what does not; want rediss://, or its port for plaintext)"
}
