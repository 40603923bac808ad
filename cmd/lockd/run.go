package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/lockd/lockd/internal/redisstore"
)

// Exit codes, after sysexits(3).
const (
	exitDrained     = 0
	exitOther       = 1
	exitUsage       = 64
	exitUnreachable = 69
	exitRefused     = 78
)

// usageError is a fault of the command line, the environment or the file.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// run is lockd: it ends when ctx does, and answers the exit code.
func run(ctx context.Context, args, env []string, stdout, stderr io.Writer) int {
	cmd := command(env)
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(ctx)
	code := exitCode(err)
	if code == exitUsage {
		fmt.Fprintf(stderr, "lockd: %v\nlockd --help says what can be set.\n", err)
	}
	return code
}

// exitCode answers the code for what ended lockd.
func exitCode(err error) int {
	var usage usageError
	var refused *redisstore.RefusedError
	switch {
	case err == nil:
		return exitDrained
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &refused):
		return exitRefused
	case errors.Is(err, redisstore.ErrUnreachable):
		return exitUnreachable
	}
	return exitOther
}

// command is lockd's command line. Faults of usage are for run to print; whatever goes wrong after
// the configuration has been read is in the log.
func command(env []string) *cobra.Command {
	var c config
	var checkOnly, showVersion bool
	cmd := &cobra.Command{
		Use:   "lockd",
		Short: "Grants leases with fencing tokens over gRPC",
		Long:  about, Example: examples,
		SilenceUsage: true, SilenceErrors: true, DisableFlagsInUseLine: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unexpected argument %q; want flags only", args[0])}
			}
			return nil
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	cmd.SetHelpTemplate(helpTemplate)
	flags := cmd.Flags()
	flags.SortFlags = false
	c.define(flags)
	flags.BoolVar(&checkOnly, "check-config", false, "say whether the configuration is valid and exit; asks nobody")
	flags.BoolVar(&showVersion, "version", false, "print the version and exit")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		is := versionOf(version, debug.ReadBuildInfo)
		if showVersion {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "lockd", is)
			return err
		}
		if err := c.load(flags, env); err != nil {
			return usageError{err}
		}
		if checkOnly {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "the configuration is valid")
			return err
		}
		return logged(cmd.Context(), c, is, cmd.ErrOrStderr())
	}
	return cmd
}

// logged serves with a log on stderr, which also says why lockd ended.
func logged(ctx context.Context, c config, version string, stderr io.Writer) error {
	log := newLogger(c.LogFormat, c.LogLevel, stderr)
	defer func() { _ = log.Sync() }() // the last thing; a terminal cannot be synced, and says so
	err := openAndServe(ctx, c, version, log)
	if err != nil && exitCode(err) != exitUsage {
		log.Error("ended", zap.Error(err))
	}
	return err
}
