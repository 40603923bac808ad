package lockd

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

const (
	// welcomeWithin is how long a lockd may take to welcome a stream, and silentTries how many in a row,
	// each with the next server, may go without before Session counts as not working.
	// The first has less: beside a mute lockd there may be one that serves, and leases are short.
	welcomeWithin      = time.Second
	firstWelcomeWithin = 300 * time.Millisecond
	silentTries        = 3
	// unaryFor is how long unary calls do, where they work and Session does not, until it is tried again.
	unaryFor = time.Minute
	// After settled without a need for another stream, the next is asked for at once.
	settled = time.Second
	// closeWithin is how long a stream's own end may take when the client is closed.
	closeWithin = 200 * time.Millisecond
)

// hello names this client in the server's log.
const hello = "lockd-go"

var errNoWelcome = errors.New("the session was not welcomed")

// run opens a stream when one is wanted, and another one when that has ended or is of no use.
func (l *link) run() {
	var (
		tried  time.Time // when the last try ended
		tries  int       // since there was no need of one for settled
		silent int       // of those, in a row without a welcome
	)
	for l.awaitNeed() {
		if time.Since(tried) >= settled {
			tries, silent = 0, 0
		}
		if tries > 1 && !pause(l.ctx, retryPause(tries-1, firstPause, longPause)) { // the first retry is quick
			return
		}
		tries++
		if silent == 0 {
			l.unaryWorks.Store(false)
		}
		within := welcomeWithin
		if silent == 0 {
			within = firstWelcomeWithin
		}
		s, err := l.open(within)
		switch {
		case err == nil:
			silent = 0
			l.start(s)
		case status.Code(err) == codes.Unimplemented:
			l.unaryWorks.Store(true) // whatever they answer, a stream would not
			l.speakUnary()
		case status.Code(err) == codes.Unavailable, isDenied(err):
			l.fail(err)
		default:
			if silent++; silent >= silentTries {
				l.speakUnary()
			}
		}
		tried = time.Now()
	}
}

// speakUnary has unary calls made from now on, and returns when Session is worth another try.
func (l *link) speakUnary() {
	l.useUnary()
	if !l.unaryWorks.Load() {
		return
	}
	pause(l.ctx, unaryFor)
}

// awaitNeed returns when a stream is to be opened, with false when none is any more.
func (l *link) awaitNeed() bool {
	for {
		l.mu.Lock()
		need := l.wanted && (l.current == nil || l.moving != content)
		l.mu.Unlock()
		if l.ctx.Err() != nil || need {
			return l.ctx.Err() == nil
		}
		select {
		case <-l.wake:
		case <-l.ctx.Done():
		}
	}
}

// open opens a stream and returns it when it has been welcomed, within that time of being sent.
func (l *link) open(within time.Duration) (*stream, error) {
	ctx, cancel := context.WithCancel(context.Background()) // closing the client lets it end in peace
	stop := context.AfterFunc(l.ctx, cancel)
	defer stop()
	rpc, err := l.rpc.Session(ctx, grpc.WaitForReady(l.connected.Load()), grpc.ForceCodecV2(codec{}))
	if err != nil {
		cancel()
		return nil, err
	}
	l.connected.Store(true)
	timer := time.AfterFunc(within, cancel)
	err = rpc.Send(&sessionRequest{Hello: &lockdv1.Hello{Client: hello}})
	var first delivery
	received := rpc.RecvMsg(&first) // also if sending failed: it says why
	var message sessionResponse
	if received == nil {
		defer first.Free()
		received = proto.Unmarshal(first.ReadOnlyData(), &message)
	}
	if received != nil {
		err = received
	}
	inTime := timer.Stop()
	switch {
	case !inTime, err == nil && message.GetWelcome() == nil:
		cancel()
		return nil, errNoWelcome
	case err != nil:
		cancel()
		return nil, err
	}
	s := newStream(l, rpc, cancel, message.GetWelcome().GetInstance())
	_ = s.hear(first.ReadOnlyData()) // it has been read before
	return s, nil
}

// start has a stream work.
func (l *link) start(s *stream) {
	l.mu.Lock()
	closed := l.ctx.Err() != nil
	if !closed {
		l.streams[s] = struct{}{}
	}
	l.mu.Unlock()
	if closed { // close has not seen it
		s.cancel()
		return
	}
	if !l.use(s) {
		s.retire()
	}
	l.running.Go(s.write)
	l.running.Go(s.read)
}

// close lets every stream end and returns when nothing runs any more: soon, whatever the servers do, and at
// once when ctx ends.
func (l *link) close(ctx context.Context) {
	l.cancel()
	l.mu.Lock()
	streams := slices.Collect(maps.Keys(l.streams))
	l.mu.Unlock()
	for _, s := range streams {
		s.close()
		late := time.AfterFunc(closeWithin, s.cancel)
		defer late.Stop()
		defer context.AfterFunc(ctx, s.cancel)()
	}
	l.running.Wait()
}
