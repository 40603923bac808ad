//go:build lockdabuse

// This file is built into the lockd that is abused (go build -overlay), and into no other. It notes how long the
// messages of one tenant took, and tells that and what only the process itself knows to who asks at a socket.
package rpc

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
)

// probe implements stats.Handler.
type probe struct {
	token string // of the tenant whose messages are timed

	mu   sync.Mutex
	took []time.Duration
}

func newProbe() *probe {
	p := &probe{token: "Bearer " + os.Getenv("LOCKD_ABUSE_OTHERS")}
	l, err := net.Listen("unix", os.Getenv("LOCKD_ABUSE_PROBE"))
	if err != nil {
		panic(err)
	}
	go p.serve(l)
	return p
}

// serve tells what there is since it was asked last.
func (p *probe) serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			panic(err)
		}
		p.mu.Lock()
		took := p.took
		p.took = nil
		p.mu.Unlock()
		_ = json.NewEncoder(c).Encode(map[string]any{"Goroutines": runtime.NumGoroutine(), "Took": took})
		_ = c.Close()
	}
}

type timedKey struct{}

// timed is a call of the tenant: when its last message was read.
type timed struct{ read time.Time }

// TagRPC implements stats.Handler.
func (p *probe) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	if slices.Contains(metadata.ValueFromIncomingContext(ctx, "authorization"), p.token) {
		return context.WithValue(ctx, timedKey{}, new(timed))
	}
	return ctx
}

// HandleRPC implements stats.Handler. The tenant has one operation under way on a stream, so its next answer is to its
// last message.
func (p *probe) HandleRPC(ctx context.Context, s stats.RPCStats) {
	of, ok := ctx.Value(timedKey{}).(*timed)
	if !ok {
		return
	}
	switch s := s.(type) {
	case *stats.InPayload:
		of.read = s.RecvTime
	case *stats.OutPayload:
		if !of.read.IsZero() {
			p.mu.Lock()
			p.took = append(p.took, s.SentTime.Sub(of.read))
			p.mu.Unlock()
		}
	}
}

// TagConn implements stats.Handler.
func (p *probe) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements stats.Handler.
func (p *probe) HandleConn(context.Context, stats.ConnStats) {}
