package main

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/lockd/lockd/internal/lease"
)

// pollEvery is how often readiness looks at what the store last found out about itself.
const pollEvery = time.Second

// readiness is whether this lockd should be sent work: the health service and /readyz say the same,
// and the log says when it changes. Renewals and releases are served in any case.
type readiness struct {
	set    func(serving bool) // tells the health service
	log    *zap.Logger
	reason atomic.Pointer[string] // why not; "" when ready
}

// newReadiness answers a readiness that says reason, "" for yes.
func newReadiness(set func(serving bool), log *zap.Logger, reason string) *readiness {
	r := &readiness{set: set, log: log}
	r.reason.Store(new(string))
	set(true)
	r.become(reason)
	return r
}

// follow looks at status every second, until ctx ends.
func (r *readiness) follow(ctx context.Context, status func() lease.Status) {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			r.become(status().Refusal)
		}
	}
}

// become records why work should not be sent here, "" if it should.
func (r *readiness) become(reason string) {
	if before := r.reason.Swap(&reason); *before == reason {
		return
	}
	r.set(reason == "")
	if reason == "" {
		r.log.Info("ready again")
	} else {
		r.log.Warn("not ready", zap.String("reason", reason))
	}
}

// mux serves /healthz, which answers 200 as long as the process does, and /readyz, which answers
// 503 with the reason while no work should be sent here.
func (r *readiness) mux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if reason := *r.reason.Load(); reason != "" {
			say(w, http.StatusServiceUnavailable, reason)
			return
		}
		say(w, http.StatusOK, "ok")
	})
	return mux
}

func say(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text+"\n") // whoever asked may have gone
}

// newHTTP answers a server without a handler, with bounds on what a client may send or hold open.
func newHTTP(log *zap.Logger) *http.Server {
	return &http.Server{
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      5 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          zap.NewStdLog(log),
	}
}
