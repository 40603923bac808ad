package metrics

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
)

// calls are the metrics of what is called over gRPC.
type calls struct {
	ended *prometheus.CounterVec
	took  *prometheus.HistogramVec
}

func newCalls() *calls {
	return &calls{
		ended: counters("lockd_rpcs_total", "Calls and streams that have ended. An operation of a session is a call of the unary method that means the same.", "method", "code"),
		took:  histograms("lockd_rpc_duration_seconds", "Seconds that unary calls and operations of sessions took, from the message to the answer; waiting in line included.", ofWaits, "method"),
	}
}

func (c *calls) collectors() []prometheus.Collector { return []prometheus.Collector{c.ended, c.took} }

// Method measures one of them.
type Method struct {
	name  string // the label: "LeaseService/Acquire"
	ended *prometheus.CounterVec
	codes [codes.Unauthenticated + 1]atomic.Pointer[prometheus.Counter] // those that have been answered
	took  prometheus.Observer                                           // nil for a stream: how long one lasts is its client's to say
}

// Method makes what measures the method that is called so over gRPC: "lockd.v1.LeaseService/Acquire".
func (m *Metrics) Method(name string, stream bool) *Method {
	x := &Method{name: name[strings.LastIndexByte(name[:strings.IndexByte(name, '/')], '.')+1:], ended: m.calls.ended}
	if !stream {
		x.took = m.calls.took.WithLabelValues(x.name)
	}
	return x
}

// Ended is told how a call ended and how long it took.
func (x *Method) Ended(code codes.Code, took time.Duration) {
	if int(code) >= len(x.codes) { // a handler has made one up
		code = codes.Unknown
	}
	count := x.codes[code].Load()
	if count == nil {
		c := x.ended.WithLabelValues(x.name, code.String())
		count = &c
		x.codes[code].Store(count)
	}
	(*count).Inc()
	if x.took != nil {
		x.took.Observe(took.Seconds())
	}
}
