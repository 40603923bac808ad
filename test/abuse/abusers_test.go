//go:build linux && !race

package abuse

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/durationpb"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/test/proc"
)

// The abusers are processes of their own: this program, told by its environment what it is.
const (
	roleVariable = "LOCKD_ABUSE_ROLE"
	addrVariable = "LOCKD_ABUSE_ADDR"
)

// from is where an abuser comes from: one of three addresses, none of them the others'.
var from net.TCPAddr

// roles are what they do, as fast as they can, until ctx ends. What came of it does not matter to them.
var roles = map[string]func(ctx context.Context, a *abuser){
	"nothing": nothing,
	"streams": streams, "waits": waits, "cancels": cancels, "gone": gone, "deaf": deaf, "strangers": strangers,
	"headers": headers, "resets": resets, "pings": pings, "halves": halves, "handshakes": handshakes,
}

// abuser is what one of them knows.
type abuser struct {
	addr string
	did  atomic.Int64 // something
}

// abuse is the process of an abuser. It says when it has begun, and at its end how much it did.
func abuse(role string) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	a := &abuser{addr: os.Getenv(addrVariable)}
	from.IP = net.IPv4(127, 0, 0, byte(2+slices.Index(slices.Sorted(maps.Keys(roles)), role)%3))
	fmt.Println("begun")
	roles[role](ctx, a)
	fmt.Println("did", a.did.Load())
}

// startAbuser starts one with the lowest priority there is.
func startAbuser(t *testing.T, role, addr string) *proc.Process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("nice", "-n", "19", self)
	cmd.Env = append(os.Environ(), roleVariable+"="+role, addrVariable+"="+addr)
	p := &proc.Process{T: t, Name: "abuser: " + role}
	t.Cleanup(p.Remove)
	if err := p.Run(cmd); err != nil {
		t.Fatal(err)
	}
	_, err = p.Await(regexp.MustCompile(`begun`), 20*time.Second)
	p.Must(err)
	return p
}

// crowd runs f n times at once, each again and again until ctx ends.
func crowd(ctx context.Context, n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			for ctx.Err() == nil {
				f(i)
			}
		})
	}
	all.Wait()
}

func dialFrom(ctx context.Context, addr string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &from, Timeout: 5 * time.Second}
	return d.DialContext(ctx, "tcp", addr)
}

var anybody = &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}

// client is a connection of gRPC with a token.
func (a *abuser) client(token string) lockdv1.LeaseServiceClient {
	conn, err := grpc.NewClient("passthrough:///"+a.addr, grpc.WithTransportCredentials(credentials.NewTLS(anybody)),
		grpc.WithContextDialer(dialFrom), grpc.WithUnaryInterceptor(shows(token)),
		grpc.WithStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, next grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			return next(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token), desc, cc, method, opts...)
		}))
	if err != nil {
		panic(err)
	}
	return lockdv1.NewLeaseServiceClient(conn)
}

func shows(token string) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		return next(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token), method, req, reply, cc, opts...)
	}
}

// leaseID is the n-th lease id.
func leaseID(n int) string { return fmt.Sprintf("%032x", n+1) }

func acquire(op int, name string, wait time.Duration) *lockdv1.Operation {
	r := &lockdv1.AcquireRequest{Name: name, LeaseId: leaseID(op), Wait: durationpb.New(wait)}
	return &lockdv1.Operation{Id: uint64(op), Request: &lockdv1.Operation_Acquire{Acquire: r}}
}

// streams keeps nearly as many sessions open as one may have calls: 10 000.
func streams(ctx context.Context, a *abuser) { a.sessions(ctx, 9_800, 0) }

// waits keeps 100 sessions open in each of which ten wait for one name.
func waits(ctx context.Context, a *abuser) { a.sessions(ctx, 100, 10) }

func (a *abuser) sessions(ctx context.Context, n, waiters int) {
	const each = 2000 // on one connection
	var clients []lockdv1.LeaseServiceClient
	for range (n + each - 1) / each {
		clients = append(clients, a.client(crowdToken))
	}
	crowd(ctx, n, func(i int) {
		s, err := clients[i%len(clients)].Session(ctx)
		if err == nil {
			first := &lockdv1.SessionRequest{Hello: new(lockdv1.Hello)}
			for w := range waiters {
				first.Operations = append(first.Operations, acquire(i*waiters+w+1, "abuse/line", 5*time.Minute))
			}
			err = s.Send(first)
		}
		for n := 0; err == nil; n++ {
			if _, err = s.Recv(); err == nil && n == 0 {
				a.did.Add(1)
			}
		}
		rest(ctx, 100*time.Millisecond)
	})
}

func rest(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// cancels asks for leases in line, and cancels that, on sessions.
func cancels(ctx context.Context, a *abuser) {
	crowd(ctx, 8, func(i int) {
		s, err := a.client(abuserToken).Session(ctx)
		if err != nil {
			return
		}
		go func() {
			for {
				if _, err := s.Recv(); err != nil {
					return
				}
			}
		}()
		err = s.Send(&lockdv1.SessionRequest{Hello: new(lockdv1.Hello)})
		for op := 0; err == nil && ctx.Err() == nil; a.did.Add(1) {
			req := new(lockdv1.SessionRequest)
			for range 100 {
				op++
				req.Operations = append(req.Operations, acquire(op, "abuse/line", time.Minute))
				req.Cancels = append(req.Cancels, uint64(op))
			}
			err = s.Send(req)
		}
	})
}

// gone makes calls and gives them up at once.
func gone(ctx context.Context, a *abuser) {
	c := a.client(abuserToken)
	crowd(ctx, 64, func(i int) {
		ctx, cancel := context.WithTimeout(ctx, 3*time.Millisecond)
		defer cancel()
		_, _ = c.Acquire(ctx, &lockdv1.AcquireRequest{Name: "abuse/gone", LeaseId: leaseID(i), Wait: durationpb.New(time.Minute)})
		a.did.Add(1)
	})
}

// deaf asks and reads no answer.
func deaf(ctx context.Context, a *abuser) {
	crowd(ctx, 64, func(i int) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		s, err := a.client(abuserToken).Session(ctx)
		if err == nil {
			err = s.Send(&lockdv1.SessionRequest{Hello: new(lockdv1.Hello)})
		}
		for op := 0; err == nil; a.did.Add(1) {
			req := new(lockdv1.SessionRequest)
			for range 100 {
				op++
				req.Operations = append(req.Operations, acquire(op, strings.Repeat("abuse/", 40)+"deaf", 0))
			}
			err = s.Send(req)
		}
	})
}

// strangers show wrong tokens.
func strangers(ctx context.Context, a *abuser) {
	c := a.client("wrong")
	crowd(ctx, 64, func(int) {
		_, _ = c.Get(ctx, &lockdv1.GetRequest{Name: "abuse/x"})
		a.did.Add(1)
	})
}

// nothing uses the processor and leaves lockd alone.
func nothing(ctx context.Context, a *abuser) {
	crowd(ctx, 2*runtime.NumCPU(), func(int) { a.did.Add(1) })
}
