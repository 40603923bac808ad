package main

import (
	"bytes"
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lockd/lockd/test/certs"
	"github.com/lockd/lockd/test/lockdproc"
	"github.com/lockd/lockd/test/redisproc"
)

// healthcheck runs lockd healthcheck.
func healthcheck(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), nil, append([]string{"healthcheck"}, args...), env, &out, &err)
	return code, out.String(), err.String()
}

// A lockd that serves is healthy, one that refuses work or has gone is not; the message says which.
func TestHealthcheckSaysWhetherLockdServes(t *testing.T) {
	store := newSeen()
	s := serveInProcess(t, store)
	if code, out, stderr := healthcheck(t, nil, "--listen", s.grpc); code != 0 || out != "lockd at "+s.grpc+" is serving\n" || stderr != "" {
		t.Errorf("healthcheck of a lockd that serves exits %d and says %q, %q, want 0", code, out, stderr)
	}
	refusal := "the store is on fire"
	store.refusal.Store(&refusal)
	eventually(t, "NOT_SERVING", 5*time.Second, func() bool { return healthOf(t, s.conn) == "NOT_SERVING" })
	if code, out, stderr := healthcheck(t, nil, "--listen", s.grpc); code != 1 || out != "" || !strings.Contains(stderr, s.grpc+" says NOT_SERVING") {
		t.Errorf("healthcheck of a lockd that refuses work exits %d and says %q, %q, want 1 and NOT_SERVING", code, out, stderr)
	}
	s.end()
	<-s.ended
	if code, out, stderr := healthcheck(t, nil, "--listen", s.grpc); code != 1 || out != "" || !strings.Contains(stderr, "connection refused") {
		t.Errorf("healthcheck of a lockd that has ended exits %d and says %q, %q, want 1 and that nobody is there", code, out, stderr)
	}
}

// Whatever answers too late, or with something else, is not healthy.
func TestHealthcheckIsBounded(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mute.Close() })
	start := time.Now()
	code, _, stderr := healthcheck(t, nil, "--listen", mute.Addr().String(), "--timeout", "200ms")
	if took := time.Since(start); code != 1 || !strings.Contains(stderr, "did not answer in time") || took > 5*time.Second {
		t.Errorf("healthcheck of one that is mute exits %d after %s and says %q, want 1 after 200 ms", code, took, stderr)
	}
	s := serveInProcess(t, newSeen())
	if code, _, stderr := healthcheck(t, nil, "--listen", s.http); code != 1 || !strings.Contains(stderr, s.http) {
		t.Errorf("healthcheck of an HTTP port exits %d and says %q, want 1 and the address", code, stderr)
	}
}

// It looks where the lockd of the same environment and file listens, and on loopback if that is everywhere.
func TestHealthcheckFindsTheLockdOfItsSettings(t *testing.T) {
	socket := "unix://" + filepath.Join(t.TempDir(), "s")
	s := lockdproc.Start(t, "--listen", socket)
	file, elsewhere := write(t, "lockd.yaml", "max-ttl: nonsense\nlisten: "+socket+"\n"), write(t, "elsewhere.yaml", "listen: 127.0.0.1:1\n")
	for name, source := range map[string][2][]string{
		"flag":        {{"--listen", socket}, {"LOCKD_LISTEN=127.0.0.1:1"}},
		"environment": {{"--config", elsewhere}, {"LOCKD_LISTEN=" + socket}},
		"file":        {{"--config", file}, {"LOCKD_MAX_TTL=nonsense"}},
	} {
		if code, _, stderr := healthcheck(t, source[1], source[0]...); code != 0 {
			t.Errorf("%s: healthcheck exits %d: %s\n%s", name, code, stderr, s.Log())
		}
	}
	for listen, want := range map[string]string{
		":7": "127.0.0.1:7", "0.0.0.0:7": "127.0.0.1:7", "[::]:7": "[::1]:7", "localhost:7": "localhost:7", "10.0.0.5:7": "10.0.0.5:7",
	} {
		line := healthcheckCommand(nil).Flags()
		if err := line.Set("listen", listen); err != nil {
			t.Fatal(err)
		}
		if at, err := (sources{line: line}).health(); err != nil || at.grpc.at != want {
			t.Errorf("healthcheck of --listen %s asks %q, %v, want %q", listen, at.grpc.at, err, want)
		}
	}
}

// It speaks TLS to the lockd whose settings say so, wherever they say it. One that asks callers who they are is asked by its
// /readyz, and if that is nowhere the probe says what is missing.
func TestHealthcheckFollowsTheTLSOfItsLockd(t *testing.T) {
	pair := certs.New(t).Sign(t, "lockd", certs.Named("elsewhere.internal"))
	open, r := lockdproc.Start(t, "--tls-cert", pair.Cert, "--tls-key", pair.Key, "--http="), redisproc.Start(t)
	m := startMutual(t, "--redis", r.URL())
	const tls, http, listen = "LOCKD_TLS_CERT=/no/such/file", "LOCKD_HTTP=", "LOCKD_LISTEN="
	for what, c := range map[string]struct {
		env, args []string
		code      int
		says      string
	}{
		"TLS, by flags":                 {nil, []string{"--listen", open.Addr(), "--tls-cert", pair.Cert}, 0, "is serving"},
		"TLS, by the environment":       {[]string{listen + open.Addr(), tls}, nil, 0, "is serving"},
		"TLS, by the file":              {nil, []string{"--config", write(t, "lockd.yaml", "listen: "+open.Addr()+"\ntls-cert: x\ntls-key: y\n")}, 0, "is serving"},
		"TLS, and nothing says so":      {nil, []string{"--listen", open.Addr()}, 1, "cannot be asked"},
		"mutual, by flags":              {nil, []string{"--listen", m.Addr(), "--http", m.HTTP(), "--tls-cert", m.cert}, 0, "is serving"},
		"mutual, by the environment":    {[]string{listen + m.Addr(), http + m.HTTP(), tls}, nil, 0, "is serving"},
		"mutual, by the file":           {nil, []string{"--config", write(t, "lockd.yaml", "listen: "+m.Addr()+"\nhttp: "+m.HTTP()+"\ntls-cert: x\ntls-client-ca: y\n")}, 0, "is serving"},
		"mutual, /readyz is nowhere":    {nil, []string{"--listen", m.Addr(), "--http=", "--tls-cert", m.cert}, 1, "want --http"},
		"mutual, /readyz is not there":  {nil, []string{"--listen", m.Addr(), "--http=127.0.0.1:1", "--tls-cert", m.cert}, 1, "cannot be asked at 127.0.0.1:1"},
		"mutual, /readyz is any port":   {nil, []string{"--listen", m.Addr(), "--http=127.0.0.1:0", "--tls-cert", m.cert}, 1, "want --http"},
		"mutual, and nothing says so":   {nil, []string{"--listen", m.Addr(), "--http", m.HTTP()}, 1, "cannot be asked"},
		"plaintext, and TLS is said":    {nil, []string{"--listen", lockdproc.Start(t).Addr(), "--tls-cert", pair.Cert}, 1, "cannot be asked"},
		"TLS, /readyz is not asked for": {nil, []string{"--listen", open.Addr(), "--http=nonsense", "--tls-cert", pair.Cert}, 0, "is serving"},
	} {
		if code, out, stderr := healthcheck(t, c.env, c.args...); code != c.code || !strings.Contains(out+stderr, c.says) {
			t.Errorf("%s: healthcheck exits %d and says %q, want %d and %q", what, code, out+stderr, c.code, c.says)
		}
	}
	r.Kill()
	eventually(t, "a lockd without its Redis is not healthy", 10*time.Second, func() bool {
		code, _, stderr := healthcheck(t, nil, "--listen", m.Addr(), "--http", m.HTTP(), "--tls-cert", m.cert)
		return code == 1 && strings.Contains(stderr, "503")
	})
}

func TestHealthcheckRefusesWhatCannotBeAsked(t *testing.T) {
	for say, c := range map[string][2][]string{
		"any port that is free": {{"--listen", "127.0.0.1:0"}, nil},
		"host:port":             {nil, {"LOCKD_LISTEN=7420"}},
		"--timeout":             {{"--timeout", "0s"}, nil},
		"no such file":          {{"--config", "/nonexistent/lockd.yaml"}, nil},
		"--lisen":               {{"--lisen=x"}, nil},
		`"now"`:                 {{"now"}, nil},
	} {
		if code, out, stderr := healthcheck(t, c[1], c[0]...); code != exitUsage || out != "" || !strings.Contains(stderr, say) {
			t.Errorf("healthcheck %v with %v exits %d and says %q, want 64 and %q", c[0], c[1], code, stderr, say)
		}
	}
}

// A probe that is ended ends.
func TestHealthcheckEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, err bytes.Buffer
	if code := run(ctx, nil, []string{"healthcheck", "--timeout", "1h"}, nil, &out, &err); code != 1 {
		t.Errorf("healthcheck under an ended context exits %d, want 1", code)
	}
}
