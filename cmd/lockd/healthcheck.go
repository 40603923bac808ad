package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// healthcheckFor is how long a lockd has by default to say that it is healthy.
const healthcheckFor = 2 * time.Second

// healthcheckCommand is lockd healthcheck: it asks the lockd that listens where these settings say.
func healthcheckCommand(env []string) *cobra.Command {
	flags := pflag.NewFlagSet("lockd healthcheck", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.String("listen", new(config).flags().Lookup("listen").DefValue, "where lockd was told to serve gRPC: `ADDR` is host:port or unix:///path ["+variable("listen")+"]")
	flags.String("config", "", "YAML `FILE` with lockd's settings ["+variable("config")+"]")
	timeout := flags.Duration("timeout", healthcheckFor, "how long it may take")
	from := sources{line: flags, environ: env}
	cmd := &cobra.Command{
		Use: "healthcheck", Short: "Ask a running lockd whether work should be sent to it", Long: aboutHealthcheck, Example: healthcheckExamples,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			target, err := from.target()
			if err != nil {
				return usageError{err}
			}
			if *timeout <= 0 {
				return usageError{fmt.Errorf("--timeout is %s; want more than 0s", *timeout)}
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), *timeout)
			defer cancel()
			if err := askHealth(ctx, target); err != nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "lockd at %s %v\n", target.at, err)
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "lockd at %s is serving\n", target.at)
			return err
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().AddFlagSet(flags)
	return cmd
}

// target answers where to reach the lockd that listens where s says. Nothing else in s has to be right: a file that
// was spoilt while lockd runs makes lockd no worse.
func (s sources) target() (address, error) {
	inFile, err := readSettings(s.file(), []string{"listen"}, new(problems))
	if err != nil {
		return address{}, err
	}
	set := s.value(s.line.Lookup("listen"), inFile)
	at, err := parseAddress(set.text)
	if err != nil {
		return address{}, fmt.Errorf("%s: listen is %q: %w", set.origin, set.text, err)
	}
	if at.network == "unix" {
		return at, nil
	}
	host, port, _ := net.SplitHostPort(at.at) // has been parsed
	if port == "0" {
		return address{}, fmt.Errorf("%s: listen is %q, any port that is free; want the one in lockd's log, by --listen", set.origin, set.text)
	}
	// Every interface is no place to connect to.
	host = cmp.Or(host, "127.0.0.1")
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip.Is6() {
			host = "::1"
		}
	}
	return address{network: "tcp", at: net.JoinHostPort(host, port)}, nil
}

// askHealth asks the health service at an address. Its error says what that does instead of serving, to be put after its name.
func askHealth(ctx context.Context, at address) error {
	target := "passthrough:///" + at.at
	if at.network == "unix" {
		target = "unix://" + at.at
	}
	// A health check carries no secret, so it may go in plaintext wherever it likes; but by no proxy.
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy())
	if err != nil {
		return fmt.Errorf("cannot be asked: %w", err)
	}
	defer func() { _ = conn.Close() }()
	reply, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
	switch {
	case ctx.Err() != nil:
		return errors.New("did not answer in time")
	case err != nil:
		return fmt.Errorf("cannot be asked: %s", status.Convert(err).Message())
	case reply.GetStatus() != healthpb.HealthCheckResponse_SERVING:
		return fmt.Errorf("says %s: it drains or its store cannot be used; its log, /readyz and lockctl status say which", reply.GetStatus())
	}
	return nil
}
