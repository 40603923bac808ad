package lockd

import (
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Where Session is unknown, unary calls do, for a minute.
func TestSessionUnimplemented(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		f.refuse = func() error { return status.Error(codes.Unimplemented, "unknown method Session") }
		begun := time.Now()
		acquired(t, c, "job", WithTTL(time.Minute))
		if took := time.Since(begun); took != 0 {
			t.Errorf("Acquire took %s, want 0", took)
		}
		f.change(func() { f.refuse = nil })
		time.Sleep(unaryFor - time.Second)
		select {
		case <-f.streams:
			t.Errorf("Session was tried again after less than %s", unaryFor)
		default:
		}
		time.Sleep(time.Second)
		s := f.stream("a")
		if s.take(); len(s.resumed) != 1 {
			t.Errorf("resumed %v, want the lease that was taken by a unary call", s.resumed)
		}
		done := acquiring(t.Context(), c, "other")
		s.grant()
		if got := <-done; got.err != nil {
			t.Errorf("Acquire on the stream = %v", got.err)
		}
	})
}

// Where streams are opened and lead nowhere, unary calls do after 3 s; if nobody answers those either,
// Session is tried again soon.
func TestSessionWithoutWelcome(t *testing.T) {
	for works, again := range map[bool]time.Duration{true: unaryFor, false: 2 * welcomeWithin} {
		synctest.Test(t, func(t *testing.T) {
			f, c := newServers(t)
			if !works {
				f.acquire = fail(unavailable())
			}
			begun := time.Now()
			done := acquiring(t.Context(), c, "job")
			for range silentTries {
				f.unwelcomed()
			}
			if works {
				if got := <-done; got.err != nil {
					t.Fatalf("Acquire = %v, want a lease by a unary call", got.err)
				}
				if took := time.Since(begun); took > 4*time.Second {
					t.Errorf("it took %s, want about 3s", took)
				}
			}
			asked := time.Now()
			if works {
				select {
				case <-f.streams: // asked once more, if no unary call had been answered by then
				case <-time.After(welcomeWithin):
				}
			}
			select {
			case <-f.streams:
			case <-time.After(2 * time.Minute):
			}
			if took := time.Since(asked); took > again+welcomeWithin+longPause || works && took < again {
				t.Errorf("unary calls work: %v; Session was tried again after %s, want %s", works, took, again)
			}
			_ = c.Close()
		})
	}
}
