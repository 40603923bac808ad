package lockd

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// DialUnary is Dial for a client to which every server is one that knows no Session.
func DialUnary(target string, opts ...DialOption) (*Client, error) {
	c, err := Dial(target, opts...)
	if err != nil {
		return nil, err
	}
	c.link.close(c.cleanup)
	c.link = newLink(unaryOnly{lockdv1.NewLeaseServiceClient(c.conn)})
	return c, nil
}

type unaryOnly struct{ lockdv1.LeaseServiceClient }

func (unaryOnly) Session(context.Context, ...grpc.CallOption) (sessionClient, error) {
	return nil, status.Error(codes.Unimplemented, "unary calls only")
}
