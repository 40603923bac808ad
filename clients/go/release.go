package lockd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/status"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// releaseRun is one release under way, or its result; guarded by the lease's mu.
type releaseRun struct {
	over bool
	err  error         // once it is over
	done chan struct{} // closed when it is; nil: nobody has asked for it
}

// doneLocked returns a channel that is closed when the release is over.
func (r *releaseRun) doneLocked() <-chan struct{} {
	if r.done == nil {
		r.done = make(chan struct{})
		if r.over {
			close(r.done)
		}
	}
	return r.done
}

// Release ends the lease: its context at once, with [ErrReleased], its renewal, and then the lease
// itself at lockd. It is idempotent and may be called at any time, also after the lease has ended.
//
// It returns nil when the lease was held until now; an error that wraps [ErrExpired] or [ErrLost]
// when it had ended before, so that what was done last may not have been protected; [ErrUnavailable]
// when lockd did not answer within 2 s: the lease then runs out by itself, or call Release again.
//
// ctx bounds how long Release waits for the answer; the release goes on in the background. A ctx that
// had ended before, as after a cancelled job, or that ends with this lease, as inside Do, does not hinder
// it: then 2 s are the bound.
func (l *Lease) Release(ctx context.Context) error {
	waiting := ctx.Done()
	if ctx.Err() != nil {
		waiting = nil
	}
	run, done := l.startRelease(ctx, ErrReleased, waiting == nil)
	if done == nil {
		return run.err
	}
	select {
	case <-done:
		return run.err
	case <-waiting:
		if context.Cause(ctx) == l.Err() { // by the release itself
			<-done
			return run.err
		}
		return failed("release", l.name, ctx.Err(), errors.New("it goes on in the background"))
	}
}

// startRelease ends the lease for cause and begins to release it, unless that is under way or done. A
// release that was not answered may be begun again. The channel is closed when it is over; it is nil if that
// is so already. With stay, who begins it does it, and needs no goroutine.
func (l *Lease) startRelease(ctx context.Context, cause error, stay bool) (*releaseRun, <-chan struct{}) {
	l.mu.Lock()
	if run := l.release; run != nil && !(run.over && errors.Is(run.err, ErrUnavailable)) {
		defer l.mu.Unlock()
		return run, run.doneLocked()
	}
	run := new(releaseRun)
	l.release = run
	var done <-chan struct{}
	if !stay {
		done = run.doneLocked()
	}
	l.mu.Unlock()

	cause = l.end(cause)
	switch {
	case !l.client.work.join():
		l.released(run, failed("release", l.name, ErrClosed))
	case stay:
		l.run(ctx, run, cause)
	default:
		go l.run(ctx, run, cause)
	}
	return run, done
}

// run gives the lease back, which has ended for cause.
func (l *Lease) run(ctx context.Context, run *releaseRun, cause error) {
	defer l.client.work.end()
	l.released(run, l.giveBack(ctx, cause))
}

func (l *Lease) released(run *releaseRun, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	run.over, run.err = true, err
	if run.done != nil {
		close(run.done)
	}
}

// giveBack releases the lease, which has ended for cause, and says whether it was held until then.
func (l *Lease) giveBack(ctx context.Context, cause error) error {
	if errors.Is(cause, ErrLost) {
		return failed("release", l.name, cause) // lockd has said that there is nothing to release
	}
	outcome, certain, err := l.client.sendRelease(ctx, l.name, l.id)
	// Only a first answer proves anything: a later one may find the work of an earlier one.
	certain = certain && !l.unanswered
	l.unanswered = l.unanswered || err != nil
	switch {
	case errors.Is(cause, ErrExpired):
		return failed("release", l.name, cause)
	case err != nil:
		return failed("release", l.name, err)
	case certain && outcome != lockdv1.ReleaseResponse_HELD:
		return failed("release", l.name, ErrLost)
	}
	return nil
}

// sendRelease asks lockd to release name if id holds it, again and again until there is an answer, for up to
// releaseFor, whatever becomes of ctx, and no longer than the client lasts. certain reports whether the answer is
// that to the first request.
func (c *Client) sendRelease(ctx context.Context, name, id string) (outcome lockdv1.ReleaseResponse_Outcome, certain bool, err error) {
	begun, failures := time.Now(), 0
	if s, ok := c.link.ready(false).(*stream); ok {
		// Nearly always this is all, and a context that bounds several tries costs as much as a try.
		if outcome, err = s.release(context.Background(), name, id); err == nil {
			return outcome, true, nil
		}
		if !readRefusal(name, err).again {
			return 0, false, err
		}
		failures++
	}
	ctx, cancel := c.detached(ctx, begun)
	defer cancel()
	for {
		if failures > 0 && !pause(ctx, retryPause(failures, 50*time.Millisecond, 500*time.Millisecond)) {
			return 0, false, fmt.Errorf("%w: the lease runs out by itself: %s", ErrUnavailable, status.Convert(err).Message())
		}
		var way way
		if way, err = c.link.way(ctx, false); err == nil {
			if outcome, err = way.release(ctx, name, id); err == nil {
				return outcome, failures == 0, nil
			}
		}
		if !readRefusal(name, err).again {
			return 0, false, err
		}
		failures++
	}
}
