package lease

// How many cleanups there may be; at half of MaxUndos no acquisition is taken on.
const (
	MaxUndos    = maxUndos
	MaxReleases = maxReleases
)

// SetPending makes it look as though so many more cleanups were under way: the race detector cannot
// watch as many goroutines as they would be. It returns what undoes that.
func (l *Lessor) SetPending(undos, releases int64) (restore func()) {
	add := func(sign int64) {
		l.cleanup.undos.Add(sign * undos)
		l.cleanup.releases.Add(sign * releases)
	}
	add(1)
	return func() { add(-1) }
}

// MaxAsking is how many acquisitions may be under way.
const MaxAsking = maxAsking

// Crowd makes it look as though so many more acquisitions were under way. It returns what undoes that.
func (l *Lessor) Crowd(n int) (restore func()) {
	var crowd []*Asking
	for range n {
		a := new(Asking)
		crowd = append(crowd, a)
		_ = l.lobby.enter(a)
	}
	return func() {
		for _, a := range crowd {
			l.lobby.leave(a)
		}
	}
}

// MaxRemembered is how many forced ends are remembered.
const MaxRemembered = maxRemembered

// OutOfTime is what a does at the end of its wait, up to where its last call begins; Run goes on.
func (a *Asking) OutOfTime() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.timer.Stop()
	a.state, a.next.Turn = calling, nil
}

// Counted answers how many claims, of them held, waiters and tenants are counted.
func (l *Lessor) Counted() (claims, held, waiting, tenants int) {
	x := l.ledger
	x.mu.Lock()
	defer x.mu.Unlock()
	for name, t := range x.tenants {
		if name != "" || t.claims > 0 {
			tenants++
		}
		waiting -= t.waiting // what all have is what each has, together
	}
	if waiting += x.waiting; waiting != 0 {
		return -1, -1, -1, -1
	}
	return len(x.claims), len(x.held), x.waiting, tenants
}
