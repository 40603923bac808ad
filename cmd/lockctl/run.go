package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/cmd/lockctl/guard"
)

const runHelp = `Run takes a lease on NAME, runs CMD under it, keeps the lease alive meanwhile and releases it afterwards.
CMD is run as it stands, without a shell, in a process group of its own that is the terminal's
foreground group while it runs. Signals to lockctl go on to that group, and CMD's exit code is lockctl's.

If the lease cannot be renewed, CMD's group gets SIGTERM --kill-after before the lease's safe deadline,
and SIGKILL at that deadline, before anybody else can get the name. If the lease is gone (released by
force), it gets SIGTERM at once and SIGKILL after --kill-after; meanwhile only the token protects.
--on-loss=kill leaves SIGTERM out, --on-loss=warn only says so. The exit code is 70 whenever the
lease was lost before CMD ended.

If somebody asks for the lease ("lockctl request-release"), CMD's group gets SIGTERM, and no SIGKILL: when it
ends the lease is released. --on-request sends another signal, or with warn only says so.

If lockd allows leases on NAME to be renewed for so long only (max-hold in its policy), lockctl says so when four fifths of that are over.
--on-hold-ending sends CMD's group a signal then. At the end the lease cannot be renewed any more: see above.

SIGKILL goes to the group and, on Linux, to all of CMD's descendants wherever they are. They get it
from a guard process, also when lockctl itself is killed (at once), stopped or suspended (at the safe
deadline: a stopped lockctl renews nothing).

The lease is released when all of the group has ended. What CMD leaves in it has --kill-after to end by
itself, then gets SIGTERM, and SIGKILL after --kill-after. What has left the group (a daemon) is let go.

CMD finds these in its environment: LOCKD_NAME, LOCKD_TOKEN, LOCKD_LEASE_ID, LOCKD_OWNER, LOCKD_TTL_MS,
LOCKD_SERVER, and LOCKCTL_SERVER and what goes with it for a lockctl of its own. It should pass LOCKD_TOKEN to what it writes to.
` + claimHelp

// What --on-loss may say.
const (
	lossTerm = "term"
	lossKill = "kill"
	lossWarn = "warn"
)

// What --on-request and --on-hold-ending may say.
const (
	requestTerm = "term"
	requestWarn = "warn"
)

// requestSignals are what the command may get when somebody asks for its lease, or its hold is about to be over.
var requestSignals = map[string]syscall.Signal{requestTerm: unix.SIGTERM, "int": unix.SIGINT, "hup": unix.SIGHUP, "usr1": unix.SIGUSR1, "usr2": unix.SIGUSR2}

var onRequests = []string{requestTerm, "int", "hup", "usr1", "usr2", requestWarn}

// lossPolicy is what becomes of the command when the lease is lost, or asked for.
type lossPolicy struct {
	onLoss    string
	onRequest string
	onHoldEnd string
	killAfter time.Duration
	set       bool // killAfter was given
}

func (p *lossPolicy) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.onLoss, "on-loss", lossTerm, "what the command gets when the lease is lost: term (SIGTERM, then SIGKILL), kill, warn")
	cmd.Flags().StringVar(&p.onRequest, "on-request", requestTerm, "what the command gets when somebody asks for the lease: the signal term, int, hup, usr1 or usr2, or warn")
	cmd.Flags().StringVar(&p.onHoldEnd, "on-hold-ending", requestWarn, "what the command gets when the longest hold is about to be over: warn (nothing), or a signal as above")
	durationVar(cmd.Flags(), &p.killAfter, "kill-after", "", 0, "how long it has between SIGTERM and SIGKILL; at most a third of the ttl (default a quarter, at most 5s)")
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("on-loss", cobra.FixedCompletions([]string{lossTerm, lossKill, lossWarn}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("on-request", cobra.FixedCompletions(onRequests, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("on-hold-ending", cobra.FixedCompletions(onRequests, cobra.ShellCompDirectiveNoFileComp))
}

// check reads the flags and refuses what needs no lease to be seen.
func (p *lossPolicy) check(cmd *cobra.Command) error {
	p.set = cmd.Flags().Changed("kill-after")
	if !slices.Contains([]string{lossTerm, lossKill, lossWarn}, p.onLoss) {
		return usagef("--on-loss is %q; want %s, %s or %s", p.onLoss, lossTerm, lossKill, lossWarn)
	}
	if !slices.Contains(onRequests, p.onRequest) {
		return usagef("--on-request is %q; want term, int, hup, usr1, usr2 or warn", p.onRequest)
	}
	if !slices.Contains(onRequests, p.onHoldEnd) {
		return usagef("--on-hold-ending is %q; want term, int, hup, usr1, usr2 or warn", p.onHoldEnd)
	}
	if p.killAfter < 0 {
		return usagef("--kill-after is %s; want 0 or more", p.killAfter)
	}
	return nil
}

// fit sets the default for a ttl, and refuses what would end the command while its lease still has
// renewals to come: the first is due after a third of the ttl, and is tried again when it fails.
func (p *lossPolicy) fit(ttl time.Duration) error {
	if !p.set {
		p.killAfter = min(5*time.Second, ttl/4)
	}
	if p.killAfter > ttl/3 {
		return usagef("--kill-after is %s; want at most a third of the ttl, %s", p.killAfter, ttl/3)
	}
	return nil
}

func newRun(to *server) *cobra.Command {
	var c claim
	var policy lossPolicy
	cmd := &cobra.Command{
		Use:   "run [flags] NAME -- CMD [ARG…]",
		Short: "Run a command under a lease",
		Long:  runHelp,
		Example: `  lockctl run nightly-backup -n -- ./backup.sh
  lockctl run deploy/web --wait 2m --ttl 1m -E 0 -- make deploy`,
		Args: nameAndCommand,
	}
	c.register(cmd, "user@host:pid")
	policy.register(cmd)
	cmd.SetFlagErrorFunc(missingDash)
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		if err := errors.Join(c.check(cmd), policy.check(cmd)); err != nil {
			return err
		}
		if c.ttl > 0 { // what is wrong with a ttl is the server's to say
			if err := policy.fit(c.ttl); err != nil {
				return err
			}
		}
		return run(cmd, to, &c, &policy, args[0], args[1:])
	})
	return cmd
}

// missingDash points out that a flag may have been meant for the command.
func missingDash(cmd *cobra.Command, err error) error {
	err = flagError(cmd, err)
	if cmd.Flags().NArg() > 1 { // so far
		return fmt.Errorf("%w; want NAME -- CMD, with the flags of CMD after the --", err)
	}
	return err
}

func nameAndCommand(cmd *cobra.Command, args []string) error {
	switch dash := cmd.ArgsLenAtDash(); {
	case dash < 0:
		return fmt.Errorf("there is no command; want NAME -- CMD")
	case dash != 1:
		return fmt.Errorf("want one NAME before the --, got %d arguments", dash)
	case len(args) == 1 || args[1] == "":
		return fmt.Errorf("there is no command after the --; want NAME -- CMD")
	}
	return nil
}

func run(cmd *cobra.Command, to *server, c *claim, policy *lossPolicy, name string, command []string) error {
	path, err := lookUp(command[0])
	if err != nil { // before the lease is taken: nobody need wait for this
		return err
	}
	client, err := c.dial(to)
	if err != nil {
		return err
	}
	defer client.Close()
	dropPipeSignal() // a reader of our messages that has gone must not end us
	ctx, stop := untilInterrupted(cmd.Context())
	lease, err := c.acquire(ctx, client, name, cmd.ErrOrStderr())
	if err != nil {
		stop()
		return err
	}
	s, err := takeCharge(ctx, stop, lease, policy, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	code, err := s.run(guard.Command{
		Path: path, Args: command, Env: append(os.Environ(), childEnvironment(to, lease)...), Linger: policy.killAfter,
	})
	return s.result(code, err)
}

// takeCharge makes the signals that ended ctx so far those of a supervisor. If one came before, or the
// policy does not fit the lease, nothing is to be started, and the lease is given back.
func takeCharge(ctx context.Context, stop func(), lease *lockd.Lease, policy *lossPolicy, stderr io.Writer) (*supervisor, error) {
	err := policy.fit(lease.TTL())
	s := newSupervisor(lease, *policy, stderr)
	stop() // only now, so that no signal falls in between
	if by := (*interrupted)(nil); errors.As(context.Cause(ctx), &by) {
		err = by
	}
	if err != nil {
		signal.Stop(s.signals)
		return nil, errors.Join(err, giveBack(lease))
	}
	return s, nil
}

// lookUp finds the command as a shell would.
func lookUp(command string) (string, error) {
	path, err := exec.LookPath(command)
	switch {
	case err == nil, errors.Is(err, exec.ErrDot): // whoever has "." in PATH wants that
		return path, nil
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		return "", exitWith(exitNotFound, "%s: command not found", plain(command))
	}
	return "", notStarted(command, errors.Unwrap(err))
}

// notStarted says why a command that is there cannot be started.
func notStarted(command string, err error) error {
	hint := ""
	if errors.Is(err, unix.ENOEXEC) {
		hint = " (a script needs a line #!/path/to/its/shell)"
	}
	code := exitNotStarted
	if errors.Is(err, unix.ENOENT) {
		code = exitNotFound
	}
	return exitWith(code, "%s cannot be started: %w%s", plain(command), err, hint)
}

// childEnvironment is what the command finds about its lease: appended last, so that of nested runs it
// is the inner one's.
func childEnvironment(to *server, lease *lockd.Lease) []string {
	environ := []string{
		variableName + "=" + lease.Name(),
		variableToken + "=" + strconv.FormatInt(lease.Token(), 10),
		variableID + "=" + lease.ID(),
		variableOwner + "=" + lease.Owner(),
		variableTTL + "=" + strconv.FormatInt(lease.TTL().Milliseconds(), 10),
		variableServer + "=" + to.target,
		serverVariable + "=" + to.target,
	}
	// All of them: what the environment said until now was said of another server, perhaps.
	for _, key := range settings {
		if key == settingServer || key == settingUnavailableFor {
			continue
		}
		environ = append(environ, variableOf(key)+"="+absolute(key, to.flags.Lookup(key).Value.String()))
	}
	return environ
}

// absolute is what a setting says, wherever it is read: a path from here.
func absolute(key, value string) string {
	if value == "" || !slices.Contains(paths, key) {
		return value
	}
	path, err := filepath.Abs(value)
	if err != nil {
		return value
	}
	return path
}

// giveBack releases a lease whose command never ran.
func giveBack(lease *lockd.Lease) error {
	ctx, cancel := context.WithTimeout(context.Background(), releaseWithin)
	defer cancel()
	err := lease.Release(ctx)
	if errors.Is(err, lockd.ErrLost) || errors.Is(err, lockd.ErrExpired) {
		return nil
	}
	return err
}
