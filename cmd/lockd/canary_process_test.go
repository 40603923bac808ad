package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/test/redisproc"
)

// No secret that a setting leads to, and none that clients show, is where somebody else may read it: the log at its most
// talkative, the audit log, what is said of faults, the dump of a crash, the process listing.
func TestSecretsShowNowhere(t *testing.T) {
	r := redisproc.Start(t)
	admin := r.Client()
	defer admin.Close()
	if err := admin.ConfigSet(t.Context(), "requirepass", "canary-redis").Err(); err != nil {
		t.Fatal(err)
	}
	password, record := write(t, "password", "canary-redis\n"), filepath.Join(t.TempDir(), "audit")
	m := startMutual(t, "--log-level", "debug", "--audit-log", record, "--redis", r.URL(), "--redis-password-file", password)
	var said strings.Builder // a log keeps its end alone
	note := func() { said.WriteString(m.Log()) }
	for _, token := range []string{m.code, write(t, "wrong", "canary-unknown"), write(t, "jwt", "canary.canary.canary")} {
		_ = first(t, m.Addr(), "work/x", m.byToken(token)...)
		_ = first(t, m.Addr(), "nobodys/x", m.byToken(token)...)
		note()
	}
	c, err := lockd.Dial(m.Addr(), m.byCertificate())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	l, err := c.Acquire(t.Context(), "work/id")
	if err != nil {
		t.Fatal(err)
	}
	key := strings.Split(content(t, m.key), "\n")[1]
	for path, wrong := range map[string]string{
		password: "canary-other\n", m.tokens: "a canary-unhashed\n", m.key: strings.Replace(content(t, m.key), key[:8], "canary-k", 1),
	} {
		before := content(t, path)
		replace(t, path, wrong)
		hangUp(t, m.Server, "not reloaded")
		note()
		replace(t, path, before)
	}
	hangUp(t, m.Server, "msg=reloaded")
	listing := content(t, fmt.Sprintf("/proc/%d/cmdline", m.PID()))
	m.Signal(syscall.SIGQUIT)
	<-m.Exited()
	note()
	if dump := m.Log(); !strings.Contains(dump, "goroutine ") {
		t.Errorf("SIGQUIT has left no dump:\n%s", dump)
	}
	for what, text := range map[string]string{"the log and the dump": said.String(), "the audit log": content(t, record), "the process listing": listing} {
		for _, secret := range []string{"canary", "PRIVATE KEY", key, l.ID()} {
			if strings.Contains(text, secret) {
				t.Errorf("%s has %q in it", what, secret)
			}
		}
	}
}
