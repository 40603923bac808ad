package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/lockd/lockd/internal/audit"
	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/memstore"
	"github.com/lockd/lockd/internal/metrics"
	"github.com/lockd/lockd/internal/redisconn"
	"github.com/lockd/lockd/internal/redisstore"
	"github.com/lockd/lockd/internal/redlock"
	"github.com/lockd/lockd/internal/rpc"
)

// How long each step of the end may take.
const (
	drainFor   = 5 * time.Second // calls under way, and 2 s of it for sessions to move elsewhere
	cleanupFor = 3 * time.Second // acquisitions given up; after 2 s they are gone if the store answers
)

// openAndServe opens the store that c names and serves it until ctx ends.
func openAndServe(ctx context.Context, c config, h host) error {
	var err error
	if h.audit, err = openAudit(c, h.log); err != nil {
		return err
	}
	defer func() {
		if err := h.audit.Close(); err != nil {
			h.log.Error("not recorded", zap.Error(err))
		}
	}()
	if c.HTTP != "" { // else nobody could ask
		h.metrics = metrics.New(h.version, c.classes)
	}
	store, err := openStore(ctx, c, h)
	if ctx.Err() != nil {
		if err == nil {
			return store.Close()
		}
		return nil // asked to end before it began: there is nothing to drain
	}
	if err != nil {
		return err
	}
	return serve(ctx, c, store, h)
}

func openStore(ctx context.Context, c config, h host) (lease.Store, error) {
	log := h.log
	notice := func(msg string) { log.Warn(msg) }
	var meter redisconn.NewMeter
	if h.metrics != nil {
		meter = h.metrics.Script
	}
	switch {
	case len(c.Redlock) > 0:
		log.Info("leases are kept in a quorum of redis nodes", zap.String("urls", redactedURLs(c.Redlock.String())), zap.String("key_prefix", c.KeyPrefix))
		settings := c.redlock
		settings.Notice, settings.Meter = notice, meter
		return redlock.Open(ctx, settings)
	case c.Redis != "":
		log.Info("leases are kept in redis", zap.String("url", redacted(c.Redis)), zap.String("key_prefix", c.KeyPrefix))
		settings := c.redis
		settings.Notice, settings.Meter = notice, meter
		return redisstore.Open(ctx, settings)
	}
	log.Warn("leases are kept in memory and end with this process; set --redis or --redlock to keep them")
	return memstore.New(), nil
}

// serve listens where c says and serves store until ctx ends or a listener fails; then it drains, and
// closes the store in any case.
func serve(ctx context.Context, c config, store lease.Store, h host) error {
	grpcAt, httpAt, err := listen(c)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	return newProcess(c, store, h).run(ctx, grpcAt, httpAt)
}

// listen takes both ports, or none. httpAt is nil if it is off.
func listen(c config) (grpcAt, httpAt net.Listener, err error) {
	if grpcAt, err = c.grpcAt.listen(c.mayBeReached()); err != nil {
		return nil, nil, err
	}
	if c.HTTP == "" {
		return grpcAt, nil, nil
	}
	if httpAt, err = c.httpAt.listen(c.mayBeReached()); err != nil {
		_ = grpcAt.Close()
		return nil, nil, err
	}
	return grpcAt, httpAt, nil
}

// host is what is around a lockd that serves.
type host struct {
	version string
	log     *zap.Logger
	level   zap.AtomicLevel  // log's
	audit   *audit.Log       // nil: none is kept
	metrics *metrics.Metrics // nil: nothing is counted
	hup     <-chan os.Signal // says that sources are to be read again; nil if nobody does
	sources sources
}

// process is a lockd that serves.
type process struct {
	host
	store  lease.Store
	lessor *lease.Lessor
	rpc    *rpc.Server
	http   *http.Server
	ready  *readiness
	live   *reloader
	self   self

	serving sync.WaitGroup
	failed  chan error    // why a server ended by itself
	files   chan struct{} // the guard's have changed
	polling sync.WaitGroup
	stop    context.CancelFunc // ends polling
}

func newProcess(c config, store lease.Store, h host) *process {
	lessor := lease.NewLessor(store, c.Limits)
	if c.guard != nil {
		lessor.TermsFrom(c.guard.Terms)
	}
	var meter rpc.NewMeter
	if h.metrics != nil {
		lessor.Observe(h.metrics)
		meter = func(method string, stream bool) rpc.Meter { return h.metrics.Method(method, stream) }
	}
	p := &process{host: h, store: store, lessor: lessor, failed: make(chan error, 2), files: make(chan struct{})}
	server := rpc.NewServer(rpc.Config{
		Lessor: lessor, Log: h.log, Version: h.version, Audit: h.audit, Bounds: c.Bounds, Reflection: c.Reflection, Guard: c.guard, Meter: meter,
		Diagnose: p.diagnose,
	})
	p.self = newSelf(c, server.Bounds)
	ready := newReadiness(server.SetServing, h.log, lessor.Status().Refusal)
	live := newReloader(h, lessor, c)
	live.bounds = server.SetBounds
	probes := newHTTP(h.log)
	probes.TLSConfig = c.guard.TLS("h2", "http/1.1")
	p.rpc, p.ready, p.live, p.http = server, ready, live, probes
	return p
}

// run serves until ctx ends or a listener fails, then ends everything. It reloads settings when it is told to.
func (p *process) run(ctx context.Context, grpcAt, httpAt net.Listener) error {
	p.start(grpcAt, httpAt)
	// Whoever started lockd may read the addresses from this line: its form is fixed.
	p.log.Info("serving", zap.String("grpc", shown(grpcAt)), zap.String("http", shown(httpAt)), zap.String("version", p.version))
	for {
		select {
		case <-ctx.Done():
			return p.end()
		case err := <-p.failed:
			return errors.Join(err, p.end())
		case <-p.hup:
			p.live.reload(ctx) // one after the other: what was changed last is read last
		case <-p.files:
			p.live.reloadFiles()
		}
	}
}

// start begins to serve and to follow the store's state.
func (p *process) start(grpcAt, httpAt net.Listener) {
	polling, stop := context.WithCancel(context.Background())
	p.stop = stop
	p.polling.Go(func() { p.ready.follow(polling, p.lessor.Status) })
	if p.live.guard != nil {
		p.polling.Go(func() { followFiles(polling, p.live.guard, lookEvery, p.files) })
	}
	p.serving.Go(func() {
		if err := p.rpc.Serve(grpcAt); err != nil {
			p.failed <- err
		}
	})
	if httpAt == nil {
		return
	}
	p.http.Handler = p.handler(httpAt)
	p.serving.Go(func() {
		serve := p.http.Serve
		if p.http.TLSConfig != nil {
			serve = func(l net.Listener) error { return p.http.ServeTLS(l, "", "") }
		}
		if err := serve(httpAt); !errors.Is(err, http.ErrServerClosed) {
			p.failed <- fmt.Errorf("serve HTTP on %s: %w", shown(httpAt), err)
		}
	})
}

// end ends what start began. The order is the point:
//
//  1. readiness says no, in /readyz and in the health service, and is no longer followed;
//  2. gRPC: sessions are told, waits end with DRAINING, calls under way are finished or, after 5 s, cut;
//  3. the Lessor, which nobody calls any more, finishes undoing what was given up: at most 3 s;
//  4. HTTP, which until now told the probes that this is no failure;
//  5. the store, which nobody calls any more.
//
// The log is synced by the caller. What could not be finished in time is in the log and is no error:
// leases and what is left of them end by their ttl.
func (p *process) end() error {
	p.stop()
	p.polling.Wait()
	p.ready.become("draining")
	step := func(name string, limit time.Duration, f func(context.Context) error) {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		if err := f(ctx); err != nil {
			p.log.Warn("not finished in time", zap.String("step", name), zap.Error(err))
		}
	}
	step("calls", drainFor, p.rpc.Shutdown)
	step("cleanups", cleanupFor, p.lessor.Close)
	_ = p.http.Close()
	p.serving.Wait()
	if err := p.store.Close(); err != nil {
		return fmt.Errorf("close the store: %w", err)
	}
	p.log.Info("drained")
	return nil
}
