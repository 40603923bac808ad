package lockd

import (
	"context"
	"sync"
)

// fate is what becomes of a lease id whose attempts were not all waited for: their answers still come,
// and a grant that nobody uses is given back.
type fate struct {
	client   *Client
	ctx      context.Context // for its values
	name, id string

	mu    sync.Mutex
	over  bool    // the acquisition has ended
	lease *Lease  // what it ended with; nil: nothing
	left  []*call // attempts that were left standing
}

// fateOf returns the fate of the lease id in use.
func (a *acquisition) fateOf() *fate {
	if a.fate == nil {
		a.fate = &fate{client: a.client, ctx: a.caller, name: a.name, id: a.id}
	}
	return a.fate
}

// stands notes that an attempt was left standing in line, for the next to take its place over.
func (f *fate) stands(c *call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left = append(f.left, c)
}

// queued notes that a later attempt stands in line, as way says: nothing comes any more of those that were
// left standing. Their servers need not keep them, nor look after the name once more when their time is up:
// it might be free by then, and theirs again with nobody to use it.
func (f *fate) queued(by way) {
	f.mu.Lock()
	left := f.left
	f.left = nil
	f.mu.Unlock()
	for _, c := range left {
		if by == way(c.stream) { // another stream is about to end
			c.giveUp(nil)
		}
	}
}

// settle notes how the acquisition ended. Without a lease, what still stands is given up.
func (f *fate) settle(lease *Lease) {
	f.mu.Lock()
	f.over, f.lease = true, lease
	left := f.left
	f.left = nil
	f.mu.Unlock()
	if lease != nil {
		return // lockd answers those SUPERSEDED, or with this very lease; see late
	}
	for _, c := range left {
		c.giveUp(brokenAnswer{f})
	}
}

// lateAnswer takes the final answer to an attempt that was left standing. If it is a grant, and not the lease
// that is held, nobody will use it.
type lateAnswer struct{ *fate }

func (f lateAnswer) told(a *answer) {
	if a.kind != answerAcquired {
		return // what a broken stream leaves behind lockd takes back
	}
	f.mu.Lock()
	over, lease := f.over, f.lease
	f.mu.Unlock()
	if !over || lease != nil && lease.Err() == nil {
		return // the next attempt answers for both, or has
	}
	f.client.giveUp(f.ctx, f.name, f.id)
}

// brokenAnswer takes the final answer to an attempt that was given up: lockd takes back what it may have
// granted, unless the stream broke and nobody knows whether it was told.
type brokenAnswer struct{ *fate }

func (f brokenAnswer) told(a *answer) {
	if a.err != nil {
		f.client.giveUp(f.ctx, f.name, f.id)
	}
}
