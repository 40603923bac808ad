package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockd/lockd/internal/redlock"
)

// redlockCommand is lockd redlock, which has no use of its own: what it can do to the nodes of a quorum is left to an
// operator, since no lockd can know it to be right.
func redlockCommand(from sources) *cobra.Command {
	cmd := &cobra.Command{
		Use: "redlock", Short: "Change which nodes are a quorum", Long: aboutRedlock, Example: redlockExamples,
		Args: cobra.ArbitraryArgs,
		RunE: func(*cobra.Command, []string) error {
			return usageError{errors.New("lockd redlock does nothing by itself; want lockd redlock replace, or init")}
		},
	}
	cmd.AddCommand(
		changeCommand(from, "replace", "Take in nodes that are new or have lost their data", aboutReplace, redlock.PlanReplace),
		changeCommand(from, "init", "Begin anew, whatever the nodes were", aboutInit, redlock.PlanInit))
	return cmd
}

func changeCommand(from sources, name, short, long string, plan func(context.Context, redlock.Config) (*redlock.Change, error)) *cobra.Command {
	cmd := &cobra.Command{Use: name, Short: short, Long: long, Example: redlockExamples, Args: noArguments}
	flags := cmd.Flags()
	flags.SortFlags = false
	yes := flags.Bool("yes", false, "do it without being asked")
	flags.AddFlagSet(from.line)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := from.load()
		if err == nil && len(c.Redlock) == 0 {
			err = fmt.Errorf("redlock is not set; want the URLs of all nodes, as in --redlock URL,URL,URL, in %s or in the file", variable("redlock"))
		}
		if err != nil {
			return usageError{err}
		}
		nodes := c.redlock
		if c.values["max-ttl"].origin == byDefault {
			nodes.MaxTTL = 0 // replace leaves it as it is in the group
		}
		change, err := plan(cmd.Context(), nodes)
		if errors.Is(err, redlock.ErrNothingToDo) {
			_, err = fmt.Fprintln(cmd.OutOrStdout(), err)
			return err
		}
		if err == nil {
			err = errors.Join(apply(cmd.Context(), change, *yes, cmd.InOrStdin(), cmd.OutOrStdout()), change.Close())
		}
		if err != nil {
			fmt.Fprintln(cmd.ErrOrStderr(), "lockd:", err)
		}
		return err
	}
	return cmd
}

var errNotConfirmed = errors.New("nothing was done")

// apply shows what is about to be done, asks unless yes, and does it.
func apply(ctx context.Context, change *redlock.Change, yes bool, in io.Reader, out io.Writer) error {
	for _, line := range change.Nodes {
		fmt.Fprintln(out, line)
	}
	for _, line := range change.Effect {
		fmt.Fprintln(out, "-", line)
	}
	if !yes {
		fmt.Fprint(out, "Type yes to do it: ")
		answer, _ := bufio.NewReader(in).ReadString('\n') // nothing is no
		if strings.TrimSpace(answer) != "yes" {
			return errNotConfirmed
		}
	}
	if err := change.Apply(ctx); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, "done")
	return err
}
