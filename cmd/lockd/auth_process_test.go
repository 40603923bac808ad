package main

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/test/certs"
	"github.com/lockd/lockd/test/lockdproc"
)

const (
	workerName = "spiffe://acme/team-a/worker"
	twoTeams   = `rules:
  - {who: "cert:spiffe://acme/team-a/*", may: [acquire, read], under: work}
  - {who: "cert:spiffe://acme/team-a/*", may: [acquire, read], under: held}
  - {who: "token:a", may: [acquire, read, watch], under: work}
  - {who: "token:a", may: [acquire], under: held}
  - {who: "token:b", may: [acquire, read, watch], under: team-b}
`
)

func tokenLine(name, token string) string {
	sum := sha256.Sum256([]byte(token))
	return name + " sha256:" + hex.EncodeToString(sum[:]) + "\n"
}

// mutual is a lockd that speaks TLS and asks who calls, and the files that it reads.
type mutual struct {
	*lockdproc.Server
	by                              *certs.Authority
	cert, key, ca, policy, tokens   string
	worker, workerKey, server, code string // files of clients: certificate, key, whom to trust, a token
}

func startMutual(t *testing.T, args ...string) *mutual {
	t.Helper()
	m := &mutual{by: certs.New(t)}
	server, worker := m.by.Sign(t, "lockd"), m.by.Sign(t, "worker", certs.Named(workerName))
	m.cert, m.key = write(t, "cert", content(t, server.Cert)), write(t, "key", content(t, server.Key))
	m.ca, m.server = write(t, "ca", content(t, m.by.CA)), write(t, "server-ca", content(t, m.by.CA))
	m.worker, m.workerKey = write(t, "worker", content(t, worker.Cert)), write(t, "worker-key", content(t, worker.Key))
	m.policy = write(t, "policy.yaml", twoTeams)
	m.tokens, m.code = write(t, "tokens", tokenLine("a", "canary-a")+tokenLine("b", "canary-b")), write(t, "token", "canary-a\n")
	m.Server = lockdproc.Start(t, append([]string{
		"--tls-cert", m.cert, "--tls-key", m.key, "--tls-client-ca", m.ca, "--token-file", m.tokens, "--policy", m.policy,
	}, args...)...)
	return m
}

// byCertificate has a client say who it is by its certificate.
func (m *mutual) byCertificate() lockd.DialOption {
	return lockd.WithTLS(lockd.TLSFiles{CA: m.server, Cert: m.worker, Key: m.workerKey})
}

// byToken by its token.
func (m *mutual) byToken(file string) []lockd.DialOption {
	return []lockd.DialOption{lockd.WithTLS(lockd.TLSFiles{CA: m.server}), lockd.WithTokenFile(file)}
}

// readAgain waits until what was replaced is in force, without a signal.
func (m *mutual) readAgain(t *testing.T, replace func()) {
	t.Helper()
	const line = "have been read again"
	before := strings.Count(m.Log(), line)
	replace()
	eventually(t, "files are read again", 20*time.Second, func() bool { return strings.Count(m.Log(), line) > before })
}

// first takes a lease, and answers why there is none.
func first(t *testing.T, addr, name string, opts ...lockd.DialOption) error {
	t.Helper()
	c, err := lockd.Dial(addr, append(opts, lockd.WithUnavailableFor(2*time.Second))...)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	l, err := c.TryAcquire(t.Context(), name)
	if err != nil {
		return err
	}
	return l.Release(t.Context())
}

// Who is known takes what the policy gives it; nobody else gets in, and is told why.
func TestWhoIsKnownGetsInOverTLS(t *testing.T) {
	m := startMutual(t, "--log-level", "debug")
	tls := func(f lockd.TLSFiles) lockd.DialOption { f.CA = m.server; return lockd.WithTLS(f) }
	sign := func(by *certs.Authority, opts ...certs.Option) lockd.DialOption {
		pair := by.Sign(t, "x", opts...)
		return tls(lockd.TLSFiles{Cert: pair.Cert, Key: pair.Key})
	}
	if err := first(t, m.Addr(), "work/x", m.byCertificate()); err != nil {
		t.Errorf("with a certificate: %v", err)
	}
	if err := first(t, m.Addr(), "work/x", m.byToken(m.code)...); err != nil {
		t.Errorf("with a token: %v", err)
	}
	past := certs.Between(time.Now().Add(-time.Hour), time.Now().Add(-time.Minute))
	for because, opts := range map[string][]lockd.DialOption{
		"nothing says who calls":             {tls(lockd.TLSFiles{})},
		"no authority that is trusted here":  {sign(certs.New(t), certs.Named(workerName))},
		"the client certificate expired":     {sign(m.by, certs.Named(workerName), past)},
		`has no right to acquire "work/x"`:   {sign(m.by, certs.Named("spiffe://acme/team-b/worker"))},
		"the bearer token is not known here": m.byToken(write(t, "token", "wrong")),
	} {
		if err := first(t, m.Addr(), "work/x", opts...); !errors.Is(err, lockd.ErrDenied) || !strings.Contains(err.Error(), because) {
			t.Errorf("%v, want denied because %q", err, because)
		}
	}
	for because, opts := range map[string][]lockd.DialOption{
		"certificate signed by unknown authority": {lockd.WithTLS(lockd.TLSFiles{CA: certs.New(t).CA})},
		"not other.internal":                      {tls(lockd.TLSFiles{ServerName: "other.internal"})},
		"cannot connect":                          nil, // plaintext
	} {
		if err := first(t, m.Addr(), "work/x", opts...); !errors.Is(err, lockd.ErrUnavailable) || !strings.Contains(err.Error(), because) {
			t.Errorf("%v, want that there is no connection because %q", err, because)
		}
	}
	if log := m.Log(); strings.Contains(log, "canary") || strings.Contains(log, "PRIVATE KEY") {
		t.Error("the log shows a secret")
	}
}

// TLS 1.3 and no less, for gRPC and HTTP alike, by one certificate; probes need no identity.
func TestBothListenersSpeakTLS13(t *testing.T) {
	m := startMutual(t)
	trusts := m.by.Config(t, m.by.Sign(t, "probe"))
	old := trusts.Clone()
	old.MaxVersion = tls.VersionTLS12
	for _, addr := range []string{m.Addr(), m.HTTP()} {
		if conn, err := tls.Dial("tcp", addr, old); err == nil {
			_ = conn.Close()
			t.Errorf("%s speaks TLS 1.2, want 1.3 at least", addr)
		}
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusts.RootCAs}}}
	defer client.CloseIdleConnections()
	reply, err := client.Get("https://" + m.HTTP() + "/readyz")
	if err != nil || reply.StatusCode != http.StatusOK {
		t.Fatalf("readyz = %v, %v, want 200", reply, err)
	}
	_ = reply.Body.Close()
	for args, want := range map[string]int{"--tls-cert=" + m.cert: 0, "": 1} {
		line := []string{"--listen", m.Addr(), "--http", m.HTTP()}
		if args != "" {
			line = append(line, args)
		}
		if code, _, stderr := healthcheck(t, nil, line...); code != want {
			t.Errorf("healthcheck %v exits %d: %s, want %d", line, code, stderr, want)
		}
	}
}

// In a list of servers each proves that it is the one that was dialled.
func TestEachServerOfAListHasItsOwnName(t *testing.T) {
	by := certs.New(t)
	var list []string
	for _, host := range []string{"localhost", "127.0.0.1"} {
		name := certs.Named("localhost")
		if host != "localhost" {
			name = certs.IP(host)
		}
		pair := by.Sign(t, "lockd", name)
		s := lockdproc.Start(t, "--tls-cert", pair.Cert, "--tls-key", pair.Key)
		list = append(list, strings.Replace(s.Addr(), "127.0.0.1", host, 1))
	}
	trust := lockd.WithTLS(lockd.TLSFiles{CA: by.CA})
	for _, addr := range append(list, list[0]+","+list[1], list[1]+","+list[0]) {
		if err := first(t, addr, "x", trust); err != nil {
			t.Errorf("%s: %v", addr, err)
		}
	}
	wrong := strings.Replace(list[0], "localhost", "127.0.0.1", 1)
	if err := first(t, wrong, "x", trust); err == nil {
		t.Errorf("%s has proven to be what it is not", wrong)
	}
}

// Clients at work notice nothing while everything that lets them in is replaced: lockd's certificate, who signs it and theirs,
// their own certificate, their token, the policy. What was good before is not any more.
func TestClientsNoticeNothingOfNewCertificatesTokensAndPolicy(t *testing.T) {
	m := startMutual(t)
	byCert, byToken := startWork(t, m.Addr(), m.byCertificate()), startWork(t, m.Addr(), append(m.byToken(m.code), lockd.WithOwner("second"))...)
	goOn := func() { byCert.goesOn(t); byToken.goesOn(t) }
	next := certs.New(t)
	both := content(t, m.by.CA) + content(t, next.CA)
	server, worker := next.Sign(t, "lockd"), next.Sign(t, "worker", certs.Named(workerName))
	old := write(t, "old-token", "canary-a")
	oldCert := lockd.WithTLS(lockd.TLSFiles{CA: m.server, Cert: write(t, "old", content(t, m.worker)), Key: write(t, "old-key", content(t, m.workerKey))})

	replace(t, m.server, both) // clients trust both from their next connection on
	m.readAgain(t, func() { replace(t, m.ca, both) })
	m.readAgain(t, func() { replace(t, m.cert, content(t, server.Cert)); replace(t, m.key, content(t, server.Key)) })
	goOn()
	replace(t, m.worker, content(t, worker.Cert))
	replace(t, m.workerKey, content(t, worker.Key))
	m.readAgain(t, func() { replace(t, m.ca, content(t, next.CA)) }) // which cuts those off that stand
	goOn()
	replace(t, m.server, content(t, next.CA))
	if err := first(t, m.Addr(), "work/x", oldCert); !errors.Is(err, lockd.ErrDenied) {
		t.Errorf("with the old certificate: %v, want denied", err)
	}

	m.readAgain(t, func() {
		replace(t, m.tokens, tokenLine("a", "canary-a")+tokenLine("a", "canary-new")+tokenLine("b", "canary-b"))
	})
	replace(t, m.code, "canary-new\n")
	m.readAgain(t, func() { replace(t, m.tokens, tokenLine("a", "canary-new")+tokenLine("b", "canary-b")) })
	goOn()
	if err := first(t, m.Addr(), "work/x", m.byToken(old)...); !errors.Is(err, lockd.ErrDenied) {
		t.Errorf("with the old token: %v, want denied", err)
	}

	m.readAgain(t, func() { replace(t, m.policy, twoTeams+"  - {who: token:c, may: read, under: x}\n") })
	goOn()
	byCert.end(t)
	byToken.end(t)
	if log := m.Log(); strings.Contains(log, "canary") || strings.Contains(log, "PRIVATE KEY") {
		t.Error("the log shows a secret")
	}
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", m.PID()))
	if err != nil || strings.Contains(string(cmdline), "canary") {
		t.Errorf("the process listing shows a secret, or cannot be read: %v", err)
	}
}

// Whatever is wrong with a file, by a signal or found, changes nothing; the log says what, and what would be right.
func TestWrongFilesChangeNothing(t *testing.T) {
	m := startMutual(t)
	late := m.by.Sign(t, "late", certs.Between(time.Now().Add(-time.Hour), time.Now().Add(-time.Minute)))
	other := m.by.Sign(t, "other")
	for _, c := range []struct{ path, text, want string }{
		{m.policy, "rules: [", "not valid YAML"},
		{m.policy, twoTeams + "  - {who: token:a, may: fly, under: x}\n", `there is no verb \"fly\"`},
		{m.policy, twoTeams + "  - {who: token:b, may: read, under: team-b/x}\n", "rules add up"},
		{m.tokens, "a canary-plain", "no hash"},
		{m.cert, content(t, late.Cert), "tls-key"},
		{m.key, content(t, other.Key), "private key does not match"},
		{m.ca, "nothing", "has no certificate in it"},
	} {
		before := content(t, c.path)
		replace(t, c.path, c.text)
		hangUp(t, m.Server, `msg="not reloaded, nothing has changed"`)
		if !strings.Contains(m.Log(), c.want) {
			t.Errorf("%s: the log does not say %q", c.text, c.want)
		}
		if err := first(t, m.Addr(), "work/x", m.byToken(m.code)...); err != nil {
			t.Errorf("%s: %v, want that lockd serves as before", c.text, err)
		}
		replace(t, c.path, before)
		hangUp(t, m.Server, "msg=reloaded")
	}
	for _, c := range []struct {
		path string
		mode os.FileMode
		want string
	}{{m.tokens, 0o644, "may be read by others"}, {m.key, 0o644, "may be read by others"}, {m.policy, 0o666, "may be written by others"}} {
		if err := os.Chmod(c.path, c.mode); err != nil {
			t.Fatal(err)
		}
		hangUp(t, m.Server, c.path+" "+c.want)
		if err := os.Chmod(c.path, 0o600); err != nil {
			t.Fatal(err)
		}
		hangUp(t, m.Server, "msg=reloaded")
	}
	// Without a signal a fault is said once, not with every look.
	count := func() int { return strings.Count(m.Log(), "not reloaded") }
	said := count()
	replace(t, m.policy, "rules: {")
	eventually(t, "the fault is said", 20*time.Second, func() bool { return count() > said })
	m.readAgain(t, func() { replace(t, m.policy, twoTeams+"# mended\n") })
	if n := count() - said; n != 1 {
		t.Errorf("the fault is said %d times, want once", n)
	}
	m.Signal(syscall.SIGTERM)
	if strings.Contains(m.Log(), "canary") {
		t.Error("the log shows a secret")
	}
}

// What cannot be, and what would send secrets readable, is refused at the start.
func TestWhatDoesNotFitIsRefusedAtTheStart(t *testing.T) {
	by := certs.New(t)
	pair := by.Sign(t, "lockd")
	tokens, policy := write(t, "tokens", ""), write(t, "policy", "rules: []")
	for want, args := range map[string][]string{
		"want both or neither":                            {"--tls-cert", pair.Cert},
		"tls-client-ca is set and tls-cert":               {"--tls-client-ca", by.CA, "--policy", policy},
		"want policy":                                     {"--token-file", tokens},
		"read clients' tokens; want tls-cert and tls-key": {"--token-file", tokens, "--policy", policy, "--listen", "0.0.0.0:1", "--insecure"},
		"tls-cert and tls-key, or --insecure":             {"--listen", "0.0.0.0:1"},
	} {
		if code, _, stderr := check(nil, args...); code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("lockd %v exits %d and says %q, want 64 and %q", args, code, stderr, want)
		}
	}
	if code, _, stderr := check(nil, "--tls-cert", pair.Cert, "--tls-key", pair.Key, "--listen", "0.0.0.0:1"); code != 0 {
		t.Errorf("TLS beyond loopback exits %d: %s, want 0", code, stderr)
	}
}
