package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc/codes"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/metrics"
	"github.com/lockd/lockd/internal/redisconn"
)

// busy are metrics of a lockd that has done and met everything there is.
func busy(t testing.TB) (*metrics.Metrics, http.Handler) {
	t.Helper()
	classes, err := metrics.ParseClasses([]string{"orders=shop"})
	if err != nil {
		t.Fatal(err)
	}
	m := metrics.New("v1", classes)
	h := m.Handler(metrics.Sources{
		Count: func() (int, int) { return 1, 2 },
		Status: func() lease.Status {
			return lease.Status{Kind: "redlock", Warnings: []string{"a"}, Desynchronised: 3, PendingCleanups: 4, Nodes: []lease.Node{
				{Address: "a:1", ClockSkew: time.Second}, {Address: "b:1", Error: "mute"}, {Address: "c:1", Out: "forgot"}, {Address: "a:1"},
			}}
		},
		Pools: func() []redisconn.Pool {
			return []redisconn.Pool{{Address: "a:1", Connections: 5, Idle: 2, Hits: 6, Misses: 7, Timeouts: 8}}
		},
	})
	m.Method("lockd.v1.LeaseService/Acquire", false).Ended(codes.OK, time.Millisecond)
	m.Script("a:1", "batch").Called(time.Millisecond, errors.New("no answer"))
	m.Granted(lease.Lease{Name: "orders/1", Token: 7}, time.Second)
	return m, h
}

func shown(t *testing.T, h http.Handler) string {
	t.Helper()
	reply := httptest.NewRecorder()
	h.ServeHTTP(reply, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text, err := io.ReadAll(reply.Body)
	if err != nil || reply.Code != http.StatusOK {
		t.Fatalf("GET /metrics = %d, %v: %s", reply.Code, err, text)
	}
	return string(text)
}

// docs/metrics.md has a row for every metric, with its kind, labels and help as they are, and for no other.
func TestTheDocsHaveEveryMetric(t *testing.T) {
	m, _ := busy(t)
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(m)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, f := range families {
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, "`"+l.GetName()+"`")
		}
		want = append(want, fmt.Sprintf("| `%s` | %s | %s | %s |",
			f.GetName(), strings.ToLower(f.GetType().String()), strings.Join(labels, ", "), f.GetHelp()))
	}
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| `lockd_") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(want, got) {
		t.Errorf("docs/metrics.md has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestNamesAndHelpAreAsPrometheusWantsThem(t *testing.T) {
	m, _ := busy(t)
	problems, err := testutil.CollectAndLint(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// What is told is what is shown, each with the class of its name.
func TestWhatIsToldIsShown(t *testing.T) {
	m, h := busy(t)
	m.Granted(lease.Lease{Name: "ordersx", Token: 5}, 2*time.Millisecond)
	m.Held("orders/1")
	m.Held("orders/2")
	m.Held("orders/3")
	m.Held("x")
	m.Ended("orders/1", lease.EndReleased, time.Second)
	m.Ended("orders/2", lease.EndExpired, time.Minute)
	m.Ended("orders/3", lease.EndTakenBack, time.Hour)
	m.Refused("orders", &lease.HeldError{})
	m.Lost("orders/1", lease.CauseForced)
	m.Lost("orders/1", 99)
	m.Forced("orders/1")
	m.Renewed(lease.Lease{Name: "orders/1", TTL: 10 * time.Second}, 5*time.Second)
	m.Renewed(lease.Lease{Name: "orders/1", TTL: 10 * time.Second}, 0) // granted elsewhere: nobody knows
	m.Script("a:1", "batch").Together(3)
	m.Method("lockd.v1.LeaseService/Session", true).Ended(codes.Unavailable, time.Hour)
	m.Method("grpc.health.v1.Health/Check", false).Ended(99, time.Hour)
	text := shown(t, h)
	for _, want := range []string{
		`lockd_leases{class="shop"} 0`, `lockd_leases{class="other"} 1`, `lockd_waiters 2`,
		`lockd_leases_granted_total{class="shop"} 1`, `lockd_leases_granted_total{class="other"} 1`,
		`lockd_leases_released_total{class="shop"} 1`, `lockd_leases_expired_total{class="shop"} 1`,
		`lockd_leases_forced_total{class="shop"} 1`,
		`lockd_leases_lost_total{cause="forced",class="shop"} 1`, `lockd_leases_lost_total{cause="unknown",class="shop"} 1`,
		`lockd_acquires_refused_total{class="shop",reason="lease_held"} 1`,
		`lockd_acquire_wait_seconds_sum{class="shop"} 1`, `lockd_lease_hold_seconds_sum{class="shop"} 61`,
		`lockd_renewal_age_ratio_sum{class="shop"} 0.5`, `lockd_renewal_age_ratio_count{class="shop"} 1`,
		`lockd_token_headroom 9.007199254740985e+15`,
		`lockd_rpcs_total{code="OK",method="LeaseService/Acquire"} 1`, `lockd_rpcs_total{code="Unavailable",method="LeaseService/Session"} 1`,
		`lockd_rpcs_total{code="Unknown",method="Health/Check"} 1`, `lockd_rpc_duration_seconds_sum{method="LeaseService/Acquire"} 0.001`,
		`lockd_redis_script_duration_seconds_sum{node="a:1",script="batch"} 0.001`,
		`lockd_redis_script_failures_total{node="a:1",script="batch"} 1`, `lockd_redis_batch_operations_sum{node="a:1"} 3`,
		`lockd_redis_pool_connections{node="a:1",state="idle"} 2`, `lockd_redis_pool_connections{node="a:1",state="used"} 3`,
		`lockd_redis_pool_hits_total{node="a:1"} 6`, `lockd_redis_pool_misses_total{node="a:1"} 7`, `lockd_redis_pool_timeouts_total{node="a:1"} 8`,
		`lockd_store_granting 1`, `lockd_store_warnings 1`, `lockd_store_desynchronised_total 3`, `lockd_cleanups_pending 4`,
		`lockd_store_node_up{node="a:1"} 1`, `lockd_store_node_up{node="b:1"} 0`, `lockd_store_node_votes{node="c:1"} 0`,
		`lockd_store_node_clock_skew_seconds{node="a:1"} 1`, `lockd_build_info{version="v1"} 1`, `go_goroutines `, `process_open_fds `,
	} {
		if !strings.Contains("\n"+text, "\n"+want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	for _, none := range []string{"orders/1", `lockd_store_node_clock_skew_seconds{node="b:1"}`, `lockd_rpc_duration_seconds_count{method="LeaseService/Session"}`} {
		if strings.Contains(text, none) {
			t.Errorf("/metrics has %s", none)
		}
	}
}

// Who asks whether leases are held has what is over counted first.
func TestWhatIsOverIsCountedBeforeItIsShown(t *testing.T) {
	m := metrics.New("", metrics.Classes{})
	m.Held("x")
	h := m.Handler(metrics.Sources{
		Count:  func() (int, int) { m.Ended("x", lease.EndExpired, time.Second); return 0, 0 },
		Status: func() lease.Status { return lease.Status{Kind: "memory", Refusal: "no"} },
	})
	text := shown(t, h)
	for _, want := range []string{`lockd_leases{class="other"} 0`, `lockd_leases_expired_total{class="other"} 1`, `lockd_store_granting 0`} {
		if !strings.Contains(text, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	if strings.Contains(text, "lockd_token_headroom 9") {
		t.Error("/metrics has a headroom before any token was granted")
	}
}

// Counting makes nothing: it stands in the way of every request.
func TestCountingAllocatesNothing(t *testing.T) {
	m, _ := busy(t)
	acquire, batch := m.Method("lockd.v1.LeaseService/Acquire", false), m.Script("a:1", "batch")
	held := error(&lease.HeldError{})
	all := func() {
		acquire.Ended(codes.OK, time.Millisecond)
		batch.Called(time.Millisecond, nil)
		batch.Together(16)
		m.Granted(lease.Lease{Name: "orders/1", Token: 8}, time.Millisecond)
		m.Held("orders/1")
		m.Renewed(lease.Lease{Name: "orders/1", TTL: time.Second}, time.Millisecond)
		m.Ended("orders/1", lease.EndReleased, time.Millisecond)
		m.Lost("orders/1", lease.CauseExpired)
		_ = held
	}
	all()
	if n := testing.AllocsPerRun(1000, all); n != 0 {
		t.Errorf("counting makes %v allocations, want none", n)
	}
}

func TestManyCountAtOnce(t *testing.T) {
	m, h := busy(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			x := m.Method("lockd.v1.LeaseService/Renew", false)
			for i := range 100 {
				m.Granted(lease.Lease{Name: "orders/1", Token: lease.Token(1000 + i)}, time.Millisecond)
				m.Held("orders/1")
				m.Ended("orders/1", lease.EndReleased, time.Millisecond)
				x.Ended(codes.Aborted, time.Millisecond)
			}
		})
	}
	all.Go(func() { _ = shown(t, h) })
	all.Wait()
	text := shown(t, h)
	for _, want := range []string{
		`lockd_leases_granted_total{class="shop"} 801`, `lockd_leases{class="shop"} 0`,
		`lockd_rpcs_total{code="Aborted",method="LeaseService/Renew"} 800`, `lockd_token_headroom 9.007199254739893e+15`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
}

// Every error of an acquisition has a reason of its own, wrapped or not.
func TestReasonsOfRefusals(t *testing.T) {
	for want, errs := range map[string][]error{
		"lease_held":        {&lease.HeldError{}},
		"cancelled":         {context.Canceled},
		"store_unavailable": {lease.ErrUnknown, lease.ErrUnavailable},
		"grants_refused":    {lease.ErrGrantsRefused},
		"store_full":        {lease.ErrStoreFull},
		"over_limit":        {&lease.LimitError{}},
		"overloaded":        {lease.ErrOverloaded},
		"line_full":         {lease.ErrLineFull},
		"draining":          {lease.ErrDraining},
		"lease_lost":        {lease.ErrLost, &lease.LostError{}},
		"superseded":        {lease.ErrSuperseded},
		"invalid_argument":  {&lease.InvalidError{}},
		"internal":          {errors.New("a fault")},
	} {
		m := metrics.New("", metrics.Classes{})
		for _, err := range errs {
			m.Refused("x", fmt.Errorf("acquire: %w", err))
		}
		h := m.Handler(metrics.Sources{Count: func() (int, int) { return 0, 0 }, Status: func() lease.Status { return lease.Status{} }})
		if line := fmt.Sprintf("lockd_acquires_refused_total{class=\"other\",reason=%q} %d\n", want, len(errs)); !strings.Contains(shown(t, h), line) {
			t.Errorf("after %v /metrics lacks %s", errs, line)
		}
	}
}

// BenchmarkPair counts what an acquisition and its release count, 16 of which share a call to Redis.
func BenchmarkPair(b *testing.B) {
	m := metrics.New("", metrics.Classes{})
	acquire, release := m.Method("lockd.v1.LeaseService/Acquire", false), m.Method("lockd.v1.LeaseService/Release", false)
	b.ReportAllocs()
	for b.Loop() {
		m.Held("orders/1")
		m.Granted(lease.Lease{Name: "orders/1", Token: 8}, time.Millisecond)
		acquire.Ended(codes.OK, time.Millisecond)
		m.Ended("orders/1", lease.EndReleased, time.Millisecond)
		release.Ended(codes.OK, time.Millisecond)
	}
}
