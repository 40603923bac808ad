package floor

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"runtime"
	"time"

	"google.golang.org/grpc"

	"github.com/lockd/lockd/bench/child"
	"github.com/lockd/lockd/bench/machine"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// Role is the name of the server process.
const Role = "floor"

// order is what the server process is told.
type order struct{ Addr, Redis string }

// Start starts a server process in front of redis.
func Start(m *machine.Machine, redis *machine.Server) (*machine.Server, error) {
	return m.Child(Role, func(addr string) any { return order{addr, redis.Addr} })
}

// Serve is the server process. It ends when it is killed.
func Serve(text []byte, _ child.Await) (any, error) {
	var o order
	if err := json.Unmarshal(text, &o); err != nil {
		return nil, err
	}
	runtime.GOMAXPROCS(1) // as lockd begins
	l, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(os.Stderr, machine.ChildServes)
	return nil, newServer(o.Redis).Serve(l)
}

func newServer(redis string) *grpc.Server {
	s := grpc.NewServer(grpc.ForceServerCodecV2(codec{}), grpc.InitialWindowSize(streamWindow), grpc.InitialConnWindowSize(connWindow))
	lockdv1.RegisterLeaseServiceServer(s, &server{redis: redis})
	return s
}

type server struct {
	lockdv1.UnimplementedLeaseServiceServer
	redis string
}

// Session implements lockdv1.LeaseServiceServer: each message is one round trip of Redis and one message back.
func (s *server) Session(stream grpc.BidiStreamingServer[lockdv1.SessionRequest, lockdv1.SessionResponse]) error {
	redis, err := dial(s.redis)
	if err != nil {
		return err
	}
	defer redis.conn.Close()
	var in, out message
	var ops []operation
	for {
		if err := stream.RecvMsg(&in); err != nil {
			return err
		}
		ops = in.read(ops[:0])
		if err := redis.do(ops); err != nil {
			return err
		}
		out.data = out.data[:0]
		now := time.Now()
		for i := range ops {
			out.data = answer(out.data, &ops[i], now)
		}
		if err := stream.SendMsg(&out); err != nil {
			return err
		}
	}
}
