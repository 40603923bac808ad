package floor

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/test/redisproc"
)

// Everybody who asks is answered, in whatever company, and Redis was told what was asked for.
func TestFloor(t *testing.T) {
	server := redisproc.Start(t, redisproc.TCP())
	store := server.Client()
	defer store.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(server.Addr())
	defer s.Stop()
	go s.Serve(l)
	c, err := Open(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const id = "0123456789abcdef0123456789abcdef"
	askers := make([]*Asker, 100)
	var asking sync.WaitGroup
	for i := range askers {
		askers[i] = c.Asker(fmt.Sprintf("job/%d", i))
		asking.Go(func() {
			if err := askers[i].Acquire(id, time.Minute); err != nil {
				t.Error(err)
			}
		})
	}
	asking.Wait()
	if err := c.Renew(askers, id, time.Minute); err != nil {
		t.Error(err)
	}
	value, err := store.Get(t.Context(), "floor:{0}:lock:job/99").Result()
	if err != nil || !strings.HasPrefix(value, id+"|") {
		t.Errorf("the lock of job/99 = %q, %v", value, err)
	}
	if err := askers[99].Release(id); err != nil {
		t.Error(err)
	}
	if n, err := store.Exists(t.Context(), "floor:{0}:lock:job/99").Result(); err != nil || n != 0 {
		t.Errorf("job/99 is there after its release: %d, %v", n, err)
	}
	s.Stop()
	if err := askers[0].Release(id); err == nil {
		t.Error("a release is answered by a server that has been stopped")
	}
}

// The messages are lockd's, to the field.
func TestMessages(t *testing.T) {
	var asked lockdv1.SessionRequest
	b := ask(nil, 7, acquire, "job", "00ff", time.Minute)
	if err := proto.Unmarshal(ask(ask(b, 8, renew, "job", "00ff", time.Minute), 9, release, "job", "00ff", 0), &asked); err != nil {
		t.Fatal(err)
	}
	ops := asked.GetOperations()
	if len(ops) != 3 || ops[0].GetAcquire().GetOwner() != owner || ops[1].GetRenew().GetToken() != token || ops[2].GetRelease().GetLeaseId() != "00ff" || ops[2].GetId() != 9 {
		t.Errorf("asked for %v", ops)
	}
	var answered lockdv1.SessionResponse
	b = answer(nil, &operation{id: 7, kind: acquire, name: []byte("job")}, time.Unix(1, 2))
	if err := proto.Unmarshal(answer(b, &operation{id: 9, kind: release}, time.Time{}), &answered); err != nil {
		t.Fatal(err)
	}
	got := answered.GetAnswers()
	if len(got) != 2 || got[0].GetId() != 7 || got[0].GetAcquired().GetLease().GetName() != "job" || got[1].GetReleased().GetOutcome() != lockdv1.ReleaseResponse_HELD {
		t.Errorf("answered %v", got)
	}
}
