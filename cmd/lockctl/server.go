package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	lockd "github.com/lockd/lockd/clients/go"
)

const (
	serverVariable = "LOCKCTL_SERVER"
	defaultServer  = "localhost:7420"
	// replyWithin bounds one answer, connectWithin the first connection with it. lockd gives its store
	// half a second.
	replyWithin   = 3 * time.Second
	connectWithin = 5 * time.Second
	// askAgain is the pause after nobody served.
	askAgain = 200 * time.Millisecond
)

// server is where lockd is, and how long to put up with its absence.
type server struct {
	target         string
	insecure       bool
	unavailableFor time.Duration
}

func (s *server) register(root *cobra.Command) {
	target := os.Getenv(serverVariable)
	if target == "" {
		target = defaultServer
	}
	flags := root.PersistentFlags()
	flags.StringVar(&s.target, "server", target, "lockd, as host:port[,host:port…] or a gRPC target; also $"+serverVariable)
	flags.BoolVar(&s.insecure, "insecure", false, "allow plaintext beyond loopback and unix sockets: lease ids are secrets and travel unprotected")
	durationVar(flags, &s.unavailableFor, "unavailable-for", "", lockd.DefaultUnavailableFor,
		"give up when nobody has served for so long; at once if every address refuses the first connection")
}

// dial returns a client; closing it is the caller's.
func (s *server) dial(opts ...lockd.DialOption) (*lockd.Client, error) {
	if s.unavailableFor <= 0 {
		return nil, usagef("--unavailable-for is %s; want more than 0", s.unavailableFor)
	}
	opts = append(opts, lockd.WithUnavailableFor(s.unavailableFor))
	if s.insecure {
		opts = append(opts, lockd.WithInsecure())
	}
	client, err := lockd.Dial(s.target, opts...)
	if errors.Is(err, lockd.ErrInvalid) {
		return nil, usagef("%s", strings.ReplaceAll(plainText(err), "WithInsecure", "--insecure"))
	}
	return client, err
}

// session is one connection for the requests of one command.
type session struct {
	server
	client  *lockd.Client
	ctx     context.Context // ends when the user interrupts
	stop    func()
	reached bool // some request has reached a connection
}

// connect opens a session; closing it is the caller's. It does not wait for a connection.
func (s *server) connect(ctx context.Context) (*session, error) {
	client, err := s.dial()
	if err != nil {
		return nil, err
	}
	ctx, stop := untilInterrupted(ctx)
	return &session{server: *s, client: client, ctx: ctx, stop: stop}, nil
}

func (s *session) close() {
	s.stop()
	_ = s.client.Close() // it holds no leases that could be left over
}

// request is one RPC; all that lockctl makes may be repeated.
type request func(ctx context.Context, conn grpc.ClientConnInterface, opts ...grpc.CallOption) error

// ask makes a request, and again as long as a lockd can be reached but does not serve, up to
// --unavailable-for. It returns how often it asked.
func (s *session) ask(request request) (asked int, err error) {
	giveUp := time.Now().Add(s.unavailableFor)
	for {
		asked++
		err := s.once(request, giveUp)
		switch {
		case err == nil:
			return asked, nil
		case s.ctx.Err() != nil:
			return asked, context.Cause(s.ctx)
		case !unserved(err):
			return asked, err
		case !s.reached:
			return asked, exitWith(exitUnavailable, "cannot connect to %s: %s", s.target, status.Convert(err).Message())
		}
		select {
		case <-time.After(min(askAgain, time.Until(giveUp))):
		case <-s.ctx.Done():
			return asked, context.Cause(s.ctx)
		}
		if !time.Now().Before(giveUp) {
			return asked, exitWith(exitUnavailable, "nobody served at %s for %s: %s", s.target, s.unavailableFor, status.Convert(err).Message())
		}
	}
}

func (s *session) once(request request, giveUp time.Time) error {
	limit := replyWithin
	if !s.reached {
		limit = connectWithin
	}
	ctx, cancel := context.WithTimeout(s.ctx, min(limit, time.Until(giveUp)))
	defer cancel()
	var answered peer.Peer
	// Once there has been a connection the next one is worth waiting for; before, a refusal by every
	// address is an answer.
	err := request(ctx, s.client.Conn(), grpc.Peer(&answered), grpc.WaitForReady(s.reached))
	s.reached = s.reached || answered.Addr != nil
	return err
}

// ask is session.ask for a command that makes one request.
func (s *server) ask(ctx context.Context, request request) (asked int, err error) {
	session, err := s.connect(ctx)
	if err != nil {
		return 0, err
	}
	defer session.close()
	return session.ask(request)
}

// unserved reports whether err says no more than that asking again may help.
func unserved(err error) bool {
	code := status.Code(err)
	return code == codes.Unavailable || code == codes.DeadlineExceeded
}
