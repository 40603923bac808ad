package lockd

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

func (*stream) tellsPlace() bool { return true }

// acquire returns when there is an answer, when ctx ends, or when it is time to ask again: then lockd goes
// on with this attempt until the next one has taken its place over.
func (s *stream) acquire(ctx context.Context, ask *ask) (*lockdv1.AcquireResponse, error) {
	ask.reached = true
	slots := s.trying
	if ask.wait > 0 {
		slots = s.waiting
		ask.req.Wait = durationpb.New(ask.wait + ask.stands)
	}
	begun := time.Now()
	c, err := s.begin(ctx, 0, slots, acquireOperation(ask.req), sizeOfAcquire(ask.req))
	if err != nil {
		ask.undone = true
		return nil, err
	}
	timer := time.NewTimer(ask.reply)
	defer timer.Stop()
	var queued *lockdv1.Held
	for {
		select {
		case got := <-c.answers:
			if q := got.GetQueued(); q != nil {
				queued = q
				timer.Reset(max(0, ask.wait-time.Since(begun)))
				c.tell(ask, q)
				continue
			}
			return got.GetAcquired(), s.errorIn(got)
		case <-timer.C:
			fate := ask.fate()
			if !c.leave(fate.late) {
				continue // the answer is there
			}
			fate.stands(c)
			if queued != nil {
				return nil, &stillQueued{queued}
			}
			ask.mute = true
			s.unheard(begun)
			return nil, status.Errorf(codes.DeadlineExceeded, "no word for %s", ask.reply)
		case <-ctx.Done():
			// From here on it is lockd's to take back what it may have granted.
			ask.undone = c.giveUp(ask.fate().broken)
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}
}

// tell passes on that the call stands in line. It leaves the line if the caller's function panics.
func (c *call) tell(ask *ask, held *lockdv1.Held) {
	returned := false
	defer func() {
		if !returned {
			c.giveUp(ask.fate().broken)
		}
	}()
	ask.inLine(held)
	returned = true
}

func (s *stream) renew(ctx context.Context, req *lockdv1.RenewRequest) (*lockdv1.RenewResponse, error) {
	got, err := s.do(ctx, maxRenewal, renewOperation(req), overhead+len(req.GetName())+len(req.GetLeaseId()))
	return got.GetRenewed(), err
}

// releaseTry bounds one try of a release on a stream, so that one to a mute server gives way to another.
const releaseTry = time.Second

func (s *stream) release(ctx context.Context, req *lockdv1.ReleaseRequest) (*lockdv1.ReleaseResponse, error) {
	got, err := s.do(ctx, releaseTry, releaseOperation(req), overhead+len(req.GetName())+len(req.GetLeaseId()))
	return got.GetReleased(), err
}

// do sends an operation that has one answer and waits for it until ctx ends, and no longer than that.
func (s *stream) do(ctx context.Context, within time.Duration, op *lockdv1.Operation, size int) (answer, error) {
	begun := time.Now()
	c, err := s.begin(ctx, within, s.others, op, size)
	if err != nil {
		return answer{}, err
	}
	timer := time.NewTimer(within)
	defer timer.Stop()
	err = context.DeadlineExceeded
	select {
	case got := <-c.answers:
		return got, s.errorIn(got)
	case <-timer.C:
	case <-ctx.Done():
		err = ctx.Err()
	}
	c.leave(nil)
	if err == context.DeadlineExceeded {
		s.unheard(begun)
	}
	return answer{}, status.FromContextError(err).Err()
}

// unheard says that an operation of begun should have been answered by now. If nothing at all has come
// since, the stream may lead nowhere.
func (s *stream) unheard(begun time.Time) {
	if !s.heardSince(begun) {
		s.link.moveOn(s, isMute)
	}
}

// errorIn returns the error in an answer. One that speaks of the server, not of the request, is a reason
// to look for another server.
func (s *stream) errorIn(got answer) error {
	if got.err != nil {
		return got.err
	}
	e := got.GetError()
	switch {
	case e == nil && got.GetResult() == nil:
		return status.Error(codes.Internal, "lockd answered nothing that this client knows")
	case e == nil:
		return nil
	}
	switch e.GetReason() {
	case reasonDraining:
		s.drains()
	case reasonStore, reasonRefused, reasonOverloaded:
		s.link.moveOn(s, isRefusing)
	}
	return &operationError{e}
}

// operationError is an error that was answered on a stream.
type operationError struct{ wire *lockdv1.Error }

func (e *operationError) Error() string { return e.GRPCStatus().Err().Error() }

// GRPCStatus makes status.Code and its like work as for a unary call.
func (e *operationError) GRPCStatus() *status.Status {
	return status.New(codes.Code(e.wire.GetCode()), e.wire.GetMessage())
}

// stillQueued says that an acquisition stands in line, behind held.
type stillQueued struct{ held *lockdv1.Held }

func (*stillQueued) Error() string { return "it stands in line" }
