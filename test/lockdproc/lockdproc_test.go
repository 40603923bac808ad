package lockdproc_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/test/lockdproc"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(lockdproc.Main{M: m})
}

func TestServesUntilStoppedAndAgainAfterRestart(t *testing.T) {
	s := lockdproc.Start(t)
	first := instance(t, s)
	addr := s.Addr()
	s.Stop()
	if got := s.ExitCode(); got != 0 {
		t.Errorf("exit code after SIGTERM = %d, want 0", got)
	}
	s.Restart()
	if second := instance(t, s); s.Addr() != addr || second == first {
		t.Errorf("after Restart: instance %s at %s, want another instance at %s", second, s.Addr(), addr)
	}
	s.Kill()
	if got := s.ExitCode(); got != -1 {
		t.Errorf("exit code after SIGKILL = %d, want -1", got)
	}
}

func TestAnswersHTTPAndTakesArguments(t *testing.T) {
	t.Setenv("LOCKD_LISTEN", "nonsense") // is kept from lockd
	s := lockdproc.Start(t, "--log-format", "console", "--default-ttl", "10s")
	resp, err := http.Get("http://" + s.HTTP() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("GET /healthz = %s, want 200", resp.Status)
	}
	if !strings.Contains(s.Log(), "msg=serving") {
		t.Errorf("log = %q, want the line that says it serves", s.Log())
	}
}

// instance asks lockd who it is.
func instance(t *testing.T, s *lockdproc.Server) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	status, err := lockdv1.NewAdminServiceClient(lockdproc.Conn(t, s.Addr())).Status(ctx, &lockdv1.StatusRequest{}, grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	return status.GetInstance()
}
