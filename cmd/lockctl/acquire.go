package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	lockd "github.com/lockd/lockd/clients/go"
)

const acquireHelp = `Acquire takes a lease on NAME, prints it and ends. Nobody renews the lease: it runs out after its ttl
unless "lockctl renew" restarts it. For a command that is to run under a lease there is "lockctl run".

On standard output come LOCKD_NAME, LOCKD_LEASE_ID, LOCKD_TOKEN and LOCKD_TTL_MS, one a line and quoted
for a shell's eval, and a line that exports them. The lease id is a secret: who has it may renew and
release the lease. With --lease-file it goes to that file (mode 0600, replaced if it is there) and not
to standard output.

Refused, it prints for the shell what unsets these variables and fails with the exit code, so that
eval "$(lockctl acquire NAME)" fails as lockctl did.
` + claimHelp

// asShell is the format for a shell's eval.
const asShell = "shell"

// acquired is what the other formats print.
type acquired struct {
	Name    string `json:"name"`
	LeaseID string `json:"leaseId,omitempty"`
	Token   string `json:"token"`
	Owner   string `json:"owner"`
	TTL     string `json:"ttl"` // as protojson writes durations: seconds
}

func newAcquire(to *server) *cobra.Command {
	var c claim
	var out output
	var path string
	cmd := &cobra.Command{
		Use:   "acquire NAME",
		Short: "Take a lease and print it",
		Long:  acquireHelp,
		Example: `  eval "$(lockctl acquire orders/42)" && { work --token "$LOCKD_TOKEN"; lockctl release orders/42; }
  lockctl acquire nightly --wait 10s --ttl 5m --lease-file /run/nightly.lease`,
		Args: oneName,
	}
	c.register(cmd, "user@host and the pid of who runs lockctl")
	out.register(cmd, asShell, asTable, asJSON, asLines, asYAML)
	cmd.Flags().StringVar(&path, "lease-file", "", "write the lease with its id to this file")
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		if err := c.check(cmd); err != nil {
			return err
		}
		if c.owner == "" { // lockctl itself is about to end
			c.owner = runBy(os.Getppid())
		}
		return acquire(cmd, to, &c, args[0], path, &out)
	})
	return cmd
}

// failEval makes the shell that evaluates what a failed "acquire" printed fail as well: eval takes no
// notice of the exit code within "$( )", and the variables of an earlier lease would still be there.
func failEval(cmd *cobra.Command, args []string, code int) {
	if cmd.Name() != "acquire" || isTerminal(cmd.OutOrStdout()) || notForEval(given(cmd, args, "output")) {
		return
	}
	fmt.Fprintf(cmd.OutOrStdout(), "unset %s %s %s %s; (exit %d)\n", variableName, variableID, variableToken, variableTTL, code)
}

// notForEval reports whether somebody who names this format certainly is no shell.
func notForEval(format string) bool {
	return slices.Contains([]string{asTable, asJSON, asLines, asYAML}, format)
}

func acquire(cmd *cobra.Command, to *server, c *claim, name, path string, out *output) error {
	var file *leaseFile
	if path != "" {
		var err error
		if file, err = newLeaseFile(path); err != nil {
			return err
		}
		defer file.discard()
	}
	client, err := c.dial(to)
	if err != nil {
		return err
	}
	defer client.Close()
	// Neither a signal nor a reader that has gone may end us between the grant and its handing out.
	dropPipeSignal()
	ctx, stop := untilInterrupted(cmd.Context())
	defer stop()
	lease, err := c.acquire(ctx, client, name, cmd.ErrOrStderr(), lockd.WithoutKeepalive())
	if err != nil {
		return err
	}
	if err = context.Cause(ctx); err == nil {
		err = handOut(cmd, lease, file, out)
	}
	if err != nil {
		// Nobody has the id: the lease would only be in the way until it runs out.
		return errors.Join(err, lease.Release(context.WithoutCancel(ctx)))
	}
	if !c.quiet {
		fmt.Fprintf(cmd.ErrOrStderr(), "lockctl: %s runs out in %s unless renewed\n", plain(name), lease.TTL())
	}
	return nil
}

// handOut gives the lease to whoever asked for it: the file first, since a line of output cannot be taken back.
func handOut(cmd *cobra.Command, lease *lockd.Lease, file *leaseFile, out *output) error {
	if file != nil {
		if err := file.write(lease); err != nil {
			return fmt.Errorf("--lease-file: %w", err)
		}
	}
	if out.name == asShell {
		_, err := io.WriteString(cmd.OutOrStdout(), assignments(lease, file == nil))
		return err
	}
	got := acquired{Name: lease.Name(), Token: strconv.FormatInt(lease.Token(), 10), Owner: lease.Owner(), TTL: seconds(lease.TTL())}
	if file == nil {
		got.LeaseID = lease.ID()
	}
	return out.print(cmd, view{value: got, table: func(s *screen) error {
		rows := [][2]cell{{{text: "name"}, {text: plain(got.Name)}}}
		if got.LeaseID != "" {
			rows = append(rows, [2]cell{{text: "lease id"}, {text: got.LeaseID}})
		}
		return s.pairs(append(rows, [][2]cell{
			{{text: "owner"}, {text: plain(got.Owner)}}, {{text: "token"}, {text: got.Token}}, {{text: "ttl"}, {text: lease.TTL().String()}},
		}...))
	}})
}
