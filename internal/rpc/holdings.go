package rpc

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lockd/lockd/internal/auth"
	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// maxHoldings bounds the leases a session is told of. Beyond it one is forgotten for each new one:
// its client learns of a loss at the next renewal, and cancelling its acquisition does not release it.
const maxHoldings = 100_000

// holding is a lease that the client of a session is thought to have.
type holding struct {
	name  string
	token lease.Token
	id    lease.ID // "" if resumed and not yet renewed here
	op    uint64   // the acquisition that it answered; 0 if none here

	session *session
	ear     lease.Listener // for its loss
	listens bool           // with ear; guarded by session.mu
	end     *ending        // of its longest hold; nil: none is known
}

// Lost implements lease.Holder.
func (h *holding) Lost(why lease.Loss) { h.session.lose(h, why) }

// Requested implements lease.Holder.
func (h *holding) Requested(e lease.Event) {
	if !h.session.tells(h) {
		return
	}
	asked := &lockdv1.ReleaseRequested{Name: h.name, Token: int64(h.token), By: e.By, Reason: e.Reason}
	if e.ForceIn > 0 {
		asked.ForceIn = durationpb.New(e.ForceIn)
	}
	h.session.out.put(item{}, &lockdv1.SessionResponse{ReleaseRequested: []*lockdv1.ReleaseRequested{asked}})
}

// holdings are the leases of a session: from a grant, a renewal or a resumption until a release or a loss. A
// name has one lease, so it has one holding. They are guarded by session.mu.
type holdings struct {
	byName map[string]*holding
	byOp   map[uint64]*holding // those that a cancellation would release
	stop   func(*holding)      // no listening for its loss any more
}

func newHoldings(stop func(*holding)) holdings {
	return holdings{byName: make(map[string]*holding), byOp: make(map[uint64]*holding), stop: stop}
}

// of answers what an acquisition was granted, nil if that has ended.
func (s *holdings) of(op uint64) *holding { return s.byOp[op] }

// add notes h and answers the holding to listen for: nil if that has begun, or if h is an older lease
// than the one known.
func (s *holdings) add(h *holding) *holding {
	known := s.byName[h.name]
	switch {
	case known == nil:
	case known.token > h.token:
		return nil
	case known.token == h.token:
		if h.id != "" { // a resumption knows none, and must not take it away
			known.id = h.id
		}
		if h.op != 0 {
			delete(s.byOp, known.op)
			known.op = h.op
			s.byOp[h.op] = known
		}
		return nil
	default:
		s.remove(known)
	}
	if len(s.byName) >= maxHoldings {
		for _, any := range s.byName {
			s.remove(any)
			break
		}
	}
	s.byName[h.name] = h
	if h.op != 0 {
		s.byOp[h.op] = h
	}
	return h
}

// remove forgets h, which must be known.
func (s *holdings) remove(h *holding) {
	delete(s.byName, h.name)
	delete(s.byOp, h.op)
	if h.end != nil {
		h.end.timer.Stop()
	}
	if h.listens {
		s.stop(h)
		h.listens = false
	}
}

// clear forgets everything.
func (s *holdings) clear() {
	for _, h := range s.byName {
		s.remove(h)
	}
}

// resume notes a lease that was granted elsewhere.
func (x *session) resume(r *lockdv1.Resumed) error {
	if err := lease.CheckName(r.GetName()); err != nil {
		return invalid("resumed", "name: %s", err)
	}
	token := lease.Token(r.GetToken())
	if token <= 0 || token >= lease.MaxToken {
		return invalid("resumed", "token is %d; want more than 0 and less than 2^53", token)
	}
	if x.mayHear(r.GetName()) {
		x.hold(&holding{session: x, name: r.GetName(), token: token})
	}
	return nil
}

// tells reports whether the client is told what becomes of h: it was seen to have it, or may hear of it still.
func (x *session) tells(h *holding) bool {
	x.mu.Lock()
	claimed := h.id == ""
	x.mu.Unlock()
	return !claimed || x.mayHear(h.name)
}

// mayHear reports whether the client may be told what becomes of a lease that it only says it has.
func (x *session) mayHear(name string) bool {
	_, err := x.caller.May(auth.Acquire, name, time.Now())
	return err == nil || mayRead(x.caller, name)
}

// hold notes a lease and listens for its loss.
func (x *session) hold(h *holding) {
	x.mu.Lock()
	if x.ended {
		x.mu.Unlock()
		return
	}
	h = x.holdings.add(h)
	x.mu.Unlock()
	if h != nil {
		x.listen(h)
	}
}

// holdOn is hold for a lease that was renewed, which nearly always is known.
func (x *session) holdOn(name string, id lease.ID, renewed *lease.Lease) {
	x.mu.Lock()
	known := x.holdings.byName[name]
	same := known != nil && known.token == renewed.Token
	if same {
		known.id = id
		known.boundLocked(renewed)
	}
	x.mu.Unlock()
	if !same {
		x.hold(&holding{session: x, name: name, id: id, token: renewed.Token})
		x.bound(renewed)
	}
}

// listen has the client told when h, which has just been added, is lost.
func (x *session) listen(h *holding) {
	x.service.lessor.Listen(&h.ear, h.name, h.token, h)
	x.mu.Lock()
	defer x.mu.Unlock()
	if h.listens = x.holdings.byName[h.name] == h; !h.listens { // it has ended meanwhile
		x.holdings.stop(h)
	}
}

// lose tells the client that h is gone.
func (x *session) lose(h *holding, why lease.Loss) {
	x.mu.Lock()
	known := x.holdings.byName[h.name] == h
	if known {
		x.holdings.remove(h)
	}
	x.mu.Unlock()
	if known && x.tells(h) {
		lost := &lockdv1.Lost{Name: h.name, Token: int64(h.token), Loss: encodeLoss(why)}
		x.out.put(item{}, &lockdv1.SessionResponse{Lost: []*lockdv1.Lost{lost}})
	}
}

// letGo forgets a lease that its client releases or has lost.
func (x *session) letGo(name string, id lease.ID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if h := x.holdings.byName[name]; h != nil && (h.id == "" || h.id == id) {
		x.holdings.remove(h)
	}
}
