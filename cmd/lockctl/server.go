package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	lockd "github.com/lockd/lockd/clients/go"
)

const (
	// replyWithin bounds one answer, connectWithin the first connection with it. lockd gives its store
	// half a second.
	replyWithin   = 3 * time.Second
	connectWithin = 5 * time.Second
	// askAgain is the pause after nobody served.
	askAgain = 200 * time.Millisecond
)

// server is where lockd is, how it is spoken to, and how long to put up with its absence. The first five are what the
// command line says until resolve has made them what counts.
type server struct {
	target         string
	tls            tlsSettings
	tokenFile      string
	insecure       bool
	unavailableFor time.Duration

	context, config string // as the command line says
	flags           *pflag.FlagSet
	inUse           string            // the context that was used, "" if none
	origin          map[string]string // of each setting; nil until resolved
}

// tlsSettings say whether and how connections are encrypted.
type tlsSettings struct {
	on bool // also without any of the others
	lockd.TLSFiles
}

// dial returns a client; closing it is the caller's.
func (s *server) dial(opts ...lockd.DialOption) (*lockd.Client, error) {
	if err := s.resolve(); err != nil {
		return nil, err
	}
	if s.unavailableFor <= 0 {
		return nil, usagef("--unavailable-for is %s; want more than 0", s.unavailableFor)
	}
	opts = append(opts, lockd.WithUnavailableFor(s.unavailableFor))
	if s.insecure {
		opts = append(opts, lockd.WithInsecure())
	}
	if s.tls != (tlsSettings{}) {
		opts = append(opts, lockd.WithTLS(s.tls.TLSFiles))
	}
	if s.tokenFile != "" {
		opts = append(opts, lockd.WithTokenFile(s.tokenFile))
	}
	client, err := lockd.Dial(s.target, opts...)
	if errors.Is(err, lockd.ErrInvalid) {
		return nil, usagef("%s", strings.NewReplacer("WithInsecure", "--insecure", "WithTLS", "--tls").Replace(plainText(err)))
	}
	return client, err
}

// caller makes the requests of one command, on one client.
type caller struct {
	server
	client  *lockd.Client
	ctx     context.Context // ends when the user interrupts
	stop    func()
	reached bool // some request has reached a connection
}

// connect returns a caller, to be closed. It does not wait for a connection.
func (s *server) connect(ctx context.Context) (*caller, error) {
	client, err := s.dial()
	if err != nil {
		return nil, err
	}
	ctx, stop := untilInterrupted(ctx)
	return &caller{server: *s, client: client, ctx: ctx, stop: stop}, nil
}

func (c *caller) close() {
	c.stop()
	_ = c.client.Close() // it holds no leases that could be left over
}

// request is one RPC; all that lockctl makes may be repeated.
type request func(ctx context.Context, conn grpc.ClientConnInterface, opts ...grpc.CallOption) error

// ask makes a request, and again as long as a lockd can be reached but does not serve, up to
// --unavailable-for. It returns how often it asked.
func (c *caller) ask(request request) (asked int, err error) {
	giveUp := time.Now().Add(c.unavailableFor)
	for {
		asked++
		err := c.once(request, giveUp)
		switch {
		case err == nil:
			return asked, nil
		case c.ctx.Err() != nil:
			return asked, context.Cause(c.ctx)
		case !unserved(err):
			return asked, err
		case !c.reached:
			return asked, exitWith(exitUnavailable, "cannot connect to %s: %s", c.target, status.Convert(err).Message())
		}
		if err := c.pause(min(askAgain, time.Until(giveUp))); err != nil {
			return asked, err
		}
		if !time.Now().Before(giveUp) {
			return asked, exitWith(exitUnavailable, "nobody served at %s for %s: %s", c.target, c.unavailableFor, status.Convert(err).Message())
		}
	}
}

// pause returns early, with the cause, if the user interrupts.
func (c *caller) pause(d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
}

func (c *caller) once(request request, giveUp time.Time) error {
	limit := replyWithin
	if !c.reached {
		limit = connectWithin
	}
	ctx, cancel := context.WithTimeout(c.ctx, min(limit, time.Until(giveUp)))
	defer cancel()
	var answered peer.Peer
	// Once there has been a connection the next one is worth waiting for; before, a refusal by every
	// address is an answer.
	err := request(ctx, c.client.Conn(), grpc.Peer(&answered), grpc.WaitForReady(c.reached))
	c.reached = c.reached || err == nil || answered.Addr != nil
	return err
}

// ask is caller.ask for a command that makes one request.
func (s *server) ask(ctx context.Context, request request) (asked int, err error) {
	caller, err := s.connect(ctx)
	if err != nil {
		return 0, err
	}
	defer caller.close()
	return caller.ask(request)
}

// unserved reports whether err says no more than that asking again may help.
func unserved(err error) bool {
	code := status.Code(err)
	return code == codes.Unavailable || code == codes.DeadlineExceeded
}
