// Package metrics counts and measures what a lockd does, for Prometheus. docs/metrics.md has every metric, with its unit
// and what it is for; a test compares the two.
//
// No label has a name, a lease id, an owner or a principal: who asks for many names must not be able to fill the memory of
// whoever keeps the metrics, and who may read metrics does not learn by them what is locked. What is known of a name is
// its class, see Classes.
//
// What is asked for often is counted without looking for anything: the children of each metric are made, at the
// start, for every value that a label can have. What is known anyway is looked at when somebody asks for the metrics.
package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redisconn"
)

// Metrics are those of one lockd. They are safe for concurrent use; Metrics implements lease.Observer.
type Metrics struct {
	classes Classes
	leases  *leases
	calls   *calls
	redis   *redisCalls
	build   prometheus.Gauge
	sources Sources
}

// Sources are asked whenever somebody asks for the metrics. None of them may block.
type Sources struct {
	Count  func() (held, waiting int) // leases and waiters; by it what is over is noticed
	Status func() lease.Status
	Pools  func() []redisconn.Pool // nil: there are none
}

// New returns Metrics of nothing yet. classes may be the zero value.
func New(version string, classes Classes) *Metrics {
	build := gauges("lockd_build_info", "Always 1; the label is the version of this lockd.", "version")
	m := &Metrics{classes: classes, leases: newLeases(classes), calls: newCalls(), redis: newRedisCalls()}
	m.build = build.WithLabelValues(version)
	m.build.Set(1)
	return m
}

// Handler answers a handler that shows the metrics, those of Go and of the process included. It is called once.
func (m *Metrics) Handler(from Sources) http.Handler {
	m.sources = from
	registry := prometheus.NewRegistry()
	registry.MustRegister(m, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		DisableCompression:  true, // it would be half of what an answer costs
		MaxRequestsInFlight: 4,    // who asks for more than that asks for nothing but work
		Timeout:             4 * time.Second,
	})
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(to chan<- *prometheus.Desc) {
	for _, c := range m.collectors() {
		c.Describe(to)
	}
	for _, desc := range looked {
		to <- desc
	}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	_, waiting := m.sources.Count() // it counts what is over
	for _, c := range m.collectors() {
		c.Collect(to)
	}
	to <- prometheus.MustNewConstMetric(descWaiters, prometheus.GaugeValue, float64(waiting))
	m.leases.collectHeadroom(to)
	collectStatus(to, m.sources.Status())
	if m.sources.Pools != nil {
		collectPools(to, m.sources.Pools())
	}
}

func (m *Metrics) collectors() []prometheus.Collector {
	all := []prometheus.Collector{m.build}
	return append(append(append(all, m.leases.collectors()...), m.calls.collectors()...), m.redis.collectors()...)
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
}

// histograms have buckets alone: native ones beside them made counting a pair seven times dearer, 1.5 µs.
func histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: name, Help: help, Buckets: buckets,
	}, labels)
}

// Buckets, in seconds.
var (
	ofWaits = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 150, 300}
	ofHolds = []float64{.001, .01, .1, .5, 1, 5, 15, 30, 60, 300, 900, 3600, 14400, 86400}
	ofRedis = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5}
)
