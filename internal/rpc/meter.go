package rpc

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// A Meter measures the calls of one method; an operation of a session counts as a call of the unary method that means
// the same. It must not block.
type Meter interface {
	// Ended is told how a call ended, and how long after it came: of a stream, how long that lasted.
	Ended(code codes.Code, took time.Duration)
}

// NewMeter makes the meter of a method, "lockd.v1.LeaseService/Acquire", which is a stream of messages or not.
type NewMeter func(method string, stream bool) Meter

// meters are those of all methods, each made once.
type meters struct {
	acquire, renew, release Meter // without looking for them: there are very many on a session
	all                     map[string]Meter
}

// metersFor makes the meters of what is served; nil if nobody wants any.
func metersFor(served map[string]grpc.ServiceInfo, make NewMeter) *meters {
	if make == nil {
		return nil
	}
	m := &meters{all: map[string]Meter{}}
	for service, info := range served {
		for _, method := range info.Methods {
			name := service + "/" + method.Name
			m.all["/"+name] = make(name, method.IsServerStream || method.IsClientStream)
		}
	}
	m.acquire = m.all[lockdv1.LeaseService_Acquire_FullMethodName]
	m.renew = m.all[lockdv1.LeaseService_Renew_FullMethodName]
	m.release = m.all[lockdv1.LeaseService_Release_FullMethodName]
	return m
}

// ended tells the meter of a method.
func (m *meters) ended(method string, code codes.Code, took time.Duration) {
	if m == nil {
		return
	}
	var meter Meter
	switch method {
	case lockdv1.LeaseService_Acquire_FullMethodName:
		meter = m.acquire
	case lockdv1.LeaseService_Renew_FullMethodName:
		meter = m.renew
	case lockdv1.LeaseService_Release_FullMethodName:
		meter = m.release
	default:
		meter = m.all[method]
	}
	if meter != nil { // else it is none that is served, and gRPC has said so
		meter.Ended(code, took)
	}
}
