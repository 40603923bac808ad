package lockd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/status"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// releaseRun is one release under way, or its result.
type releaseRun struct {
	done chan struct{}
	err  error // set before done is closed
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
	run := l.startRelease(ctx, ErrReleased, waiting == nil)
	select {
	case <-run.done:
		return run.err
	case <-waiting:
		if context.Cause(ctx) == l.Err() { // by the release itself
			<-run.done
			return run.err
		}
		return failed("release", l.name, ctx.Err(), errors.New("it goes on in the background"))
	}
}

// startRelease ends the lease for cause and begins to release it, unless that is under way or done. A
// release that was not answered may be begun again. With stay it returns when that has ended, and needs no
// goroutine.
func (l *Lease) startRelease(ctx context.Context, cause error, stay bool) *releaseRun {
	l.mu.Lock()
	if l.release != nil && !l.release.mayRepeat() {
		defer l.mu.Unlock()
		return l.release
	}
	run := &releaseRun{done: make(chan struct{})}
	l.release = run
	l.mu.Unlock()

	cause = l.end(cause)
	switch {
	case !l.client.work.join():
		run.err = failed("release", l.name, ErrClosed)
		close(run.done)
	case stay:
		run.of(ctx, l, cause)
	default:
		go run.of(ctx, l, cause)
	}
	return run
}

// of gives l back, which has ended for cause.
func (r *releaseRun) of(ctx context.Context, l *Lease, cause error) {
	defer l.client.work.end()
	defer close(r.done)
	r.err = l.giveBack(ctx, cause)
}

func (r *releaseRun) mayRepeat() bool {
	select {
	case <-r.done:
		return errors.Is(r.err, ErrUnavailable)
	default:
		return false
	}
}

// giveBack releases the lease, which has ended for cause, and says whether it was held until then.
func (l *Lease) giveBack(ctx context.Context, cause error) error {
	if errors.Is(cause, ErrLost) {
		return failed("release", l.name, cause) // lockd has said that there is nothing to release
	}
	ctx, cancel := l.client.detached(ctx)
	defer cancel()
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

// sendRelease asks lockd to release name if id holds it, again and again until there is an answer or
// ctx ends. certain reports whether the answer is that to the first request.
func (c *Client) sendRelease(ctx context.Context, name, id string) (outcome lockdv1.ReleaseResponse_Outcome, certain bool, err error) {
	req := &lockdv1.ReleaseRequest{Name: name, LeaseId: id}
	for failures := 0; ; {
		way, err := c.link.way(ctx, false)
		if err == nil {
			var resp *lockdv1.ReleaseResponse
			if resp, err = way.release(ctx, req); err == nil {
				return resp.GetOutcome(), failures == 0, nil
			}
		}
		if !readRefusal(name, err).again {
			return 0, false, err
		}
		failures++
		if !pause(ctx, retryPause(failures, 50*time.Millisecond, 500*time.Millisecond)) {
			return 0, false, fmt.Errorf("%w: the lease runs out by itself: %s", ErrUnavailable, status.Convert(err).Message())
		}
	}
}
