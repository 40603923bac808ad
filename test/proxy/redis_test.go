package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/lockd/lockd/test/proxy"
	"github.com/lockd/lockd/test/redisproc"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(redisproc.Main{M: m})
}

// soon bounds what shall happen; mute is how long "nothing comes" is watched.
const (
	soon = 10 * time.Second
	mute = 50 * time.Millisecond
)

func TestForwardsInBothDirections(t *testing.T) {
	p := redisProxy(t)
	c := client(t, p)
	value := strings.Repeat("x\r\n", 100_000) // many reads, and line ends that end nothing
	if err := c.Set(t.Context(), "k", value, 0).Err(); err != nil {
		t.Fatalf("SET through the proxy: %v", err)
	}
	if got, err := c.Get(t.Context(), "k").Result(); err != nil || got != value {
		t.Errorf("GET through the proxy = %d bytes, %v, want %d", len(got), err, len(value))
	}
}

func TestForwardsEveryShapeOfReply(t *testing.T) {
	c := client(t, redisProxy(t))
	// RESP3 by default: maps, sets, doubles, nulls, nested arrays, errors, big replies.
	for _, command := range []string{
		"HELLO 3", "CONFIG GET max*", "COMMAND INFO get set", "INFO", "ZADD z 1.5 a", "ZSCORE z a", "GET nothing",
		"SADD s a b", "SMEMBERS s", "NOSUCHCOMMAND", "XINFO HELP", "EVAL return{1,{'a',false}} 0", "CLIENT NO-EVICT on",
	} {
		var args []any
		for word := range strings.FieldsSeq(command) {
			args = append(args, word)
		}
		err := c.Do(t.Context(), args...).Err()
		var fromRedis redis.Error
		if err != nil && !errors.As(err, &fromRedis) {
			t.Errorf("%s = %v, want an answer", command, err)
		}
	}
	if got := c.Echo(t.Context(), "still in step").Val(); got != "still in step" {
		t.Errorf("ECHO after all that = %q", got)
	}
}

func TestALostReplyIsARequestThatWasDone(t *testing.T) {
	p := redisProxy(t)
	c := client(t, p)
	lost := p.LoseReply(proxy.Contains("incr"), 1)
	if err := c.Incr(t.Context(), "n").Err(); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("INCR whose reply is lost = %v, want a connection that ended", err)
	}
	if got := c.Incr(t.Context(), "n").Val(); got != 2 {
		t.Errorf("the next INCR = %d, want 2: the first one was done, and the fault bites once", got)
	}
	if lost.Hits() != 1 {
		t.Errorf("Hits = %d, want 1", lost.Hits())
	}
}

func TestTheReplyOfThatVeryRequestIsLost(t *testing.T) {
	p := redisProxy(t)
	r := rawClient(t, p)
	p.LoseReply(proxy.Contains("second"), 1)
	r.send(t, "*2\r\n$4\r\nECHO\r\n$5\r\nfirst\r\n*2\r\n$4\r\nECHO\r\n$6\r\nsecond\r\n")
	got, _ := io.ReadAll(r.conn) // to the cut
	if string(got) != "$5\r\nfirst\r\n" {
		t.Errorf("two requests sent at once were answered %q, want the first one's reply alone", got)
	}
}

func TestNthPicksOneRequest(t *testing.T) {
	p := redisProxy(t)
	c := client(t, p)
	p.LoseReply(proxy.Nth(2, proxy.Contains("incr", "n")), 1)
	for i, want := range []bool{true, false, true} {
		if err := c.Incr(t.Context(), "n").Err(); (err == nil) != want {
			t.Errorf("INCR number %d = %v, want success: %t", i+1, err, want)
		}
	}
}

func TestADuplicatedReplyAnswersTheNextRequestToo(t *testing.T) {
	p := redisProxy(t)
	r := rawClient(t, p)
	p.DuplicateReply(proxy.Contains("one"))
	for i, want := range []string{"one", "one", "two", "three"} {
		send := []string{"one", "two", "three", "four"}[i]
		if got := r.echo(t, send); got != want {
			t.Errorf("ECHO %s = %s, want %s", send, got, want)
		}
	}
}

func TestSwappedRepliesGoToEachOther(t *testing.T) {
	p := redisProxy(t)
	a, b := rawClient(t, p), rawClient(t, p)
	swap := p.SwapReplies(proxy.Contains("swap"))
	gotA := make(chan string, 1)
	go func() { gotA <- a.echo(t, "swap a") }()
	if got := b.echo(t, "swap b"); got != "swap a" {
		t.Errorf("b was answered %q, want a's reply", got)
	}
	if got := <-gotA; got != "swap b" {
		t.Errorf("a was answered %q, want b's reply", got)
	}
	if swap.Hits() != 1 {
		t.Errorf("Hits = %d, want 1", swap.Hits())
	}
}

func TestADelayedRequestIsOvertaken(t *testing.T) {
	p := redisProxy(t)
	slow, fast := rawClient(t, p), client(t, p)
	delay := p.DelayRequest(proxy.Contains("slow"))
	slow.send(t, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\nslow\r\n")
	<-delay.Bitten()
	if err := fast.Set(t.Context(), "k", "fast", 0).Err(); err != nil {
		t.Fatal(err)
	}
	delay.Release()
	if got := slow.line(t); got != "+OK" {
		t.Errorf("the delayed SET was answered %q, want +OK", got)
	}
	if got := fast.Get(t.Context(), "k").Val(); got != "slow" {
		t.Errorf("GET k = %q, want slow: it arrived last", got)
	}
}

func TestADelayedRequestArrivesThoughItsClientHasGone(t *testing.T) {
	p := redisProxy(t)
	slow := rawClient(t, p)
	delay := p.DelayRequest(proxy.Contains("late"))
	slow.send(t, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\nlate\r\n")
	<-delay.Bitten()
	slow.conn.Close()
	delay.Release()
	<-delay.Answered()
	if got := client(t, p).Get(t.Context(), "k").Val(); got != "late" {
		t.Errorf("GET k = %q, want late", got)
	}
}

func TestADelayedReplyArrivesAfterRelease(t *testing.T) {
	p := redisProxy(t)
	r := rawClient(t, p)
	delay := p.DelayReply(proxy.Contains("x"))
	r.send(t, "*2\r\n$4\r\nECHO\r\n$1\r\nx\r\n")
	<-delay.Bitten()
	r.silent(t)
	delay.Release()
	if got := r.line(t); got != "$1" {
		t.Errorf("after Release came %q, want the reply", got)
	}
}

func TestHeldEdgesLetNothingThroughUntilRelease(t *testing.T) {
	for name, hold := range map[string]func(*proxy.Proxy){
		"requests": (*proxy.Proxy).HoldRequests, "replies": (*proxy.Proxy).HoldReplies,
	} {
		t.Run(name, func(t *testing.T) {
			p := redisProxy(t)
			r := rawClient(t, p)
			hold(p)
			r.send(t, "*1\r\n$4\r\nPING\r\n")
			r.silent(t)
			p.Release()
			if got := r.line(t); got != "+PONG" {
				t.Errorf("after Release came %q, want +PONG", got)
			}
		})
	}
}

func TestRefusedUntilAccepted(t *testing.T) {
	p := redisProxy(t)
	old := client(t, p)
	old.Ping(t.Context())
	p.Refuse()
	if _, err := net.Dial("tcp", p.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Dial = %v, want connection refused", err)
	}
	if err := old.Ping(t.Context()).Err(); err != nil {
		t.Errorf("PING on an old connection = %v, want nil", err)
	}
	if err := p.Accept(); err != nil {
		t.Fatal(err)
	}
	if err := client(t, p).Ping(t.Context()).Err(); err != nil {
		t.Errorf("PING after Accept = %v, want nil", err)
	}
}

func TestCutEndsEveryConnection(t *testing.T) {
	p := redisProxy(t)
	a, b := rawClient(t, p), rawClient(t, p)
	a.echo(t, "x")
	b.echo(t, "x")
	if got := p.Cut(); got != 2 {
		t.Errorf("Cut = %d, want 2", got)
	}
	for _, r := range []*raw{a, b} {
		if n, err := r.conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("Read after Cut = %d bytes, want the end", n)
		}
	}
}

func TestAServerThatIsGoneEndsConnections(t *testing.T) {
	s := redisproc.Start(t)
	c := client(t, proxy.Redis(t, s.Addr()))
	s.Kill()
	if err := c.Ping(t.Context()).Err(); err == nil {
		t.Error("PING = nil, want an error")
	}
	s.Restart()
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Errorf("PING after the server came back = %v, want nil", err)
	}
}

// recorder is a test that records its errors and runs its clean-ups when told.
type recorder struct {
	testing.TB
	errors   []string
	cleanups []func()
}

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func TestAFaultThatNeverBitFailsTheTest(t *testing.T) {
	r := &recorder{TB: t}
	p := proxy.Redis(r, redisproc.Shared(t).Addr())
	p.LoseReply(proxy.Contains("never sent"), 1)
	for _, f := range r.cleanups {
		f()
	}
	if len(r.errors) != 1 || !strings.Contains(r.errors[0], "never bit") {
		t.Errorf("errors = %q, want one that says the fault never bit", r.errors)
	}
}

func redisProxy(t *testing.T) *proxy.Proxy {
	t.Helper()
	return proxy.Redis(t, redisproc.Shared(t).Addr())
}

func client(t *testing.T, p *proxy.Proxy) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: p.Addr(), MaxRetries: -1, ContextTimeoutEnabled: true, DisableIdentity: true})
	t.Cleanup(func() { c.Close() })
	return c
}

// raw is a connection that speaks RESP by hand, so that nothing is read or checked behind our back.
type raw struct{ conn net.Conn }

func rawClient(t *testing.T, p *proxy.Proxy) *raw {
	t.Helper()
	var d net.Dialer
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	conn, err := d.DialContext(ctx, "tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &raw{conn}
}

func (r *raw) send(t *testing.T, s string) {
	t.Helper()
	if _, err := io.WriteString(r.conn, s); err != nil {
		t.Errorf("send %q: %v", s, err)
	}
}

// line reads up to CR LF, byte by byte.
func (r *raw) line(t *testing.T) string {
	t.Helper()
	_ = r.conn.SetReadDeadline(time.Now().Add(soon))
	var line []byte
	for b := make([]byte, 1); !strings.HasSuffix(string(line), "\r\n"); line = append(line, b[0]) {
		if _, err := r.conn.Read(b); err != nil {
			t.Errorf("read after %q: %v", line, err)
			return ""
		}
	}
	return strings.TrimSuffix(string(line), "\r\n")
}

// silent fails the test if anything arrives within mute.
func (r *raw) silent(t *testing.T) {
	t.Helper()
	_ = r.conn.SetReadDeadline(time.Now().Add(mute))
	if n, _ := r.conn.Read(make([]byte, 1)); n > 0 {
		t.Error("something arrived, want nothing")
	}
}

func (r *raw) echo(t *testing.T, s string) string {
	t.Helper()
	r.send(t, fmt.Sprintf("*2\r\n$4\r\nECHO\r\n$%d\r\n%s\r\n", len(s), s))
	r.line(t) // the length
	return r.line(t)
}
