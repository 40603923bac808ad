package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redisconn"
)

// redisCalls are the metrics of calls to Redis.
type redisCalls struct {
	took   *prometheus.HistogramVec
	failed *prometheus.CounterVec
	batch  *prometheus.HistogramVec
}

func newRedisCalls() *redisCalls {
	return &redisCalls{
		took:   histograms("lockd_redis_script_duration_seconds", "Seconds that calls of a script took, from their sending to Redis's answer, or until they were given up.", ofRedis, "node", "script"),
		failed: counters("lockd_redis_script_failures_total", "Calls of a script that Redis did not answer, or answered with an error.", "node", "script"),
		batch:  histograms("lockd_redis_batch_operations", "How many operations went to Redis together in one call.", []float64{1, 2, 4, 8, 16, 32, 64, 128, 256}, "node"),
	}
}

func (r *redisCalls) collectors() []prometheus.Collector {
	return []prometheus.Collector{r.took, r.failed, r.batch}
}

// script measures one at one Redis. It implements redisconn.Meter.
type script struct {
	took, batch prometheus.Observer
	failed      prometheus.Counter
}

// Script is a redisconn.NewMeter.
func (m *Metrics) Script(address, name string) redisconn.Meter {
	return &script{
		took: m.redis.took.WithLabelValues(address, name), failed: m.redis.failed.WithLabelValues(address, name),
		batch: m.redis.batch.WithLabelValues(address),
	}
}

// Called implements redisconn.Meter.
func (s *script) Called(took time.Duration, err error) {
	s.took.Observe(took.Seconds())
	if err != nil {
		s.failed.Inc()
	}
}

// Together implements redisconn.Meter.
func (s *script) Together(operations int) { s.batch.Observe(float64(operations)) }

// What is looked at when somebody asks.
var (
	descWaiters  = look("lockd_waiters", "Acquisitions at this lockd that wait, or may have to.")
	descGranting = look("lockd_store_granting", "1 if leases are granted, as last checked; 0 if Redis does not answer, takes no writes, or may not grant.")
	descWarnings = look("lockd_store_warnings", "How many things about the store endanger leases without keeping them from being granted; lockctl status lists them.")
	descDesync   = look("lockd_store_desynchronised_total", "Answers of Redis that belonged to another call; each has cost all connections.")
	descCleanups = look("lockd_cleanups_pending", "Acquisitions that are being undone and releases that are being repeated.")
	descUp       = look("lockd_store_node_up", "1 if the node answered when it was last looked at.", "node")
	descVotes    = look("lockd_store_node_votes", "Of a node of a quorum: 1 if what it says counts.", "node")
	descSkew     = look("lockd_store_node_clock_skew_seconds", "The node's clock minus this lockd's, in seconds, as last looked at. Beyond 2 s either way nothing is granted.", "node")
	descOpen     = look("lockd_redis_pool_connections", "Connections to Redis that are open, in use or idle.", "node", "state")
	descHits     = look("lockd_redis_pool_hits_total", "Calls to Redis that found an idle connection.", "node")
	descMisses   = look("lockd_redis_pool_misses_total", "Calls to Redis for which a connection was made.", "node")
	descTimeouts = look("lockd_redis_pool_timeouts_total", "Calls to Redis that got no connection in time.", "node")

	looked = []*prometheus.Desc{
		descWaiters, descHeadroom, descGranting, descWarnings, descDesync, descCleanups, descUp, descVotes, descSkew,
		descOpen, descHits, descMisses, descTimeouts,
	}
)

func look(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

func gauge(to chan<- prometheus.Metric, desc *prometheus.Desc, value float64, labels ...string) {
	to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
}

func count(to chan<- prometheus.Metric, desc *prometheus.Desc, value int64, labels ...string) {
	to <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(value), labels...)
}

func collectStatus(to chan<- prometheus.Metric, s lease.Status) {
	gauge(to, descGranting, truth(s.Refusal == ""))
	gauge(to, descWarnings, float64(len(s.Warnings)))
	count(to, descDesync, s.Desynchronised)
	gauge(to, descCleanups, float64(s.PendingCleanups))
	seen := make(map[string]bool)
	for _, n := range s.Nodes {
		if seen[n.Address] { // two of them would spoil everything that is shown
			continue
		}
		seen[n.Address] = true
		gauge(to, descUp, truth(n.Error == ""), n.Address)
		if s.Kind == "redlock" {
			gauge(to, descVotes, truth(n.Out == ""), n.Address)
		}
		if n.Error == "" {
			gauge(to, descSkew, n.ClockSkew.Seconds(), n.Address)
		}
	}
}

func collectPools(to chan<- prometheus.Metric, pools []redisconn.Pool) {
	for _, p := range pools {
		gauge(to, descOpen, float64(p.Idle), p.Address, "idle")
		gauge(to, descOpen, float64(max(0, p.Connections-p.Idle)), p.Address, "used")
		count(to, descHits, p.Hits, p.Address)
		count(to, descMisses, p.Misses, p.Address)
		count(to, descTimeouts, p.Timeouts, p.Address)
	}
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
