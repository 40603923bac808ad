package redisproc_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lockd/lockd/test/redisproc"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(redisproc.Main{M: m})
}

func TestStartAnswersOnSocketAndPort(t *testing.T) {
	for _, s := range []*redisproc.Server{redisproc.Start(t), redisproc.Start(t, redisproc.TCP())} {
		if got := get(t, s, "nothing"); got != "" {
			t.Errorf("%s: GET nothing = %q, want empty", s.URL(), got)
		}
	}
}

func TestArgsReachTheServer(t *testing.T) {
	s := redisproc.Start(t, redisproc.Args("--maxmemory", "1mb"))
	c := s.Client()
	defer c.Close()
	got, err := c.ConfigGet(t.Context(), "maxmemory").Result()
	if err != nil || got["maxmemory"] != "1048576" {
		t.Errorf("CONFIG GET maxmemory = %v, %v, want 1048576", got, err)
	}
}

func TestAServerThatWantsAPasswordIsReady(t *testing.T) {
	redisproc.Start(t, redisproc.Args("--requirepass", "x"))
}

func TestRestartKeepsTheAddressAndForgetsTheData(t *testing.T) {
	s := redisproc.Start(t, redisproc.TCP())
	set(t, s, "k", "v")
	addr, pid := s.Addr(), s.PID()
	s.Stop()
	s.Restart()
	if s.Addr() != addr || s.PID() == pid {
		t.Errorf("after Restart: %s pid %d, want %s and another pid than %d", s.Addr(), s.PID(), addr, pid)
	}
	if got := get(t, s, "k"); got != "" {
		t.Errorf("GET k after a restart without persistence = %q, want empty", got)
	}
}

func TestKillWithAppendOnlyKeepsTheData(t *testing.T) {
	s := redisproc.Start(t, redisproc.Args("--appendonly", "yes", "--appendfsync", "always"))
	set(t, s, "k", "v")
	s.Kill()
	s.Restart()
	if got := get(t, s, "k"); got != "v" {
		t.Errorf("GET k = %q, want v", got)
	}
}

func TestAPausedServerIsMuteUntilResumed(t *testing.T) {
	s := redisproc.Start(t)
	c := s.Client()
	defer c.Close()
	if err := c.Ping(t.Context()).Err(); err != nil { // connects: the handshake would be mute as well
		t.Fatal(err)
	}
	s.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Set(ctx, "k", "v", 0).Err(); err == nil {
		t.Error("SET on a paused server = nil, want a time-out")
	}
	s.Resume()
	// The command had arrived: it runs although its caller gave up.
	if got := get(t, s, "k"); got != "v" {
		t.Errorf("GET k after Resume = %q, want v", got)
	}
}

func TestAStoppedServerIsGone(t *testing.T) {
	for name, end := range map[string]func(*redisproc.Server){"Stop": (*redisproc.Server).Stop, "Kill": (*redisproc.Server).Kill} {
		s := redisproc.Start(t)
		pid := s.PID()
		end(s)
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("%s: signalling pid %d = %v, want no such process", name, pid, err)
		}
	}
}

func TestSharedIsOneServerAndEmpty(t *testing.T) {
	first := redisproc.Shared(t)
	set(t, first, "k", "v")
	second := redisproc.Shared(t)
	if first != second {
		t.Errorf("Shared twice = %s and %s, want one server", first.Addr(), second.Addr())
	}
	if got := get(t, second, "k"); got != "" {
		t.Errorf("GET k = %q, want empty", got)
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	var s *redisproc.Server
	t.Run("inner", func(t *testing.T) { s = redisproc.Start(t) })
	if _, err := os.Stat(s.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("directory %s after the test: %v, want it gone", s.Dir(), err)
	}
	if err := syscall.Kill(s.PID(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("pid %d after the test: %v, want no such process", s.PID(), err)
	}
}

// fatalRecorder is a test that records being failed instead of failing.
type fatalRecorder struct {
	testing.TB
	fatal string
}

func (r *fatalRecorder) Fatal(args ...any) { r.fatal = args[0].(error).Error() }

func TestWithoutRedisServerTheTestFailsWithTheCommand(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	r := &fatalRecorder{TB: t}
	redisproc.Start(r)
	if !strings.Contains(r.fatal, "apt-get install -y redis-server") {
		t.Errorf("Start without redis-server failed with %q, want the command that installs it", r.fatal)
	}
}

func get(t *testing.T, s *redisproc.Server, key string) string {
	t.Helper()
	c := s.Client()
	defer c.Close()
	v, err := c.MGet(t.Context(), key).Result()
	if err != nil {
		t.Fatalf("GET %s: %v", key, err)
	}
	text, _ := v[0].(string)
	return text
}

func set(t *testing.T, s *redisproc.Server, key, value string) {
	t.Helper()
	c := s.Client()
	defer c.Close()
	if err := c.Set(t.Context(), key, value, 0).Err(); err != nil {
		t.Fatalf("SET %s: %v", key, err)
	}
}
