package metrics

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lockd/lockd/internal/lease"
)

// leases are the metrics of what becomes of leases. Each class has its own.
type leases struct {
	held, forced, granted, released, expired, refused, lost prometheus.Collector
	wait, hold, renewal                                     prometheus.Collector

	of    []class // by its number
	token atomic.Int64
}

// class has the children for the names of one class.
type class struct {
	held                               prometheus.Gauge
	granted, released, expired, forced prometheus.Counter
	wait, hold, renewal                prometheus.Observer
	refused                            [len(refusals)]prometheus.Counter
	lost                               [len(causes)]prometheus.Counter
}

// causes are the values of a label, by lease.Cause; 0 is an unknown one.
var causes = [...]string{0: "unknown", lease.CauseExpired: "expired", lease.CauseForced: "forced", lease.CauseGrantedToAnother: "granted_to_another"}

func newLeases(classes Classes) *leases {
	held := gauges("lockd_leases", "Leases that are held, as far as this lockd knows: granted or last renewed by it.", "class")
	granted := counters("lockd_leases_granted_total", "Acquisitions that were answered with a lease. One that a client repeats counts again.", "class")
	released := counters("lockd_leases_released_total", "Leases that their holders gave back.", "class")
	expired := counters("lockd_leases_expired_total", "Leases that were granted or last renewed by this lockd and whose time, with its grace, was over before they were renewed or given back here.", "class")
	forced := counters("lockd_leases_forced_total", "Leases that this lockd was told to end by force.", "class")
	lost := counters("lockd_leases_lost_total", "Holders that this lockd told that their lease is gone, by notice or by its answer to a renewal.", "class", "cause")
	refused := counters("lockd_acquires_refused_total", "Acquisitions that were answered with no lease, by why.", "class", "reason")
	wait := histograms("lockd_acquire_wait_seconds", "Seconds that acquisitions took which got a lease, from their arrival to the answer; waiting in line included.", ofWaits, "class")
	hold := histograms("lockd_lease_hold_seconds", "Seconds that leases were held which have ended, however that came.", ofHolds, "class")
	renewal := histograms("lockd_renewal_age_ratio", "How much of its ttl a lease had used up when it was renewed through the lockd that it was granted or last renewed by: 1 is all of it, and a third is usual.",
		[]float64{.1, .2, .3, .4, .5, .6, .7, .8, .9, 1}, "class")
	l := &leases{
		held: held, granted: granted, released: released, expired: expired, forced: forced, lost: lost, refused: refused,
		wait: wait, hold: hold, renewal: renewal,
	}
	for _, name := range classes.all() {
		c := class{
			held: held.WithLabelValues(name), granted: granted.WithLabelValues(name), released: released.WithLabelValues(name),
			expired: expired.WithLabelValues(name), forced: forced.WithLabelValues(name), wait: wait.WithLabelValues(name),
			hold: hold.WithLabelValues(name), renewal: renewal.WithLabelValues(name),
		}
		for i, reason := range refusals {
			c.refused[i] = refused.WithLabelValues(name, reason)
		}
		for i, cause := range causes {
			c.lost[i] = lost.WithLabelValues(name, cause)
		}
		l.of = append(l.of, c)
	}
	return l
}

func (l *leases) collectors() []prometheus.Collector {
	return []prometheus.Collector{l.held, l.granted, l.released, l.expired, l.forced, l.lost, l.refused, l.wait, l.hold, l.renewal}
}

// Tokens run out at 2^53. Which was the last is known once one was granted here.
var descHeadroom = prometheus.NewDesc("lockd_token_headroom",
	"How many fencing tokens are left above the largest that this lockd has granted; absent until it has granted one. A year uses up 3.2e13, whatever is granted.", nil, nil)

func (l *leases) collectHeadroom(to chan<- prometheus.Metric) {
	if last := l.token.Load(); last > 0 {
		to <- prometheus.MustNewConstMetric(descHeadroom, prometheus.GaugeValue, float64(int64(lease.MaxToken)-last))
	}
}

func (m *Metrics) classOf(name string) *class { return &m.leases.of[m.classes.of(name)] }

// Granted implements lease.Observer.
func (m *Metrics) Granted(g lease.Lease, after time.Duration) {
	c := m.classOf(g.Name)
	c.granted.Inc()
	c.wait.Observe(after.Seconds())
	last := &m.leases.token
	for seen := last.Load(); int64(g.Token) > seen && !last.CompareAndSwap(seen, int64(g.Token)); seen = last.Load() {
	}
}

// Refused implements lease.Observer.
func (m *Metrics) Refused(name string, err error) { m.classOf(name).refused[refusalOf(err)].Inc() }

// Renewed implements lease.Observer.
func (m *Metrics) Renewed(l lease.Lease, since time.Duration) {
	if since > 0 && l.TTL > 0 {
		m.classOf(l.Name).renewal.Observe(since.Seconds() / l.TTL.Seconds())
	}
}

// Held implements lease.Observer.
func (m *Metrics) Held(name string) { m.classOf(name).held.Inc() }

// Ended implements lease.Observer.
func (m *Metrics) Ended(name string, how lease.End, held time.Duration) {
	c := m.classOf(name)
	c.held.Dec()
	switch how {
	case lease.EndReleased:
		c.released.Inc()
	case lease.EndExpired:
		c.expired.Inc()
	}
	if how != lease.EndTakenBack { // nobody had that one
		c.hold.Observe(held.Seconds())
	}
}

// Lost implements lease.Observer.
func (m *Metrics) Lost(name string, why lease.Cause) {
	if int(why) >= len(causes) {
		why = 0
	}
	m.classOf(name).lost[why].Inc()
}

// Forced implements lease.Observer.
func (m *Metrics) Forced(name string) { m.classOf(name).forced.Inc() }

// Why acquisitions are refused, in the words of the wire's reasons.
const (
	isHeld = iota
	isCancelled
	isUnavailable
	isGrantsRefused
	isStoreFull
	isOverLimit
	isOverloaded
	isLineFull
	isDraining
	isLost
	isSuperseded
	isInvalid
	isInternal
)

var refusals = [...]string{
	isHeld: "lease_held", isCancelled: "cancelled", isUnavailable: "store_unavailable", isGrantsRefused: "grants_refused",
	isStoreFull: "store_full", isOverLimit: "over_limit", isOverloaded: "overloaded", isLineFull: "line_full", isDraining: "draining",
	isLost: "lease_lost", isSuperseded: "superseded", isInvalid: "invalid_argument", isInternal: "internal",
}

// refusalOf answers why, as a place in refusals. What is most frequent is asked for first.
func refusalOf(err error) int {
	switch {
	case errors.As(err, new(*lease.HeldError)):
		return isHeld
	case errors.Is(err, context.Canceled):
		return isCancelled
	case errors.Is(err, lease.ErrGrantsRefused):
		return isGrantsRefused
	case errors.Is(err, lease.ErrStoreFull):
		return isStoreFull
	case errors.Is(err, lease.ErrUnknown), errors.Is(err, lease.ErrUnavailable):
		return isUnavailable
	case errors.As(err, new(*lease.LimitError)):
		return isOverLimit
	case errors.Is(err, lease.ErrOverloaded):
		return isOverloaded
	case errors.Is(err, lease.ErrLineFull):
		return isLineFull
	case errors.Is(err, lease.ErrDraining):
		return isDraining
	case errors.Is(err, lease.ErrLost):
		return isLost
	case errors.Is(err, lease.ErrSuperseded):
		return isSuperseded
	case errors.As(err, new(*lease.InvalidError)):
		return isInvalid
	}
	return isInternal
}
