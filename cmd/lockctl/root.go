package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// execute runs one command line and returns the exit code.
func execute(args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteC()
	var ran *outcome
	switch {
	case err == nil:
		return exitOK
	case !errors.As(err, &ran): // cobra's own: it got no further than the command line
		err = usagef("%w", err)
	default:
		err = ran.err
	}
	code, text := explain(err)
	failEval(cmd, args, code)
	if text != "" {
		who := "lockctl:"
		if coloured(given(cmd, args, "color"), stderr, false) {
			who = paint(who, bad)
		}
		fmt.Fprintf(stderr, "%s %s\n", who, text)
	}
	if code == exitUsage {
		fmt.Fprintf(stderr, "See %q.\n", cmd.CommandPath()+" --help")
	}
	return code
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "lockctl COMMAND",
		Short: "Leases on names, from a shell",
		Long:  rootHelp(),
		Example: `  lockctl run nightly-backup -n -- ./backup.sh
  lockctl get orders/42`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       versionText(),
	}
	var to server
	to.register(root.PersistentFlags())
	registerColour(root)
	root.AddCommand(
		newRun(&to), newAcquire(&to), newRenew(&to), newRelease(&to),
		newList(&to), newGet(&to), newWatch(&to), newRequestRelease(&to), newForceRelease(&to), newStatus(&to), newTop(&to), newDoctor(&to), newContext(&to), newAuth(&to), newVersion(), newCompletion(), newMan(),
	)
	onlyCommands(root)
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(newHelp())
	root.SetUsageTemplate(usageTemplate)
	complete(root, &to)
	return root
}

// outcome marks an error as one of a command that has begun, not of its command line.
type outcome struct{ err error }

func (o *outcome) Error() string { return o.err.Error() }

// action is what a command does once its command line has been understood.
func action(do func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := do(cmd, args); err != nil {
			return &outcome{err}
		}
		return nil
	}
}

// oneName accepts a command line with the name and nothing else.
func oneName(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want one NAME, got %d arguments", len(args))
	}
	return nil
}

// given is what args say for a flag, or its default, also if they are not understood as a whole.
func given(cmd *cobra.Command, args []string, name string) string {
	flags := cmd.Flags()
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flag := flags.Lookup(name)
	if flag == nil {
		return ""
	}
	value := flag.DefValue
	// What is wrong with them has been said.
	_ = flags.ParseAll(args, func(flag *pflag.Flag, text string) error {
		if flag.Name == name {
			value = text
		}
		return nil
	})
	return value
}
