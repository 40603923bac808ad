package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/status"

	lockd "github.com/lockd/lockd/clients/go"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// claim is what "run" and "acquire" ask for, and how long they stand in line for it.
type claim struct {
	ttl      time.Duration // 0: the server's default
	ttlSet   bool
	owner    string
	metadata []string // k=v
	wait     time.Duration
	waitSet  bool
	nonblock bool
	quiet    bool
	conflict exitCode // when somebody else holds the name
}

const claimHelp = `
Without --wait it stands in line until it is its turn: first come, first served. Meanwhile it says on
standard error who holds the name, and its place: on a terminal as that changes, elsewhere once, and once
more when it has the lease. Refused, it says who holds the name, since when and for how much longer, and
ends with 75 or what -E says.`

// register adds the flags. Owner says what the default owner is.
func (c *claim) register(cmd *cobra.Command, owner string) {
	flags := cmd.Flags()
	durationVar(flags, &c.ttl, "ttl", "", 0, "how long the lease lasts from each renewal on; 1s to 1h unless the server says otherwise (default 30s)")
	flags.StringVar(&c.owner, "owner", "", "who holds it, for people (default "+owner+")")
	flags.StringArrayVar(&c.metadata, "metadata", nil, "attach key=value, for people and tools; may be repeated, 1 KiB in all")
	durationVar(flags, &c.wait, "wait", "w", 0, "stand in line for so long and no longer; 0 is --nonblock")
	flags.BoolVarP(&c.nonblock, "nonblock", "n", false, "do not stand in line")
	flags.BoolVarP(&c.quiet, "quiet", "q", false, "say on standard error only what went wrong")
	c.conflict = exitHeld
	flags.VarP(&c.conflict, "conflict-exit-code", "E", "exit with this code when somebody else holds the name, 0 to 255")
}

// check reads the flags and refuses what no server needs to be asked about.
func (c *claim) check(cmd *cobra.Command) error {
	c.ttlSet, c.waitSet = cmd.Flags().Changed("ttl"), cmd.Flags().Changed("wait")
	switch {
	case c.wait < 0:
		return usagef("--wait is %s; want 0 or more", c.wait)
	case c.nonblock && c.wait > 0:
		return usagef("--nonblock and --wait %s exclude each other", c.wait)
	}
	for _, pair := range c.metadata {
		if !strings.Contains(pair, "=") {
			return usagef("--metadata is %q; want key=value", pair)
		}
	}
	return nil
}

func (c *claim) options() []lockd.AcquireOption {
	var opts []lockd.AcquireOption
	if c.ttlSet {
		opts = append(opts, lockd.WithTTL(c.ttl))
	}
	if len(c.metadata) > 0 {
		metadata := make(map[string]string, len(c.metadata))
		for _, pair := range c.metadata {
			key, value, _ := strings.Cut(pair, "=")
			metadata[key] = value
		}
		opts = append(opts, lockd.WithMetadata(metadata))
	}
	return opts
}

// dial returns a client that puts up with the absence of lockd for as long as it is to wait, unless the user
// has said for how long.
func (c *claim) dial(to *server) (*lockd.Client, error) {
	if err := to.resolve(); err != nil {
		return nil, err
	}
	if !to.patient() {
		to.unavailableFor = max(to.unavailableFor, c.wait)
	}
	if c.owner == "" {
		return to.dial()
	}
	return to.dial(lockd.WithOwner(c.owner))
}

// acquire takes the lease, or says why not in the way that explain understands, and meanwhile on stderr
// who is waited for. ctx ends when the user interrupts.
func (c *claim) acquire(ctx context.Context, client *lockd.Client, name string, stderr io.Writer, opts ...lockd.AcquireOption) (*lockd.Lease, error) {
	opts = append(c.options(), opts...)
	granted := func() {}
	switch {
	case c.quiet:
	case isTerminal(stderr):
		w := startWaiting(stderr.(*os.File), client, name, cmp.Or(c.owner, self()))
		defer w.stop()
		opts = append(opts, lockd.WithQueued(w.tell))
	default:
		n := &notice{to: stderr, name: name}
		opts, granted = append(opts, lockd.WithQueued(n.tell)), n.granted
	}
	lease, err := c.standBy(ctx, client, name, opts)
	if err != nil {
		return nil, c.refused(ctx, client, name, err)
	}
	granted()
	return lease, nil
}

// refused turns the error of an acquisition into one that explain understands.
func (c *claim) refused(ctx context.Context, client *lockd.Client, name string, err error) error {
	var held *lockd.HeldError
	var by *interrupted
	switch {
	case errors.As(err, &by):
	case errors.As(err, &held):
		// What is known of a holder may be as old as the wait.
		away := errors.Is(err, lockd.ErrUnavailable) || c.wait >= firstAnswer && !serves(ctx, client, name)
		if errors.As(context.Cause(ctx), &by) { // during the look
			return by
		}
		if errors.Is(err, context.DeadlineExceeded) && away {
			return exitWith(exitUnavailable, "nobody served when the wait of %s ended; last heard: %s", c.wait, describeHeld(held))
		}
		return exitWith(int(c.conflict), "%s", describeHeld(held))
	case errors.Is(err, lockd.ErrUnavailable): // it did answer, and why it does not serve is worth more
	case errors.Is(err, context.DeadlineExceeded): // without having heard of a holder
		return exitWith(exitUnavailable, "nobody answered within %s", max(c.wait, firstAnswer))
	}
	return err
}

// firstAnswer is how long whoever waits for less gets all the same, to learn who holds the name.
const firstAnswer = time.Second

// serves reports whether somebody answers who holds name.
func serves(ctx context.Context, client *lockd.Client, name string) bool {
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	_, err := lockdv1.NewLeaseServiceClient(client.Conn()).Get(ctx, &lockdv1.GetRequest{Name: name})
	return err == nil || !unserved(err) && reason(status.Convert(err)) != ""
}

// standBy acquires name, or waits for it no longer than it was told to.
func (c *claim) standBy(ctx context.Context, client *lockd.Client, name string, opts []lockd.AcquireOption) (*lockd.Lease, error) {
	switch {
	case c.nonblock || c.waitSet && c.wait == 0:
		return client.TryAcquire(ctx, name, opts...)
	case !c.waitSet:
		return client.Acquire(ctx, name, opts...)
	}
	waiting, cancel := context.WithTimeout(ctx, c.wait)
	defer cancel()
	lease, err := client.Acquire(waiting, name, opts...)
	var held *lockd.HeldError
	// Not even a connection may have come about: that proves no absence in so short a time. Waiting itself
	// is not asked: gRPC goes by its deadline, which passes before its timer has run.
	unheard := (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, lockd.ErrUnavailable)) && !errors.As(err, &held)
	if !unheard || c.wait >= firstAnswer || ctx.Err() != nil {
		return lease, err
	}
	looking, cancel := context.WithTimeout(ctx, firstAnswer-c.wait)
	defer cancel()
	return client.TryAcquire(looking, name, opts...)
}
