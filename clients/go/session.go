package lockd

import (
	"cmp"
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

func (*stream) tellsPlace() bool { return true }

// acquire returns when there is an answer, when the caller's context ends, or when it is time to ask again: then
// lockd goes on with this attempt until the next one has taken its place over.
func (s *stream) acquire(a *acquisition) (terms, error) {
	t := &a.attempt
	t.reached = true
	c := &call{slots: s.trying, name: a.name, owner: a.client.owner, until: closing}
	if t.patience > 0 {
		c.slots = s.waiting
	}
	if !slot(c.slots) {
		if err := s.awaitSlot(a.asking(), c.slots); err != nil {
			t.undone = true
			return terms{}, err
		}
	}
	var err error
	if t.sent, err = s.begin(c, a, t.reply); err != nil {
		t.undone = true
		return terms{}, err
	}
	var queued *lockdv1.Held
	for {
		switch c.next(a.caller.Done()) {
		case answered:
			t.came = c.final.came
			return c.final.terms, s.errorIn(&c.final)
		case inLine:
			queued = c.stood(max(0, t.patience-time.Since(t.sent.mono)))
			c.tell(a, queued)
		case overdue:
			fate := a.fateOf()
			if !c.leave(lateAnswer{fate}) {
				continue // the answer is there
			}
			fate.stands(c)
			if queued != nil {
				return terms{}, &stillQueued{queued}
			}
			t.mute = true
			s.unheard(t.sent.mono)
			return terms{}, status.Errorf(codes.DeadlineExceeded, "no word for %s", time.Since(t.sent.mono).Round(time.Millisecond))
		case cancelled:
			// From here on it is lockd's to take back what it may have granted.
			t.undone = c.giveUp(brokenAnswer{a.fateOf()})
			return terms{}, status.FromContextError(a.ended()).Err()
		}
	}
}

// tell passes on that the call stands in line. It leaves the line if the caller's function panics.
func (c *call) tell(a *acquisition, held *lockdv1.Held) {
	returned := false
	defer func() {
		if !returned {
			c.giveUp(brokenAnswer{a.fateOf()})
		}
	}()
	a.standsInLine(held)
	returned = true
}

func (s *stream) renew(ctx context.Context, l *Lease) (terms, error) {
	c := &call{name: l.name, owner: l.owner}
	if err := s.do(ctx, c, renewing{l}, maxRenewal); err != nil {
		return terms{}, err // the answer may come yet
	}
	return c.final.terms, nil
}

// releaseTry bounds one try of a release on a stream, so that one to a mute server gives way to another.
const releaseTry = time.Second

func (s *stream) release(ctx context.Context, name, id string) (lockdv1.ReleaseResponse_Outcome, error) {
	var one struct { // in one piece: it is half of all that a busy client does
		call
		releasing
	}
	one.releasing = releasing{name, id}
	if err := s.do(ctx, &one.call, &one.releasing, releaseTry); err != nil {
		return 0, err // the answer may come yet
	}
	return one.final.outcome, nil
}

// do sends an operation that has one answer and waits for it until ctx ends, and no longer than that.
func (s *stream) do(ctx context.Context, c *call, op operation, within time.Duration) error {
	c.slots, c.until = s.others, abandoned
	if !slot(c.slots) {
		ctx, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		if err := s.awaitSlot(ctx, c.slots); err != nil {
			return err
		}
	}
	sent, err := s.begin(c, op, within)
	if err != nil {
		return err
	}
	err = context.DeadlineExceeded
	switch c.next(ctx.Done()) {
	case answered:
		return s.errorIn(&c.final)
	case cancelled:
		err = cmp.Or(ctx.Err(), context.Canceled)
	}
	c.leave(nil)
	if err == context.DeadlineExceeded {
		s.unheard(sent.mono)
	}
	return status.FromContextError(err).Err()
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
func (s *stream) errorIn(got *answer) error {
	if got.err != nil {
		return got.err
	}
	e := got.rest.GetError()
	switch {
	case got.kind == 0 || got.rest != nil && got.rest.GetResult() == nil:
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
