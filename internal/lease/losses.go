package lease

import "sync"

// maxRemembered is how many forced ends are remembered, so that a renewal that comes later is told why.
const maxRemembered = 1024

// losses tells holders that their lease is gone, and why. It is a hint: a renewal finds out for sure.
type losses struct {
	mu         sync.Mutex
	listening  map[string][]*listener // by name
	remembered map[grantOf]Loss
	order      []grantOf        // of remembered, oldest first
	underWay   map[grantOf]Loss // forces that are being tried here
}

// listener is a holder that wants to be told.
type listener struct {
	token Token
	tell  func(Loss)
}

// grantOf names one lease.
type grantOf struct {
	name  string
	token Token
}

func newLosses() *losses {
	return &losses{listening: make(map[string][]*listener), remembered: make(map[grantOf]Loss), underWay: make(map[grantOf]Loss)}
}

// Listen has tell called, at most once, if the lease with this token is known to have ended while its
// holder believed in it: by force, or because the name was granted to another. A force that was heard of
// before is told at once, before Listen returns. stop ends that; call it when the lease ends otherwise.
// tell must not block, nor call the Lessor.
func (l *Lessor) Listen(name string, token Token, tell func(Loss)) (stop func()) {
	return l.losses.listen(name, &listener{token, tell})
}

func (x *losses) listen(name string, one *listener) (stop func()) {
	x.mu.Lock()
	loss, forced := x.remembered[grantOf{name, one.token}]
	if !forced {
		x.listening[name] = append(x.listening[name], one)
	}
	x.mu.Unlock()
	if forced {
		one.tell(loss)
	}
	return func() { x.forget(name, func(l *listener) bool { return l == one }) }
}

// forget takes those that match out and answers them.
func (x *losses) forget(name string, match func(*listener) bool) (gone []*listener) {
	x.mu.Lock()
	defer x.mu.Unlock()
	var stay []*listener
	for _, l := range x.listening[name] {
		if match(l) {
			gone = append(gone, l)
		} else {
			stay = append(stay, l)
		}
	}
	if len(stay) == 0 {
		delete(x.listening, name)
	} else {
		x.listening[name] = stay
	}
	return gone
}

// forced is told of a lease that was ended by force.
func (x *losses) forced(e Event) {
	loss := Loss{Cause: CauseForced, By: e.By, Reason: e.Reason}
	x.remember(grantOf{e.Name, e.Token}, loss)
	for _, l := range x.forget(e.Name, func(l *listener) bool { return l.token == e.Token }) {
		l.tell(loss)
	}
}

// granted is told of a grant that was made here: whoever holds an older one has lost it.
func (x *losses) granted(lease Lease) {
	older := func(l *listener) bool { return l.token < lease.Token }
	for _, l := range x.forget(lease.Name, older) {
		l.tell(x.whyGranted(grantOf{lease.Name, l.token}))
	}
}

// whyGranted answers why a lease is over whose name has been granted to another.
func (x *losses) whyGranted(of grantOf) Loss {
	x.mu.Lock()
	defer x.mu.Unlock()
	if loss, forced := x.underWay[of]; forced {
		return loss
	}
	if loss, forced := x.remembered[of]; forced {
		return loss
	}
	return Loss{Cause: CauseGrantedToAnother}
}

// forcing is told of a force that is about to be tried; done, of its end.
func (x *losses) forcing(r ForceRequest) (done func()) {
	of := grantOf{r.Name, r.Token}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.underWay[of] = Loss{Cause: CauseForced, By: r.By, Reason: r.Reason}
	return func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		delete(x.underWay, of)
	}
}

func (x *losses) remember(of grantOf, loss Loss) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, known := x.remembered[of]; !known {
		x.order = append(x.order, of)
	}
	x.remembered[of] = loss
	if len(x.order) > maxRemembered {
		delete(x.remembered, x.order[0])
		x.order = x.order[1:]
	}
}

// of answers why a lease ended, if that is known. token 0 is none.
func (x *losses) of(name string, token Token) (Loss, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	loss, known := x.remembered[grantOf{name, token}]
	return loss, known
}
