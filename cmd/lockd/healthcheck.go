package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
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
	flags.String("http", new(config).flags().Lookup("http").DefValue, "where lockd was told to serve /readyz, which is asked where it asks callers who they are: `ADDR` as above ["+variable("http")+"]")
	flags.String("tls-cert", "", "`FILE` of lockd's certificate: that there is one, so that it speaks TLS ["+variable("tls-cert")+"]")
	flags.String("config", "", "YAML `FILE` with lockd's settings ["+variable("config")+"]")
	timeout := flags.Duration("timeout", healthcheckFor, "how long it may take")
	from := sources{line: flags, environ: env}
	cmd := &cobra.Command{
		Use: "healthcheck", Short: "Ask a running lockd whether work should be sent to it", Long: aboutHealthcheck, Example: healthcheckExamples,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			check, err := from.health()
			if err != nil {
				return usageError{err}
			}
			if *timeout <= 0 {
				return usageError{fmt.Errorf("--timeout is %s; want more than 0s", *timeout)}
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), *timeout)
			defer cancel()
			if err := check.ask(ctx); err != nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "lockd at %s %v\n", check.grpc.at, err)
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "lockd at %s is serving\n", check.grpc.at)
			return err
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().AddFlagSet(flags)
	return cmd
}

// health is a lockd to be asked, and how.
type health struct {
	grpc, http address // http.at is "" if it is off
	tls        *tls.Config
}

// health answers how to ask the lockd that listens where s says. Nothing else in s has to be right: a file that
// was spoilt while lockd runs makes lockd no worse.
func (s sources) health() (h health, err error) {
	inFile, err := readSettings(s.file(), []string{"listen", "http", "tls-cert"}, new(problems))
	if err != nil {
		return h, err
	}
	if h.grpc, err = s.target("listen", inFile); err != nil {
		return h, err
	}
	if s.value(s.line.Lookup("http"), inFile).text != "" {
		if h.http, err = s.target("http", inFile); err != nil {
			h.http = address{} // it may never be asked for
		}
	}
	if s.value(s.line.Lookup("tls-cert"), inFile).text != "" {
		// Which lockd it is, is not the question, and nothing that is sent is a secret.
		h.tls = &tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true}
	}
	return h, nil
}

// target answers where to reach what listens where a setting says.
func (s sources) target(setting string, inFile map[string]value) (address, error) {
	set := s.value(s.line.Lookup(setting), inFile)
	at, err := parseAddress(set.text)
	if err != nil {
		return address{}, fmt.Errorf("%s: %s is %q: %w", set.origin, setting, set.text, err)
	}
	if at.network == "unix" {
		return at, nil
	}
	host, port, _ := net.SplitHostPort(at.at) // has been parsed
	if port == "0" {
		return address{}, fmt.Errorf("%s: %s is %q, any port that is free; want the one in lockd's log, by --%s", set.origin, setting, set.text, setting)
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

// ask asks the health service, or /readyz where callers are asked who they are. Its error says what lockd does instead of
// serving, to be put after its name.
func (h health) ask(ctx context.Context) error {
	target := "passthrough:///" + h.grpc.at
	if h.grpc.network == "unix" {
		target = "unix://" + h.grpc.at
	}
	// A health check carries no secret, so it may go in plaintext wherever it likes; but by no proxy.
	speaks := insecure.NewCredentials()
	if h.tls != nil {
		speaks = credentials.NewTLS(h.tls)
	}
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(speaks), grpc.WithNoProxy())
	if err != nil {
		return fmt.Errorf("cannot be asked: %w", err)
	}
	defer func() { _ = conn.Close() }()
	reply, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
	switch {
	case ctx.Err() != nil:
		return errors.New("did not answer in time")
	case status.Code(err) == codes.Unauthenticated:
		return h.askHTTP(ctx)
	case err != nil:
		return fmt.Errorf("cannot be asked: %s", status.Convert(err).Message())
	case reply.GetStatus() != healthpb.HealthCheckResponse_SERVING:
		return fmt.Errorf("says %s: it drains or its store cannot be used; its log, /readyz and lockctl status say which", reply.GetStatus())
	}
	return nil
}

// askHTTP asks /readyz, which answers everybody.
func (h health) askHTTP(ctx context.Context) error {
	if h.http.at == "" {
		return errors.New("asks callers who they are, and nothing says where its /readyz is; want --http")
	}
	transport := &http.Transport{TLSClientConfig: h.tls, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, h.http.network, h.http.at)
	}}
	defer transport.CloseIdleConnections()
	scheme := "http"
	if h.tls != nil {
		scheme = "https"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://lockd/readyz", nil)
	if err != nil {
		return fmt.Errorf("cannot be asked: %w", err)
	}
	reply, err := transport.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("cannot be asked at %s: %w", h.http.at, err)
	}
	defer func() { _ = reply.Body.Close() }() // it was only read
	if reply.StatusCode != http.StatusOK {
		const enough = 256
		why, _ := io.ReadAll(io.LimitReader(reply.Body, enough))
		return fmt.Errorf("says %q: %s", reply.Status, strings.TrimSpace(string(why)))
	}
	return nil
}
