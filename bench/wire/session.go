// Package wire speaks lockd's Session bare, one message at a time: for measuring what a stream costs, and
// for standing in line ten thousand times.
package wire

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// Session is one stream. One goroutine uses it; it must read what it is answered.
type Session struct {
	conn   *grpc.ClientConn
	stream grpc.BidiStreamingClient[lockdv1.SessionRequest, lockdv1.SessionResponse]
	cancel context.CancelFunc
	last   uint64
	unread []*lockdv1.Answer
}

// Open begins a session with the lockd at addr.
func Open(addr string) (*Session, error) {
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Session{conn: conn, cancel: cancel}
	if s.stream, err = lockdv1.NewLeaseServiceClient(conn).Session(ctx, grpc.WaitForReady(true)); err == nil {
		err = s.stream.Send(&lockdv1.SessionRequest{Hello: &lockdv1.Hello{Client: "bench"}})
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close ends the stream and the connection.
func (s *Session) Close() {
	s.cancel()
	_ = s.conn.Close() // it fails only when called twice
}

// Conn is the connection.
func (s *Session) Conn() *grpc.ClientConn { return s.conn }

// Acquire begins acquisitions in one message and returns their ids.
func (s *Session) Acquire(requests ...*lockdv1.AcquireRequest) ([]uint64, error) {
	m := &lockdv1.SessionRequest{}
	var ids []uint64
	for _, r := range requests {
		s.last++
		ids = append(ids, s.last)
		m.Operations = append(m.Operations, &lockdv1.Operation{Id: s.last, Request: &lockdv1.Operation_Acquire{Acquire: r}})
	}
	return ids, s.stream.Send(m)
}

// Release gives a lease back.
func (s *Session) Release(name, leaseID string) (uint64, error) {
	s.last++
	return s.last, s.stream.Send(&lockdv1.SessionRequest{Operations: []*lockdv1.Operation{{
		Id: s.last, Request: &lockdv1.Operation_Release{Release: &lockdv1.ReleaseRequest{Name: name, LeaseId: leaseID}},
	}}})
}

// Cancel gives an acquisition up.
func (s *Session) Cancel(id uint64) error {
	return s.stream.Send(&lockdv1.SessionRequest{Cancels: []uint64{id}})
}

// Next returns the next answer.
func (s *Session) Next() (*lockdv1.Answer, error) {
	for len(s.unread) == 0 {
		m, err := s.stream.Recv()
		if err != nil {
			return nil, err
		}
		s.unread = m.GetAnswers()
	}
	a := s.unread[0]
	s.unread = s.unread[1:]
	return a, nil
}

// Await reads answers until ok says that it has seen enough. An error that is answered ends it, too.
func (s *Session) Await(ok func(*lockdv1.Answer) bool) error {
	for {
		a, err := s.Next()
		if err != nil {
			return err
		}
		if e := a.GetError(); e != nil {
			return fmt.Errorf("operation %d: %s: %s", a.GetId(), e.GetReason(), e.GetMessage())
		}
		if ok(a) {
			return nil
		}
	}
}

// Null sends an acquisition that lockd refuses without asking its store, since its name is empty, and
// reads the refusal: one round trip of a stream.
func (s *Session) Null() error {
	if _, err := s.Acquire(&lockdv1.AcquireRequest{LeaseId: NewLeaseID(), Attempt: 1}); err != nil {
		return err
	}
	a, err := s.Next()
	if err == nil && a.GetError().GetReason() != "INVALID_ARGUMENT" {
		err = fmt.Errorf("an acquisition of nothing was answered %v", a)
	}
	return err
}

// Want is a request that waits.
func Want(name, leaseID string) *lockdv1.AcquireRequest {
	return &lockdv1.AcquireRequest{
		Name: name, LeaseId: leaseID, Attempt: 1, Owner: "bench",
		Ttl: durationpb.New(time.Minute), Wait: durationpb.New(5 * time.Minute),
	}
}

// NewLeaseID returns 128 random bits in hex.
func NewLeaseID() string {
	var bits [16]byte
	_, _ = rand.Read(bits[:]) // it never fails
	return hex.EncodeToString(bits[:])
}
