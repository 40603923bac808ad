package rpc

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/lockd/lockd/internal/auth"
	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// What becomes of the operations of a session. Renew and Release do what the unary handlers do, answered in
// another way; Acquire differs from its handler only in that nobody waits for it.

// answer puts an operation's last answer on its way and reports whether there is a way.
func (x *session) answer(i item, rare *lockdv1.SessionResponse) bool {
	i.final = true
	return x.out.put(i, rare)
}

// refuse answers an operation with an error.
func (x *session) refuse(id uint64, err error) {
	refused := refusalOf(x.ctx, err).answer()
	x.answer(item{}, answering(&lockdv1.Answer{Id: id, Result: &lockdv1.Answer_Error{Error: refused}}))
}

// renewing is a renewal of a session. It implements lease.Renewer.
type renewing struct {
	session *session
	op      uint64
	req     *lockdv1.RenewRequest
	began   time.Time
	call    lease.Renewing
}

func (x *session) renew(calls *lease.Calls, op uint64, req *lockdv1.RenewRequest) error {
	ask, err := decodeRenew(req)
	if err == nil {
		ask.Principal, err = x.caller.May(auth.Acquire, ask.Name, x.began)
		ask.Own = &x.caller.Limits(x.began).Own
	}
	if err != nil {
		x.note(lockdv1.LeaseService_Renew_FullMethodName, req, x.began, err)
		return err
	}
	r := &renewing{session: x, op: op, req: req, began: x.began}
	calls.Renew(&r.call, ask, r)
	return nil
}

// Renewed implements lease.Renewer: the client is told should the lease be lost later on.
func (r *renewing) Renewed(renewed lease.Lease, err error) {
	x := r.session
	defer x.running.Done()
	x.settled()
	switch {
	case err == nil:
		x.answer(item{op: r.op, renewed: &renewed}, nil)
		x.holdOn(r.req.GetName(), lease.ID(r.req.GetLeaseId()), &renewed)
	case errors.Is(err, lease.ErrLost):
		x.letGo(r.req.GetName(), lease.ID(r.req.GetLeaseId()))
		fallthrough
	default:
		x.refuse(r.op, err)
	}
	x.note(lockdv1.LeaseService_Renew_FullMethodName, r.req, r.began, err)
}

// releasing is a release of a session. It implements lease.Releaser.
type releasing struct {
	session *session
	op      uint64 // 0: nobody waits for the answer
	req     *lockdv1.ReleaseRequest
	began   time.Time
	call    lease.Releasing
}

// release releases. From here on the next grant of the name is no loss.
func (x *session) release(calls *lease.Calls, op uint64, req *lockdv1.ReleaseRequest) error {
	x.letGo(req.GetName(), lease.ID(req.GetLeaseId()))
	r := &releasing{session: x, op: op, req: req, began: x.began}
	ask := decodeRelease(req)
	var err error
	if ask.Principal, err = x.caller.Check(x.began); err != nil {
		x.note(lockdv1.LeaseService_Release_FullMethodName, req, x.began, err)
		return err
	}
	calls.Release(&r.call, ask, r)
	return nil
}

// Released implements lease.Releaser.
func (r *releasing) Released(outcome lease.Outcome, err error) {
	x := r.session
	defer x.running.Done()
	x.settled()
	if err == nil {
		err = untold(x.caller, r.req.GetName(), outcome)
	}
	switch {
	case r.op == 0: // the Lessor repeats what failed
	case err == nil:
		x.answer(item{op: r.op, released: outcome}, nil)
	default:
		x.refuse(r.op, err)
	}
	x.note(lockdv1.LeaseService_Release_FullMethodName, r.req, r.began, err)
}

// acquiring is an acquisition of a session, from its request to its answer. It implements lease.Asker,
// and must be small: a client may have thousands in line.
type acquiring struct {
	session   *session
	op        uint64
	asking    *lease.Asking
	name      string
	id        lease.ID
	began     time.Time
	cancelled bool // by the client; guarded by session.mu
}

// acquire begins an acquisition.
func (x *session) acquire(calls *lease.Calls, op uint64, req *lockdv1.AcquireRequest) error {
	a := &acquiring{session: x, op: op, name: req.GetName(), id: lease.ID(req.GetLeaseId()), began: x.began}
	ask, err := decodeAcquire(req)
	if err == nil {
		ask.Principal, err = x.caller.May(auth.Acquire, ask.Name, x.began)
		ask.Own = &x.caller.Limits(x.began).Own
	}
	if err == nil {
		a.asking, err = x.service.lessor.Ask(ask, a)
	}
	if err != nil {
		a.note(err)
		return err
	}
	if !x.enter(a) {
		a.asking.Cancel(true)
		return errCancelled
	}
	calls.Acquire(a.asking)
	return nil
}

// enter notes an acquisition among those that can be cancelled, unless the session has ended.
func (x *session) enter(a *acquiring) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.ended {
		x.asking[a.op] = a
	}
	return !x.ended
}

// Asked implements lease.Asker.
func (a *acquiring) Asked() { a.session.settled() }

// Queued implements lease.Asker.
func (a *acquiring) Queued(held *lease.HeldError) {
	if caller := a.session.caller; caller != nil && !mayRead(caller, held.Holder.Name) {
		held = maskedHeld(held)
	}
	queued := &lockdv1.Answer{Id: a.op, Result: &lockdv1.Answer_Queued{Queued: encodeHeld(held)}}
	a.session.out.put(item{unhurried: true}, answering(queued))
}

// Answered implements lease.Asker.
func (a *acquiring) Answered(g lease.Grant, err error) {
	x := a.session
	defer x.running.Done()
	if err == nil {
		err = a.granted(g)
	} else {
		a.settled(nil)
	}
	if err == nil {
		a.noteGrant(&g.Lease)
		return
	}
	if errors.As(err, new(*auth.UnauthenticatedError)) {
		x.finish(err) // its client shows what it has by now on another stream, and asks again
	} else {
		err = masked(x.caller, err)
		x.refuse(a.op, err)
	}
	a.note(err)
}

// noteGrant is note for a grant, of which somebody may keep a record.
func (a *acquiring) noteGrant(granted *lease.Lease) {
	const method = lockdv1.LeaseService_Acquire_FullMethodName
	access, took := a.session.service.access, time.Since(a.began)
	access.meters.ended(method, codes.OK, took)
	if access.audit == nil && !access.readsAll() {
		return
	}
	a.session.noteCall(call{method: method, request: a, took: took, granted: granted})
}

// granted passes a grant on, unless its client has given it up or has gone.
func (a *acquiring) granted(g lease.Grant) error {
	x := a.session
	if _, err := x.caller.May(auth.Acquire, a.name, time.Now()); err != nil { // any more: it may have waited for minutes
		a.settled(nil)
		x.service.lessor.TakeBack(g)
		return err
	}
	h := &holding{session: x, name: a.name, id: a.id, token: g.Lease.Token, op: a.op}
	if a.settled(h) {
		// The cancellation came too late to be one: it is the client's word that it has no use for the lease.
		x.running.Go(func() { x.giveUp(a.name, a.id) }) // running is not at 0: this operation is counted
		return errCancelled
	}
	if !x.answer(item{op: a.op, grant: &g}, nil) {
		x.service.lessor.TakeBack(g)
		return nil
	}
	x.listen(h) // after the answer: news of a loss must not come before it
	if g.Lease.MaxHold > 0 {
		x.bound(&g.Lease)
	}
	return nil
}

// settled takes the acquisition out of those that can be cancelled and, in the same step, notes the
// lease it was granted, h, among those that a cancellation releases; unless it was cancelled before,
// which it reports.
func (a *acquiring) settled(h *holding) (cancelled bool) {
	x := a.session
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.asking, a.op)
	if h != nil && !a.cancelled && !x.ended {
		x.holdings.add(h)
	}
	return a.cancelled
}

func (a *acquiring) note(err error) {
	a.session.note(lockdv1.LeaseService_Acquire_FullMethodName, a, a.began, err)
}

// GetName and GetLeaseId let the access log see what it sees of a request.
func (a *acquiring) GetName() string    { return a.name }
func (a *acquiring) GetLeaseId() string { return string(a.id) } //nolint:revive // as protobuf spells it

// cancel gives an acquisition up: one under way leaves the line, one that was granted is released, and
// of one that was answered otherwise nothing is left. Which ids were used is not remembered, so that an id
// that was passed over counts as one that was answered.
func (x *session) cancel(op uint64) error {
	if op == 0 || op > x.last {
		return fmt.Errorf("%w: operation %d is cancelled, and there was none", errProtocol, op)
	}
	x.mu.Lock()
	a, h := x.asking[op], x.holdings.of(op)
	if a != nil {
		a.cancelled = true // should its answer be on its way already
	}
	giveUp := h != nil && !x.ended
	if giveUp {
		x.holdings.remove(h)
		x.running.Add(1)
	}
	x.mu.Unlock()
	switch {
	case giveUp:
		return x.startGivingUp(h)
	case h != nil, a == nil, !a.asking.Cancel(false):
		return nil
	}
	a.settled(nil)
	x.refuse(op, errCancelled)
	x.running.Done()
	a.note(errCancelled)
	return nil
}

// startGivingUp releases a lease whose acquisition was cancelled; that is counted in running.
func (x *session) startGivingUp(h *holding) error {
	calls := x.asked()
	if calls == nil {
		x.running.Go(func() { x.giveUp(h.name, h.id) })
		x.running.Done()
		return errCancelled
	}
	if err := x.release(calls, 0, &lockdv1.ReleaseRequest{Name: h.name, LeaseId: string(h.id)}); err != nil {
		x.settled()
		x.running.Done()
	}
	return nil
}

// giveUp is the same for who must not call the store.
func (x *session) giveUp(name string, id lease.ID) {
	req := &lockdv1.ReleaseRequest{Name: name, LeaseId: string(id)}
	began := time.Now()
	ask := decodeRelease(req)
	var err error
	if ask.Principal, err = x.caller.Check(began); err == nil {
		_, err = x.service.lessor.Release(ask)
	}
	x.note(lockdv1.LeaseService_Release_FullMethodName, req, began, err)
}

// takeBack gives grants back that gRPC has not taken.
func (x *session) takeBack(unsent ...*parcel) {
	for _, p := range unsent {
		for _, g := range p.grants {
			x.service.lessor.TakeBack(g)
		}
	}
}

// asUnary answers the unary call that means the same as op.
func asUnary(op *lockdv1.Operation) (method string, request any) {
	switch r := op.GetRequest().(type) {
	case *lockdv1.Operation_Acquire:
		return lockdv1.LeaseService_Acquire_FullMethodName, r.Acquire
	case *lockdv1.Operation_Renew:
		return lockdv1.LeaseService_Renew_FullMethodName, r.Renew
	case *lockdv1.Operation_Release:
		return lockdv1.LeaseService_Release_FullMethodName, r.Release
	}
	return lockdv1.LeaseService_Session_FullMethodName, nil
}
