package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.uber.org/zap"

	"github.com/lockd/lockd/internal/redisconn"
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

// run is lockd: it ends when ctx does, reads its settings again when hup says so, and answers the exit code.
func run(ctx context.Context, hup <-chan os.Signal, args, env []string, stdout, stderr io.Writer) int {
	cmd := command(hup, env)
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(ctx)
	code := exitCode(err)
	if code == exitUsage {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			fmt.Fprintf(stderr, "lockd: %s\n", line)
		}
		fmt.Fprintln(stderr, "lockd --help says what can be set.")
	}
	return code
}

// exitCode answers the code for what ended lockd.
func exitCode(err error) int {
	var usage usageError
	var refused *redisconn.RefusedError
	switch {
	case err == nil:
		return exitDrained
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &refused):
		return exitRefused
	case errors.Is(err, redisconn.ErrUnreachable):
		return exitUnreachable
	}
	return exitOther
}

// command is lockd's command line. Faults of usage are for run to print; whatever goes wrong after
// the configuration has been read is in the log.
func command(hup <-chan os.Signal, env []string) *cobra.Command {
	from := sources{line: new(config).flags(), environ: env}
	cmd := &cobra.Command{
		Use:   "lockd",
		Short: "Grants leases with fencing tokens over gRPC",
		Long:  about, Example: examples,
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Args:              noArguments,
	}
	cmd.SetFlagErrorFunc(flagError)
	cmd.SetHelpTemplate(helpTemplate)
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.AddFlagSet(from.line)
	checkOnly := flags.Bool("check-config", false, "say whether the configuration is valid, or all that is wrong with it, and exit; asks nobody")
	showVersion := flags.Bool("version", false, "print the version and exit")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		is := versionOf(version, debug.ReadBuildInfo)
		if *showVersion {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "lockd", is)
			return err
		}
		c, err := from.load()
		if err != nil {
			return usageError{err}
		}
		if *checkOnly {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "the configuration is valid")
			return err
		}
		return logged(cmd.Context(), c, host{version: is, hup: hup, sources: from}, cmd.ErrOrStderr())
	}
	cmd.AddCommand(configCommand(from), healthcheckCommand(env), redlockCommand(from))
	return cmd
}

// configCommand is lockd config, which has no use of its own.
func configCommand(from sources) *cobra.Command {
	show := &cobra.Command{
		Use: "print", Short: "Print every setting and where it comes from", Long: aboutPrint, Example: printExamples,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := from.load()
			if err != nil {
				return usageError{err}
			}
			return c.print(cmd.OutOrStdout())
		},
	}
	show.Flags().SortFlags = false
	show.Flags().AddFlagSet(from.line)
	cmd := &cobra.Command{
		Use: "config", Short: "Look at the configuration", Long: aboutPrint, Example: printExamples,
		Args: cobra.ArbitraryArgs,
		RunE: func(*cobra.Command, []string) error {
			return usageError{errors.New("lockd config does nothing by itself; want lockd config print")}
		},
	}
	cmd.AddCommand(show)
	return cmd
}

func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("unexpected argument %q; want flags only, lockd config print, lockd healthcheck or lockd redlock", args[0])}
	}
	return nil
}

// flagError is what is wrong with a flag, and the flag that may have been meant.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "" {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		err = fmt.Errorf("%w; did you mean --%s?", err, nearest(unknown.GetSpecifiedName(), names))
	}
	return usageError{err}
}

// logged serves with a log on stderr, which also says why lockd ended.
func logged(ctx context.Context, c config, h host, stderr io.Writer) error {
	h.level = zap.NewAtomicLevelAt(levelOf(c.LogLevel))
	h.log = newLogger(c.LogFormat, h.level, stderr)
	defer func() { _ = h.log.Sync() }() // the last thing; a terminal cannot be synced, and says so
	err := openAndServe(ctx, c, h)
	if err != nil && exitCode(err) != exitUsage {
		h.log.Error("ended", zap.Error(err))
	}
	return err
}
