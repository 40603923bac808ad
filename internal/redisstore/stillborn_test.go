package redisstore

import (
	"errors"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/redisproc"
)

// However often Redis could not be reached, it is served from the moment it is back; and what could not be sent is
// known not to have been.
func TestARedisThatIsBackIsReachedAtOnce(t *testing.T) {
	t.Parallel()
	r := redisproc.Start(t)
	s := open(t, r.URL())
	r.Kill()
	for range 3 * poolSize {
		if _, err := s.Get(soon(t), lease.GetRequest{Name: "job"}); !errors.Is(err, lease.ErrUnavailable) || errors.Is(err, lease.ErrUnknown) {
			t.Fatalf("Get without redis = %v, want ErrUnavailable", err)
		}
	}
	r.Restart()
	began := time.Now()
	until(t, 5*time.Second, "redis is reached", func() bool {
		_, err := s.Get(soon(t), lease.GetRequest{Name: "job"})
		return err == nil
	})
	if took := time.Since(began); took > 500*time.Millisecond {
		t.Errorf("redis was reached %s after it was back, want at once", took)
	}
}
