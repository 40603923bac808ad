package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/lockd/lockd/internal/metrics"
	"github.com/lockd/lockd/internal/redisconn"
)

// handler serves what the HTTP port at has: /healthz, /readyz and /metrics for whoever reaches it, and on loopback or a unix
// socket pprof and the log level.
func (p *process) handler(at net.Listener) http.Handler {
	mux := p.ready.mux()
	from := metrics.Sources{Count: p.lessor.Count, Status: p.lessor.Status}
	if store, ok := p.store.(interface{ Pools() []redisconn.Pool }); ok {
		from.Pools = store.Pools
	}
	mux.Handle("GET /metrics", p.metrics.Handler(from))
	mux.Handle("/debug/", onlyHere(at.Addr(), p.debugging()))
	return mux
}

// debugging serves what tells of lockd's inside, or changes it.
func (p *process) debugging() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index) // and every profile that is called by its name
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/log-level", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, p.level.String()) })
	mux.HandleFunc("PUT /debug/log-level", p.setLevel)
	return mux
}

// setLevel changes the log's level until the settings are read again.
func (p *process) setLevel(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 16))
	to := strings.TrimSpace(string(text))
	if err != nil || !slices.Contains(logLevels, to) {
		say(w, http.StatusBadRequest, "want one of "+strings.Join(logLevels, ", ")+" as the body, and nothing else")
		return
	}
	was := p.level.String()
	p.level.SetLevel(min(levelOf(to), p.level.Level())) // who turns the log down, and who turns it up, sees that
	p.log.Info("log level changed until the next reload or restart", zap.String("from", was), zap.String("to", to), zap.String("peer", r.RemoteAddr))
	p.level.SetLevel(levelOf(to))
	recordReload(p.audit, []change{{"log-level", was, to, "PUT /debug/log-level"}})
	say(w, http.StatusOK, to)
}

// onlyHere refuses whoever may be elsewhere: all, if other machines reach at; and a page in a browser here that has
// another's name lead to this address.
func onlyHere(at net.Addr, h http.Handler) http.Handler {
	tcp, ok := at.(*net.TCPAddr)
	reached := ok && !tcp.IP.IsLoopback()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case reached:
			say(w, http.StatusForbidden, fmt.Sprintf("%s is reached from other machines; this is served on loopback and unix sockets only (--http 127.0.0.1:7421)", at))
		case ok && !isHere(r.Host):
			say(w, http.StatusForbidden, "asked for by a name that is not this machine's; want http://localhost, or an address such as 127.0.0.1")
		default:
			h.ServeHTTP(w, r)
		}
	})
}

// isHere reports whether host, perhaps with a port, is spelt so that it can only be this machine.
func isHere(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.IsLoopback()
}
