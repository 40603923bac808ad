package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/zap/zapcore"

	"github.com/lockd/lockd/internal/memstore"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// ask answers what is said to a request with another Host, "" for its own.
func ask(t *testing.T, method, url, host, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		req.Host = host
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	reply, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, string(text)
}

// What clients do is in /metrics, for whoever asks, and no name is.
func TestMetricsOfAServingLockd(t *testing.T) {
	s := serveInProcess(t, memstore.New())
	if _, err := s.leases.Acquire(t.Context(), &lockdv1.AcquireRequest{Name: "a-name", LeaseId: id1}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.leases.Acquire(t.Context(), &lockdv1.AcquireRequest{Name: "a-name", LeaseId: id2}); err == nil {
		t.Fatal("a held name was granted")
	}
	code, text := ask(t, http.MethodGet, "http://"+s.http+"/metrics", "prometheus.example", "")
	if code != http.StatusOK {
		t.Fatalf("GET /metrics = %d %s", code, text)
	}
	for _, want := range []string{
		`lockd_leases{class="other"} 1`, `lockd_leases_granted_total{class="other"} 1`, `lockd_acquires_refused_total{class="other",reason="lease_held"} 1`,
		`lockd_rpcs_total{code="OK",method="LeaseService/Acquire"} 1`, `lockd_rpcs_total{code="Aborted",method="LeaseService/Acquire"} 1`,
		`lockd_store_granting 1`, `lockd_build_info{version="v1"} 1`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	for _, secret := range []string{"a-name", id1, id2} {
		if strings.Contains(text, secret) {
			t.Errorf("/metrics has %s", secret)
		}
	}
}

// The log's level is read and changed on loopback, with a word in the log, and by nothing but one of its four names.
func TestTheLogLevelChangesWhileLockdServes(t *testing.T) {
	s := serveInProcess(t, memstore.New())
	at := "http://" + s.http + "/debug/log-level"
	if code, text := ask(t, http.MethodGet, at, "", ""); code != http.StatusOK || text != "info\n" {
		t.Errorf("GET = %d %q, want info", code, text)
	}
	if code, text := ask(t, http.MethodPut, at, "localhost:7421", "debug\n"); code != http.StatusOK || text != "debug\n" {
		t.Errorf("PUT debug = %d %q, want debug", code, text)
	}
	if s.level.Level() != zapcore.DebugLevel {
		t.Errorf("the level is %s, want debug", s.level)
	}
	if n := s.log.FilterMessageSnippet("log level changed").Len(); n != 1 {
		t.Errorf("the log says %d times that its level changed, want once", n)
	}
	for _, bad := range []string{"fatal", "", "Level(9)", strings.Repeat("x", 1<<20)} {
		if code, _ := ask(t, http.MethodPut, at, "", bad); code != http.StatusBadRequest || s.level.Level() != zapcore.DebugLevel {
			t.Errorf("PUT %.10q = %d and leaves %s, want 400 and debug", bad, code, s.level)
		}
	}
	if code, _ := ask(t, http.MethodPost, at, "", "info"); code != http.StatusMethodNotAllowed {
		t.Errorf("POST = %d, want 405", code)
	}
}

// Profiles are there on loopback, but not for a page that has another's name lead here, and not what lockd was called with.
func TestProfilesAreForThisMachine(t *testing.T) {
	s := serveInProcess(t, memstore.New())
	at := "http://" + s.http + "/debug/pprof/"
	for _, path := range []string{"", "heap", "goroutine?debug=1", "profile?seconds=1"} {
		if code, _ := ask(t, http.MethodGet, at+path, "", ""); code != http.StatusOK {
			t.Errorf("GET /debug/pprof/%s = %d, want 200", path, code)
		}
	}
	for _, host := range []string{"evil.example", "10.0.0.1:7421", "localhost.evil.example:7421"} {
		if code, _ := ask(t, http.MethodGet, at, host, ""); code != http.StatusForbidden {
			t.Errorf("GET /debug/pprof/ of %s = %d, want 403", host, code)
		}
	}
	if code, _ := ask(t, http.MethodGet, at+"cmdline", "", ""); code == http.StatusOK {
		t.Error("GET /debug/pprof/cmdline = 200, want it refused")
	}
}

// A port that other machines reach has no profiles and no log level, whoever asks.
func TestADebuggingPortIsOnLoopback(t *testing.T) {
	inside := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "inside") })
	for at, want := range map[net.Addr]int{
		&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}: http.StatusOK, &net.TCPAddr{IP: net.IPv6loopback}: http.StatusOK,
		&net.TCPAddr{IP: net.IPv4zero}: http.StatusForbidden, &net.TCPAddr{IP: net.IPv6zero}: http.StatusForbidden,
		&net.TCPAddr{IP: net.IPv4(10, 0, 0, 7)}: http.StatusForbidden, &net.UnixAddr{Name: "/run/lockd.sock"}: http.StatusOK,
	} {
		req := httptest.NewRequest(http.MethodGet, "http://localhost/debug/log-level", nil)
		reply := httptest.NewRecorder()
		onlyHere(at, inside).ServeHTTP(reply, req)
		if reply.Code != want {
			t.Errorf("at %s = %d, want %d", at, reply.Code, want)
		}
	}
}

// Rules of classes come as a list, or one by one; a comma in a prefix does not end it.
func TestRulesOfClasses(t *testing.T) {
	var rules classRules
	for _, text := range []string{"orders=shop, a/b=x", "x,y=z", ""} {
		_ = rules.Set(text)
	}
	if got := rules.String(); got != "orders=shop,a/b=x,x,y=z" {
		t.Errorf("the rules are %q", got)
	}
	for text, want := range map[string]string{"orders": "PREFIX=CLASS", "orders=S": "want 1 to 32", "a=x,a=y": "twice"} {
		if _, err := loaded(t, []string{"--metrics-class", text}, nil, ""); err == nil || !strings.Contains(err.Error(), "--metrics-class: metrics-class has") || !strings.Contains(err.Error(), want) {
			t.Errorf("--metrics-class %s = %v, want one that says %q", text, err, want)
		}
	}
	if _, err := loaded(t, nil, nil, "metrics-class: orders=shop,a=b\n"); err != nil {
		t.Errorf("metrics-class in the file = %v, want nil", err)
	}
}
