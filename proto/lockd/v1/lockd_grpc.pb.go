// lockd: token-fenced leases on names.
//
// A lease alone cannot stop a process that was paused past its deadline; the fencing token can, if
// what you protect refuses a smaller one. Everything below is built for that sentence: every grant
// carries a token larger than every token granted before it for that name.
//
// # Words
//
// A name is 1 to 256 bytes of UTF-8 without control characters; "/" separates segments, none of
// which is empty, "." or "..". Names are compared as bytes.
// A lease id is 32 lower-case hex digits: 128 random bits, chosen by the client, one per
// acquisition, used again by that acquisition's retries and by nothing else. It is a secret: who has
// it may renew and release the lease.
// A token is a whole number, 0 < token < 2^53. It is not a secret.
// A ttl is a duration, never a timestamp, counted from the moment the caller SENT the request.
// Fractions of a millisecond are cut off.
//
// # The safe deadline
//
// A holder may act on its lease until
//
//	sent + waited * (1 - 0.1 %) + ttl * (1 - 1 %) - 5 ms
//
// where sent was read from its own clock before the request was given to gRPC, and waited and ttl
// come from the answer to that very request (ttl: the smaller of asked and answered; waited: 0 for
// Renew). An interval of one clock plus an interval of another: two clocks are never compared. Every
// grant and renewal yields such a deadline; the latest counts.
//
// # Waiting in line
//
// Who asks for a name that is held, with a wait, stands in line for it: first come, first served, in
// the order in which the store took them in, whichever lockd they asked. A ticket says which place:
// smaller is earlier. A place belongs to a name and a lease id. It is
// - given up at once by a cancellation on a Session;
// - passed over, but kept for 10 s, when the wait is over, the client has gone or the server has:
//   whoever asks again with the same lease_id in that time, here or at another lockd, has it back.
// A name never falls free while somebody stands in line for it, so nobody overtakes.
//
// # Who calls
//
// A server may ask who calls: by a client certificate (its only URI, or else its only DNS name, as in
// "cert:spiffe://acme/team-a/worker"), or by metadata "authorization: Bearer ..." ("token:ci", "jwt:alice"), which goes
// before the certificate. Then a policy says who may do what to which names, and a call without an answer to both ends with
// UNAUTHENTICATED or PERMISSION_DENIED, whichever RPC of whichever service it is. A stream is asked with each message,
// and for each operation in it. A lease is its principal's: to renew or release it, to repeat its
// acquisition or to have its place in line again takes the lease id and the identity that acquired it; whoever
// has only one of them finds what anybody would find. Who may not read a name is not shown who holds it.
//
// # Errors
//
// Every error carries a google.rpc.ErrorInfo with domain "lockd" and one of these reasons:
//
//	code                 reason             meaning
//	ABORTED              LEASE_HELD         another lease is in force; details: Held, google.rpc.RetryInfo
//	ABORTED              SUPERSEDED         a later attempt of the same lease id has already been served
//	FAILED_PRECONDITION  LEASE_LOST         the lease is gone; final, acquire anew with a new lease id; details: Loss if the cause is known
//	FAILED_PRECONDITION  TOKEN_NOT_IN_FORCE the token to force is not the one in force; details: Held if one is
//	UNAVAILABLE          STORE_UNAVAILABLE  the store did not answer, the outcome is unknown; retry with the same lease id
//	UNAVAILABLE          GRANTS_REFUSED     the store may not grant now (clock skew, eviction); nothing was done, renew and release go on
//	UNAVAILABLE          DRAINING           this server is going away; retry at another one
//	INVALID_ARGUMENT     INVALID_ARGUMENT   a field is wrong; details: google.rpc.BadRequest names it and what would be right
//	RESOURCE_EXHAUSTED   STORE_FULL         the store is out of memory; nothing was done
//	RESOURCE_EXHAUSTED   OVERLOADED         too many outcomes are still unknown here, or too many wait; nothing was done
//	RESOURCE_EXHAUSTED   LINE_FULL          too many wait for this name; nothing was done
//	RESOURCE_EXHAUSTED   OVER_LIMIT         the caller, or all together, have or ask too much; nothing was done; details: google.rpc.RetryInfo
//	RESOURCE_EXHAUSTED   SLOW_READER        a stream's client does not read what it is sent; the stream has ended
//	UNAUTHENTICATED      UNAUTHENTICATED    who calls is nobody that is known here, or not any more; nothing was done
//	PERMISSION_DENIED    PERMISSION_DENIED  who calls may not do that, whether or not there is anything of that name; nothing was done
//	INVALID_ARGUMENT     PROTOCOL           a stream's client broke its rules; the stream has ended
//	INTERNAL             INTERNAL           a fault of the server; its text is in the server's log only
//
// Every RPC and every operation may be answered OVER_LIMIT; renewals and releases at twice the rate of the others.
//
// CANCELLED and DEADLINE_EXCEEDED speak of the caller's own context and carry no reason. Neither do the
// refusals of gRPC itself: RESOURCE_EXHAUSTED for a request over 64 KiB, UNIMPLEMENTED for an unknown RPC.

// Code generated by protoc-gen-go-grpc. DO NOT EDIT.
// versions:
// - protoc-gen-go-grpc v1.6.2
// - protoc             v3.21.12
// source: proto/lockd/v1/lockd.proto

package lockdv1

import (
	context "context"
	grpc "google.golang.org/grpc"
	codes "google.golang.org/grpc/codes"
	status "google.golang.org/grpc/status"
)

// This is a compile-time assertion to ensure that this generated file
// is compatible with the grpc package it is being compiled against.
// Requires gRPC-Go v1.64.0 or later.
const _ = grpc.SupportPackageIsVersion9

const (
	LeaseService_Acquire_FullMethodName    = "/lockd.v1.LeaseService/Acquire"
	LeaseService_Renew_FullMethodName      = "/lockd.v1.LeaseService/Renew"
	LeaseService_Release_FullMethodName    = "/lockd.v1.LeaseService/Release"
	LeaseService_Get_FullMethodName        = "/lockd.v1.LeaseService/Get"
	LeaseService_List_FullMethodName       = "/lockd.v1.LeaseService/List"
	LeaseService_CheckToken_FullMethodName = "/lockd.v1.LeaseService/CheckToken"
	LeaseService_Watch_FullMethodName      = "/lockd.v1.LeaseService/Watch"
	LeaseService_Session_FullMethodName    = "/lockd.v1.LeaseService/Session"
)

// LeaseServiceClient is the client API for LeaseService service.
//
// For semantics around ctx use and closing/ending streaming RPCs, please refer to https://pkg.go.dev/google.golang.org/grpc/?tab=doc#ClientConn.NewStream.
//
// LeaseService grants, renews and releases leases and shows who holds what.
type LeaseServiceClient interface {
	// Acquire asks for a lease on a name, standing in line for up to wait if another is in force.
	//
	// Safe to retry with the same lease_id and attempt + 1: the answer is the same lease with the same
	// token and its ttl restarted, never shortened. Owner, metadata and since stay those of the first
	// grant. An UNAVAILABLE acquisition that nobody retries within 1 s is undone by the server.
	// Cancelling a call gives its attempt up at once, its place in line after 10 s: a server cannot tell a
	// cancelled call from a broken connection. A Session can say which. An attempt sent while the one
	// before still waits takes its place over: that one ends with SUPERSEDED.
	//
	// Errors: LEASE_HELD when wait is over, SUPERSEDED, LEASE_LOST (only with token set),
	// STORE_UNAVAILABLE, GRANTS_REFUSED, DRAINING (the place is kept: ask another server), STORE_FULL,
	// OVERLOADED, LINE_FULL, INVALID_ARGUMENT.
	Acquire(ctx context.Context, in *AcquireRequest, opts ...grpc.CallOption) (*AcquireResponse, error)
	// Renew restarts the ttl of a lease that lease_id still holds. It never re-creates a lease and
	// never shortens one. It succeeds until the name is really free, also past the holder's deadline. When a longest
	// hold (Lease.max_hold) is about to be over, it sets and answers less and less ttl, 0 in the end.
	// An answer with another token than the one granted means that the lease is gone, and that a late
	// copy of its acquisition was granted since, to nobody: count it as LEASE_LOST and release it.
	//
	// Safe to retry. Errors: LEASE_LOST (final), STORE_UNAVAILABLE (the lease is as it was, or
	// renewed; good until its deadline), INVALID_ARGUMENT.
	Renew(ctx context.Context, in *RenewRequest, opts ...grpc.CallOption) (*RenewResponse, error)
	// Release gives the lease back if lease_id still holds it, and never touches another's.
	//
	// Safe to retry; only a first, unambiguous answer proves that the lease was still held. It is allowed to who acquired the
	// lease whatever the policy says by now; who may not acquire the name and did not hold it is told PERMISSION_DENIED, and no more.
	// Errors: STORE_UNAVAILABLE (retry, or leave it to its ttl), INVALID_ARGUMENT.
	Release(ctx context.Context, in *ReleaseRequest, opts ...grpc.CallOption) (*ReleaseResponse, error)
	// Get says who holds a name and who waits for it. A free name is no error: held is false.
	//
	// Read only. Errors: STORE_UNAVAILABLE, INVALID_ARGUMENT.
	Get(ctx context.Context, in *GetRequest, opts ...grpc.CallOption) (*GetResponse, error)
	// List pages through the leases in force, in no order, after bounded work per page. A lease that
	// stood throughout appears at least once; others may or may not, and any may appear twice.
	//
	// Read only. Errors: STORE_UNAVAILABLE, INVALID_ARGUMENT.
	List(ctx context.Context, in *ListRequest, opts ...grpc.CallOption) (*ListResponse, error)
	// CheckToken says whether a token is the one in force: for resources that cannot keep a mark of
	// the largest token they have seen. It narrows the window for a late write, it does not close it:
	// the lease may end between this answer and the write.
	//
	// Read only. Errors: STORE_UNAVAILABLE, INVALID_ARGUMENT.
	CheckToken(ctx context.Context, in *CheckTokenRequest, opts ...grpc.CallOption) (*CheckTokenResponse, error)
	// Watch streams what happens to names from now on, beginning with one SYNCED event: what happens
	// after it is on the stream, what happened before is not. It holds nobody up: events that a slow
	// reader has no room for are dropped and counted in one MISSED event, and so is a gap in what the
	// store could tell. Events of one name come in the order in which they happened.
	//
	// The stream goes on until the client ends it. Errors: DRAINING (watch at another server),
	// STORE_UNAVAILABLE, INVALID_ARGUMENT.
	Watch(ctx context.Context, in *WatchRequest, opts ...grpc.CallOption) (grpc.ServerStreamingClient[WatchResponse], error)
	// Session carries many acquisitions, renewals and releases at once, in both directions as many in
	// a message as there are, and tells of a loss without being asked. Each operation means exactly
	// what the unary RPC of its request means, and is as safe to retry: after the stream broke, on
	// another one.
	//
	// The first message carries hello; operations may follow in the same message. Operations are
	// begun in the order sent, and done and answered in any: what depends on another's effect waits for its
	// answer. Each gets one answer that is final; an acquisition that goes to stand in line gets a queued
	// answer before.
	//
	// The end of a stream ends no lease. Acquisitions that were waiting lose nothing but their turn:
	// their place is kept for 10 s. Before a server goes away it says draining, answers what is
	// waiting with DRAINING, and ends the stream, with UNAVAILABLE and DRAINING, when the client has closed its
	// half or after some seconds. An operation without an answer at the end of the stream may have been done or
	// not: ask again.
	//
	// The stream ends with PROTOCOL when an operation's id is not larger than all before it, a
	// cancellation names a larger id than any, anything comes before the hello or there is a second one;
	// with INVALID_ARGUMENT when a message, the hello or a resumed lease is malformed; with SLOW_READER when answers pile up unread for 10 s; with RESOURCE_EXHAUSTED
	// when a message is over 64 KiB or more than 20 000 operations are unanswered.
	Session(ctx context.Context, opts ...grpc.CallOption) (grpc.BidiStreamingClient[SessionRequest, SessionResponse], error)
}

type leaseServiceClient struct {
	cc grpc.ClientConnInterface
}

func NewLeaseServiceClient(cc grpc.ClientConnInterface) LeaseServiceClient {
	return &leaseServiceClient{cc}
}

func (c *leaseServiceClient) Acquire(ctx context.Context, in *AcquireRequest, opts ...grpc.CallOption) (*AcquireResponse, error) {
	cOpts := append([]grpc.CallOption{grpc.StaticMethod()}, opts...)
	out := new(AcquireResponse)
	err := c.cc.Invoke(ctx, LeaseService_Acquire_FullMethodName, in, out, cOpts...)
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (c *leaseServiceClient) Renew(ctx context.Context, in *RenewRequest, opts ...grpc.CallOption) (*RenewResponse, error) {
	cOpts := append([]grpc.CallOption{grpc.StaticMethod()}, opts...)
	out := new(RenewResponse)
	err := c.cc.Invoke(ctx, LeaseService_Renew_FullMethodName, in, out, cOpts...)
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (c *leaseServiceClient) Release(ctx context.Context, in *ReleaseRequest, opts ...grpc.CallOption) (*ReleaseResponse, error) {
	cOpts := append([]grpc.CallOption{grpc.StaticMethod()}, opts...)
	out := new(ReleaseResponse)
	err := c.cc.Invoke(ctx, LeaseService_Release_FullMethodName, in, out, cOpts...)
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (c *leaseServiceClient) Get(ctx context.Context, in *GetRequest, opts ...grpc.CallOption) (*GetResponse, error) {
	cOpts := append([]grpc.CallOption{grpc.StaticMethod()}, opts...)
	out := new(GetResponse)
	err := c.cc.Invoke(ctx, LeaseService_Get_FullMethodName, in, out, cOpts...)
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (c *leaseServiceClient) List(ctx context.Context, in *ListRequest, opts ...grpc.CallOption) (*ListResponse, error) {
	cOpts := append([]grpc.CallOption{grpc.StaticMethod()}, opts...)
	out := new(ListResponse)
	err := c.cc.Invoke(ctx, LeaseService_List_FullMethodName, in, out, cOpts...)
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (c *leaseServiceClient) CheckToken(ctx context.Context, in *CheckTokenRequest, opts ...grpc.CallOption) (*CheckTokenResponse, error) {
	cOpts := append([]grpc.CallOption{grpc.StaticMethod()}, opts...)
	out := new(CheckTokenResponse)
	err := c.cc.Invoke(ctx, LeaseService_CheckToken_FullMethodName, in, out, cOpts...)
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (c *leaseServiceClient) Watch(ctx context.Context, in *WatchRequest, opts ...grpc.CallOption) (grpc.ServerStreamingClient[WatchResponse], error) {
	cOpts := append([]grpc.CallOption{grpc.StaticMethod()}, opts...)
	stream, err := c.cc.NewStream(ctx, &LeaseService_ServiceDesc.Streams[0], LeaseService_Watch_FullMethodName, cOpts...)
	if err != nil {
		return nil, err
	}
	x := &grpc.GenericClientStream[WatchRequest, WatchResponse]{ClientStream: stream}
	if err := x.ClientStream.SendMsg(in); err != nil {
		return nil, err
	}
	if err := x.ClientStream.CloseSend(); err != nil {
		return nil, err
	}
	return x, nil
}

// This type alias is provided for backwards compatibility with existing code that references the prior non-generic stream type by name.
type LeaseService_WatchClient = grpc.ServerStreamingClient[WatchResponse]

func (c *leaseServiceClient) Session(ctx context.Context, opts ...grpc.CallOption) (grpc.BidiStreamingClient[SessionRequest, SessionResponse], error) {
	cOpts := append([]grpc.CallOption{grpc.StaticMethod()}, opts...)
	stream, err := c.cc.NewStream(ctx, &LeaseService_ServiceDesc.Streams[1], LeaseService_Session_FullMethodName, cOpts...)
	if err != nil {
		return nil, err
	}
	x := &grpc.GenericClientStream[SessionRequest, SessionResponse]{ClientStream: stream}
	return x, nil
}

// This type alias is provided for backwards compatibility with existing code that references the prior non-generic stream type by name.
type LeaseService_SessionClient = grpc.BidiStreamingClient[SessionRequest, SessionResponse]

// LeaseServiceServer is the server API for LeaseService service.
// All implementations must embed UnimplementedLeaseServiceServer
// for forward compatibility.
//
// LeaseService grants, renews and releases leases and shows who holds what.
type LeaseServiceServer interface {
	// Acquire asks for a lease on a name, standing in line for up to wait if another is in force.
	//
	// Safe to retry with the same lease_id and attempt + 1: the answer is the same lease with the same
	// token and its ttl restarted, never shortened. Owner, metadata and since stay those of the first
	// grant. An UNAVAILABLE acquisition that nobody retries within 1 s is undone by the server.
	// Cancelling a call gives its attempt up at once, its place in line after 10 s: a server cannot tell a
	// cancelled call from a broken connection. A Session can say which. An attempt sent while the one
	// before still waits takes its place over: that one ends with SUPERSEDED.
	//
	// Errors: LEASE_HELD when wait is over, SUPERSEDED, LEASE_LOST (only with token set),
	// STORE_UNAVAILABLE, GRANTS_REFUSED, DRAINING (the place is kept: ask another server), STORE_FULL,
	// OVERLOADED, LINE_FULL, INVALID_ARGUMENT.
	Acquire(context.Context, *AcquireRequest) (*AcquireResponse, error)
	// Renew restarts the ttl of a lease that lease_id still holds. It never re-creates a lease and
	// never shortens one. It succeeds until the name is really free, also past the holder's deadline. When a longest
	// hold (Lease.max_hold) is about to be over, it sets and answers less and less ttl, 0 in the end.
	// An answer with another token than the one granted means that the lease is gone, and that a late
	// copy of its acquisition was granted since, to nobody: count it as LEASE_LOST and release it.
	//
	// Safe to retry. Errors: LEASE_LOST (final), STORE_UNAVAILABLE (the lease is as it was, or
	// renewed; good until its deadline), INVALID_ARGUMENT.
	Renew(context.Context, *RenewRequest) (*RenewResponse, error)
	// Release gives the lease back if lease_id still holds it, and never touches another's.
	//
	// Safe to retry; only a first, unambiguous answer proves that the lease was still held. It is allowed to who acquired the
	// lease whatever the policy says by now; who may not acquire the name and did not hold it is told PERMISSION_DENIED, and no more.
	// Errors: STORE_UNAVAILABLE (retry, or leave it to its ttl), INVALID_ARGUMENT.
	Release(context.Context, *ReleaseRequest) (*ReleaseResponse, error)
	// Get says who holds a name and who waits for it. A free name is no error: held is false.
	//
	// Read only. Errors: STORE_UNAVAILABLE, INVALID_ARGUMENT.
	Get(context.Context, *GetRequest) (*GetResponse, error)
	// List pages through the leases in force, in no order, after bounded work per page. A lease that
	// stood throughout appears at least once; others may or may not, and any may appear twice.
	//
	// Read only. Errors: STORE_UNAVAILABLE, INVALID_ARGUMENT.
	List(context.Context, *ListRequest) (*ListResponse, error)
	// CheckToken says whether a token is the one in force: for resources that cannot keep a mark of
	// the largest token they have seen. It narrows the window for a late write, it does not close it:
	// the lease may end between this answer and the write.
	//
	// Read only. Errors: STORE_UNAVAILABLE, INVALID_ARGUMENT.
	CheckToken(context.Context, *CheckTokenRequest) (*CheckTokenResponse, error)
	// Watch streams what happens to names from now on, beginning with one SYNCED event: what happens
	// after it is on the stream, what happened before is not. It holds nobody up: events that a slow
	// reader has no room for are dropped and counted in one MISSED event, and so is a gap in what the
	// store could tell. Events of one name come in the order in which they happened.
	//
	// The stream goes on until the client ends it. Errors: DRAINING (watch at another server),
	// STORE_UNAVAILABLE, INVALID_ARGUMENT.
	Watch(*WatchRequest, grpc.ServerStreamingServer[WatchResponse]) error
	// Session carries many acquisitions, renewals and releases at once, in both directions as many in
	// a message as there are, and tells of a loss without being asked. Each operation means exactly
	// what the unary RPC of its request means, and is as safe to retry: after the stream broke, on
	// another one.
	//
	// The first message carries hello; operations may follow in the same message. Operations are
	// begun in the order sent, and done and answered in any: what depends on another's effect waits for its
	// answer. Each gets one answer that is final; an acquisition that goes to stand in line gets a queued
	// answer before.
	//
	// The end of a stream ends no lease. Acquisitions that were waiting lose nothing but their turn:
	// their place is kept for 10 s. Before a server goes away it says draining, answers what is
	// waiting with DRAINING, and ends the stream, with UNAVAILABLE and DRAINING, when the client has closed its
	// half or after some seconds. An operation without an answer at the end of the stream may have been done or
	// not: ask again.
	//
	// The stream ends with PROTOCOL when an operation's id is not larger than all before it, a
	// cancellation names a larger id than any, anything comes before the hello or there is a second one;
	// with INVALID_ARGUMENT when a message, the hello or a resumed lease is malformed; with SLOW_READER when answers pile up unread for 10 s; with RESOURCE_EXHAUSTED
	// when a message is over 64 KiB or more than 20 000 operations are unanswered.
	Session(grpc.BidiStreamingServer[SessionRequest, SessionResponse]) error
	mustEmbedUnimplementedLeaseServiceServer()
}

// UnimplementedLeaseServiceServer must be embedded to have
// forward compatible implementations.
//
// NOTE: this should be embedded by value instead of pointer to avoid a nil
// pointer dereference when methods are called.
type UnimplementedLeaseServiceServer struct{}

func (UnimplementedLeaseServiceServer) Acquire(context.Context, *AcquireRequest) (*AcquireResponse, error) {
	return nil, status.Error(codes.Unimplemented, "method Acquire not implemented")
}
func (UnimplementedLeaseServiceServer) Renew(context.Context, *RenewRequest) (*RenewResponse, error) {
	return nil, status.Error(codes.Unimplemented, "method Renew not implemented")
}
func (UnimplementedLeaseServiceServer) Release(context.Context, *ReleaseRequest) (*ReleaseResponse, error) {
	return nil, status.Error(codes.Unimplemented, "method Release not implemented")
}
func (UnimplementedLeaseServiceServer) Get(context.Context, *GetRequest) (*GetResponse, error) {
	return nil, status.Error(codes.Unimplemented, "method Get not implemented")
}
func (UnimplementedLeaseServiceServer) List(context.Context, *ListRequest) (*ListResponse, error) {
	return nil, status.Error(codes.Unimplemented, "method List not implemented")
}
func (UnimplementedLeaseServiceServer) CheckToken(context.Context, *CheckTokenRequest) (*CheckTokenResponse, error) {
	return nil, status.Error(codes.Unimplemented, "method CheckToken not implemented")
}
func (UnimplementedLeaseServiceServer) Watch(*WatchRequest, grpc.ServerStreamingServer[WatchResponse]) error {
	return status.Error(codes.Unimplemented, "method Watch not implemented")
}
func (UnimplementedLeaseServiceServer) Session(grpc.BidiStreamingServer[SessionRequest, SessionResponse]) error {
	return status.Error(codes.Unimplemented, "method Session not implemented")
}
func (UnimplementedLeaseServiceServer) mustEmbedUnimplementedLeaseServiceServer() {}
func (UnimplementedLeaseServiceServer) testEmbeddedByValue()                      {}

// UnsafeLeaseServiceServer may be embedded to opt out of forward compatibility for this service.
// Use of this interface is not recommended, as added methods to LeaseServiceServer will
// result in compilation errors.
type UnsafeLeaseServiceServer interface {
	mustEmbedUnimplementedLeaseServiceServer()
}

func RegisterLeaseServiceServer(s grpc.ServiceRegistrar, srv LeaseServiceServer) {
	// If the following call panics, it indicates UnimplementedLeaseServiceServer was
	// embedded by pointer and is nil.  This will cause panics if an
	// unimplemented method is ever invoked, so we test this at initialization
	// time to prevent it from happening at runtime later due to I/O.
	if t, ok := srv.(interface{ testEmbeddedByValue() }); ok {
		t.testEmbeddedByValue()
	}
	s.RegisterService(&LeaseService_ServiceDesc, srv)
}

func _LeaseService_Acquire_Handler(srv interface{}, ctx context.Context, dec func(interface{}) error, interceptor grpc.UnaryServerInterceptor) (interface{}, error) {
	in := new(AcquireRequest)
	if err := dec(in); err != nil {
		return nil, err
	}
	if interceptor == nil {
		return srv.(LeaseServiceServer).Acquire(ctx, in)
	}
	info := &grpc.UnaryServerInfo{
		Server:     srv,
		FullMethod: LeaseService_Acquire_FullMethodName,
	}
	handler := func(ctx context.Context, req interface{}) (interface{}, error) {
		return srv.(LeaseServiceServer).Acquire(ctx, req.(*AcquireRequest))
	}
	return interceptor(ctx, in, info, handler)
}

func _LeaseService_Renew_Handler(srv interface{}, ctx context.Context, dec func(interface{}) error, interceptor grpc.UnaryServerInterceptor) (interface{}, error) {
	in := new(RenewRequest)
	if err := dec(in); err != nil {
		return nil, err
	}
	if interceptor == nil {
		return srv.(LeaseServiceServer).Renew(ctx, in)
	}
	info := &grpc.UnaryServerInfo{
		Server:     srv,
		FullMethod: LeaseService_Renew_FullMethodName,
	}
	handler := func(ctx context.Context, req interface{}) (interface{}, error) {
		return srv.(LeaseServiceServer).Renew(ctx, req.(*RenewRequest))
	}
	return interceptor(ctx, in, info, handler)
}

func _LeaseService_Release_Handler(srv interface{}, ctx context.Context, dec func(interface{}) error, interceptor grpc.UnaryServerInterceptor) (interface{}, error) {
	in := new(ReleaseRequest)
	if err := dec(in); err != nil {
		return nil, err
	}
	if interceptor == nil {
		return srv.(LeaseServiceServer).Release(ctx, in)
	}
	info := &grpc.UnaryServerInfo{
		Server:     srv,
		FullMethod: LeaseService_Release_FullMethodName,
	}
	handler := func(ctx context.Context, req interface{}) (interface{}, error) {
		return srv.(LeaseServiceServer).Release(ctx, req.(*ReleaseRequest))
	}
	return interceptor(ctx, in, info, handler)
}

func _LeaseService_Get_Handler(srv interface{}, ctx context.Context, dec func(interface{}) error, interceptor grpc.UnaryServerInterceptor) (interface{}, error) {
	in := new(GetRequest)
	if err := dec(in); err != nil {
		return nil, err
	}
	if interceptor == nil {
		return srv.(LeaseServiceServer).Get(ctx, in)
	}
	info := &grpc.UnaryServerInfo{
		Server:     srv,
		FullMethod: LeaseService_Get_FullMethodName,
	}
	handler := func(ctx context.Context, req interface{}) (interface{}, error) {
		return srv.(LeaseServiceServer).Get(ctx, req.(*GetRequest))
	}
	return interceptor(ctx, in, info, handler)
}

func _LeaseService_List_Handler(srv interface{}, ctx context.Context, dec func(interface{}) error, interceptor grpc.UnaryServerInterceptor) (interface{}, error) {
	in := new(ListRequest)
	if err := dec(in); err != nil {
		return nil, err
	}
	if interceptor == nil {
		return srv.(LeaseServiceServer).List(ctx, in)
	}
	info := &grpc.UnaryServerInfo{
		Server:     srv,
		FullMethod: LeaseService_List_FullMethodName,
	}
	handler := func(ctx context.Context, req interface{}) (interface{}, error) {
		return srv.(LeaseServiceServer).List(ctx, req.(*ListRequest))
	}
	return interceptor(ctx, in, info, handler)
}

func _LeaseService_CheckToken_Handler(srv interface{}, ctx context.Context, dec func(interface{}) error, interceptor grpc.UnaryServerInterceptor) (interface{}, error) {
	in := new(CheckTokenRequest)
	if err := dec(in); err != nil {
		return nil, err
	}
	if interceptor == nil {
		return srv.(LeaseServiceServer).CheckToken(ctx, in)
	}
	info := &grpc.UnaryServerInfo{
		Server:     srv,
		FullMethod: LeaseService_CheckToken_FullMethodName,
	}
	handler := func(ctx context.Context, req interface{}) (interface{}, error) {
		return srv.(LeaseServiceServer).CheckToken(ctx, req.(*CheckTokenRequest))
	}
	return interceptor(ctx, in, info, handler)
}

func _LeaseService_Watch_Handler(srv interface{}, stream grpc.ServerStream) error {
	m := new(WatchRequest)
	if err := stream.RecvMsg(m); err != nil {
		return err
	}
	return srv.(LeaseServiceServer).Watch(m, &grpc.GenericServerStream[WatchRequest, WatchResponse]{ServerStream: stream})
}

// This type alias is provided for backwards compatibility with existing code that references the prior non-generic stream type by name.
type LeaseService_WatchServer = grpc.ServerStreamingServer[WatchResponse]

func _LeaseService_Session_Handler(srv interface{}, stream grpc.ServerStream) error {
	return srv.(LeaseServiceServer).Session(&grpc.GenericServerStream[SessionRequest, SessionResponse]{ServerStream: stream})
}

// This type alias is provided for backwards compatibility with existing code that references the prior non-generic stream type by name.
type LeaseService_SessionServer = grpc.BidiStreamingServer[SessionRequest, SessionResponse]

// LeaseService_ServiceDesc is the grpc.ServiceDesc for LeaseService service.
// It's only intended for direct use with grpc.RegisterService,
// and not to be introspected or modified (even as a copy)
var LeaseService_ServiceDesc = grpc.ServiceDesc{
	ServiceName: "lockd.v1.LeaseService",
	HandlerType: (*LeaseServiceServer)(nil),
	Methods: []grpc.MethodDesc{
		{
			MethodName: "Acquire",
			Handler:    _LeaseService_Acquire_Handler,
		},
		{
			MethodName: "Renew",
			Handler:    _LeaseService_Renew_Handler,
		},
		{
			MethodName: "Release",
			Handler:    _LeaseService_Release_Handler,
		},
		{
			MethodName: "Get",
			Handler:    _LeaseService_Get_Handler,
		},
		{
			MethodName: "List",
			Handler:    _LeaseService_List_Handler,
		},
		{
			MethodName: "CheckToken",
			Handler:    _LeaseService_CheckToken_Handler,
		},
	},
	Streams: []grpc.StreamDesc{
		{
			StreamName:    "Watch",
			Handler:       _LeaseService_Watch_Handler,
			ServerStreams: true,
		},
		{
			StreamName:    "Session",
			Handler:       _LeaseService_Session_Handler,
			ServerStreams: true,
			ClientStreams: true,
		},
	},
	Metadata: "proto/lockd/v1/lockd.proto",
}

const (
	AuthService_CanI_FullMethodName = "/lockd.v1.AuthService/CanI"
)

// AuthServiceClient is the client API for AuthService service.
//
// For semantics around ctx use and closing/ending streaming RPCs, please refer to https://pkg.go.dev/google.golang.org/grpc/?tab=doc#ClientConn.NewStream.
//
// AuthService answers callers about themselves.
type AuthServiceClient interface {
	// CanI says whether the caller may do something to a name, by the policy that is in force now. It asks no store, and
	// nobody but the caller about itself.
	//
	// Read only. Errors: INVALID_ARGUMENT.
	CanI(ctx context.Context, in *CanIRequest, opts ...grpc.CallOption) (*CanIResponse, error)
}

type authServiceClient struct {
	cc grpc.ClientConnInterface
}

func NewAuthServiceClient(cc grpc.ClientConnInterface) AuthServiceClient {
	return &authServiceClient{cc}
}

func (c *authServiceClient) CanI(ctx context.Context, in *CanIRequest, opts ...grpc.CallOption) (*CanIResponse, error) {
	cOpts := append([]grpc.CallOption{grpc.StaticMethod()}, opts...)
	out := new(CanIResponse)
	err := c.cc.Invoke(ctx, AuthService_CanI_FullMethodName, in, out, cOpts...)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// AuthServiceServer is the server API for AuthService service.
// All implementations must embed UnimplementedAuthServiceServer
// for forward compatibility.
//
// AuthService answers callers about themselves.
type AuthServiceServer interface {
	// CanI says whether the caller may do something to a name, by the policy that is in force now. It asks no store, and
	// nobody but the caller about itself.
	//
	// Read only. Errors: INVALID_ARGUMENT.
	CanI(context.Context, *CanIRequest) (*CanIResponse, error)
	mustEmbedUnimplementedAuthServiceServer()
}

// UnimplementedAuthServiceServer must be embedded to have
// forward compatible implementations.
//
// NOTE: this should be embedded by value instead of pointer to avoid a nil
// pointer dereference when methods are called.
type UnimplementedAuthServiceServer struct{}

func (UnimplementedAuthServiceServer) CanI(context.Context, *CanIRequest) (*CanIResponse, error) {
	return nil, status.Error(codes.Unimplemented, "method CanI not implemented")
}
func (UnimplementedAuthServiceServer) mustEmbedUnimplementedAuthServiceServer() {}
func (UnimplementedAuthServiceServer) testEmbeddedByValue()                     {}

// UnsafeAuthServiceServer may be embedded to opt out of forward compatibility for this service.
// Use of this interface is not recommended, as added methods to AuthServiceServer will
// result in compilation errors.
type UnsafeAuthServiceServer interface {
	mustEmbedUnimplementedAuthServiceServer()
}

func RegisterAuthServiceServer(s grpc.ServiceRegistrar, srv AuthServiceServer) {
	// If the following call panics, it indicates UnimplementedAuthServiceServer was
	// embedded by pointer and is nil.  This will cause panics if an
	// unimplemented method is ever invoked, so we test this at initialization
	// time to prevent it from happening at runtime later due to I/O.
	if t, ok := srv.(interface{ testEmbeddedByValue() }); ok {
		t.testEmbeddedByValue()
	}
	s.RegisterService(&AuthService_ServiceDesc, srv)
}

func _AuthService_CanI_Handler(srv interface{}, ctx context.Context, dec func(interface{}) error, interceptor grpc.UnaryServerInterceptor) (interface{}, error) {
	in := new(CanIRequest)
	if err := dec(in); err != nil {
		return nil, err
	}
	if interceptor == nil {
		return srv.(AuthServiceServer).CanI(ctx, in)
	}
	info := &grpc.UnaryServerInfo{
		Server:     srv,
		FullMethod: AuthService_CanI_FullMethodName,
	}
	handler := func(ctx context.Context, req interface{}) (interface{}, error) {
		return srv.(AuthServiceServer).CanI(ctx, req.(*CanIRequest))
	}
	return interceptor(ctx, in, info, handler)
}

// AuthService_ServiceDesc is the grpc.ServiceDesc for AuthService service.
// It's only intended for direct use with grpc.RegisterService,
// and not to be introspected or modified (even as a copy)
var AuthService_ServiceDesc = grpc.ServiceDesc{
	ServiceName: "lockd.v1.AuthService",
	HandlerType: (*AuthServiceServer)(nil),
	Methods: []grpc.MethodDesc{
		{
			MethodName: "CanI",
			Handler:    _AuthService_CanI_Handler,
		},
	},
	Streams:  []grpc.StreamDesc{},
	Metadata: "proto/lockd/v1/lockd.proto",
}

const (
	AdminService_ForceRelease_FullMethodName   = "/lockd.v1.AdminService/ForceRelease"
	AdminService_RequestRelease_FullMethodName = "/lockd.v1.AdminService/RequestRelease"
	AdminService_Status_FullMethodName         = "/lockd.v1.AdminService/Status"
	AdminService_Diagnose_FullMethodName       = "/lockd.v1.AdminService/Diagnose"
)

// AdminServiceClient is the client API for AdminService service.
//
// For semantics around ctx use and closing/ending streaming RPCs, please refer to https://pkg.go.dev/google.golang.org/grpc/?tab=doc#ClientConn.NewStream.
//
// AdminService is for operators.
type AdminServiceClient interface {
	// ForceRelease ends the lease that holds a name with exactly this token; the holder's next renewal
	// answers LEASE_LOST, and a holder with a Session is told at once. Comparing the token, it can
	// never break the next holder. Only the token protects from what the former holder still does.
	//
	// A retry after success answers TOKEN_NOT_IN_FORCE and harms nobody.
	// Errors: TOKEN_NOT_IN_FORCE, STORE_UNAVAILABLE, INVALID_ARGUMENT (no reason given).
	ForceRelease(ctx context.Context, in *ForceReleaseRequest, opts ...grpc.CallOption) (*ForceReleaseResponse, error)
	// RequestRelease asks the holder of a name, with exactly this token, to release it: over its Session, at whichever
	// server that is, also if it comes there only later. With force_in the lease is ended by force after that, if it still
	// stands, as ForceRelease does; every server that has heard of the request does so, the one that answered it first,
	// so the force is missed only if all of them have gone. A holder without a Session hears nothing.
	//
	// The answer says that it was passed on, not that anybody heard it. Asked again, the earlier end counts.
	// Safe to retry. Errors: TOKEN_NOT_IN_FORCE, STORE_UNAVAILABLE, OVERLOADED, INVALID_ARGUMENT (no reason given).
	RequestRelease(ctx context.Context, in *RequestReleaseRequest, opts ...grpc.CallOption) (*RequestReleaseResponse, error)
	// Status describes this server, its store and the store's nodes, as last checked.
	//
	// Read only. It answers also when the store does not.
	Status(ctx context.Context, in *StatusRequest, opts ...grpc.CallOption) (*StatusResponse, error)
	// Diagnose looks, now, at this server and at each server behind its store for what endangers leases: what is set up
	// unsafely, what is about to run out, what went wrong of late. docs/doctor.md has all that it looks for. It changes
	// nothing, asks each server behind the store some twenty short questions, and answers within 2.5 s also when the
	// store does not: that is a finding.
	//
	// Read only; safe to retry, with other findings as time passes. No errors of its own.
	Diagnose(ctx context.Context, in *DiagnoseRequest, opts ...grpc.CallOption) (*DiagnoseResponse, error)
}

type adminServiceClient struct {
	cc grpc.ClientConnInterface
}

func NewAdminServiceClient(cc grpc.ClientConnInterface) AdminServiceClient {
	return &adminServiceClient{cc}
}

func (c *adminServiceClient) ForceRelease(ctx context.Context, in *ForceReleaseRequest, opts ...grpc.CallOption) (*ForceReleaseResponse, error) {
	cOpts := append([]grpc.CallOption{grpc.StaticMethod()}, opts...)
	out := new(ForceReleaseResponse)
	err := c.cc.Invoke(ctx, AdminService_ForceRelease_FullMethodName, in, out, cOpts...)
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (c *adminServiceClient) RequestRelease(ctx context.Context, in *RequestReleaseRequest, opts ...grpc.CallOption) (*RequestReleaseResponse, error) {
	cOpts := append([]grpc.CallOption{grpc.StaticMethod()}, opts...)
	out := new(RequestReleaseResponse)
	err := c.cc.Invoke(ctx, AdminService_RequestRelease_FullMethodName, in, out, cOpts...)
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (c *adminServiceClient) Status(ctx context.Context, in *StatusRequest, opts ...grpc.CallOption) (*StatusResponse, error) {
	cOpts := append([]grpc.CallOption{grpc.StaticMethod()}, opts...)
	out := new(StatusResponse)
	err := c.cc.Invoke(ctx, AdminService_Status_FullMethodName, in, out, cOpts...)
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (c *adminServiceClient) Diagnose(ctx context.Context, in *DiagnoseRequest, opts ...grpc.CallOption) (*DiagnoseResponse, error) {
	cOpts := append([]grpc.CallOption{grpc.StaticMethod()}, opts...)
	out := new(DiagnoseResponse)
	err := c.cc.Invoke(ctx, AdminService_Diagnose_FullMethodName, in, out, cOpts...)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// AdminServiceServer is the server API for AdminService service.
// All implementations must embed UnimplementedAdminServiceServer
// for forward compatibility.
//
// AdminService is for operators.
type AdminServiceServer interface {
	// ForceRelease ends the lease that holds a name with exactly this token; the holder's next renewal
	// answers LEASE_LOST, and a holder with a Session is told at once. Comparing the token, it can
	// never break the next holder. Only the token protects from what the former holder still does.
	//
	// A retry after success answers TOKEN_NOT_IN_FORCE and harms nobody.
	// Errors: TOKEN_NOT_IN_FORCE, STORE_UNAVAILABLE, INVALID_ARGUMENT (no reason given).
	ForceRelease(context.Context, *ForceReleaseRequest) (*ForceReleaseResponse, error)
	// RequestRelease asks the holder of a name, with exactly this token, to release it: over its Session, at whichever
	// server that is, also if it comes there only later. With force_in the lease is ended by force after that, if it still
	// stands, as ForceRelease does; every server that has heard of the request does so, the one that answered it first,
	// so the force is missed only if all of them have gone. A holder without a Session hears nothing.
	//
	// The answer says that it was passed on, not that anybody heard it. Asked again, the earlier end counts.
	// Safe to retry. Errors: TOKEN_NOT_IN_FORCE, STORE_UNAVAILABLE, OVERLOADED, INVALID_ARGUMENT (no reason given).
	RequestRelease(context.Context, *RequestReleaseRequest) (*RequestReleaseResponse, error)
	// Status describes this server, its store and the store's nodes, as last checked.
	//
	// Read only. It answers also when the store does not.
	Status(context.Context, *StatusRequest) (*StatusResponse, error)
	// Diagnose looks, now, at this server and at each server behind its store for what endangers leases: what is set up
	// unsafely, what is about to run out, what went wrong of late. docs/doctor.md has all that it looks for. It changes
	// nothing, asks each server behind the store some twenty short questions, and answers within 2.5 s also when the
	// store does not: that is a finding.
	//
	// Read only; safe to retry, with other findings as time passes. No errors of its own.
	Diagnose(context.Context, *DiagnoseRequest) (*DiagnoseResponse, error)
	mustEmbedUnimplementedAdminServiceServer()
}

// UnimplementedAdminServiceServer must be embedded to have
// forward compatible implementations.
//
// NOTE: this should be embedded by value instead of pointer to avoid a nil
// pointer dereference when methods are called.
type UnimplementedAdminServiceServer struct{}

func (UnimplementedAdminServiceServer) ForceRelease(context.Context, *ForceReleaseRequest) (*ForceReleaseResponse, error) {
	return nil, status.Error(codes.Unimplemented, "method ForceRelease not implemented")
}
func (UnimplementedAdminServiceServer) RequestRelease(context.Context, *RequestReleaseRequest) (*RequestReleaseResponse, error) {
	return nil, status.Error(codes.Unimplemented, "method RequestRelease not implemented")
}
func (UnimplementedAdminServiceServer) Status(context.Context, *StatusRequest) (*StatusResponse, error) {
	return nil, status.Error(codes.Unimplemented, "method Status not implemented")
}
func (UnimplementedAdminServiceServer) Diagnose(context.Context, *DiagnoseRequest) (*DiagnoseResponse, error) {
	return nil, status.Error(codes.Unimplemented, "method Diagnose not implemented")
}
func (UnimplementedAdminServiceServer) mustEmbedUnimplementedAdminServiceServer() {}
func (UnimplementedAdminServiceServer) testEmbeddedByValue()                      {}

// UnsafeAdminServiceServer may be embedded to opt out of forward compatibility for this service.
// Use of this interface is not recommended, as added methods to AdminServiceServer will
// result in compilation errors.
type UnsafeAdminServiceServer interface {
	mustEmbedUnimplementedAdminServiceServer()
}

func RegisterAdminServiceServer(s grpc.ServiceRegistrar, srv AdminServiceServer) {
	// If the following call panics, it indicates UnimplementedAdminServiceServer was
	// embedded by pointer and is nil.  This will cause panics if an
	// unimplemented method is ever invoked, so we test this at initialization
	// time to prevent it from happening at runtime later due to I/O.
	if t, ok := srv.(interface{ testEmbeddedByValue() }); ok {
		t.testEmbeddedByValue()
	}
	s.RegisterService(&AdminService_ServiceDesc, srv)
}

func _AdminService_ForceRelease_Handler(srv interface{}, ctx context.Context, dec func(interface{}) error, interceptor grpc.UnaryServerInterceptor) (interface{}, error) {
	in := new(ForceReleaseRequest)
	if err := dec(in); err != nil {
		return nil, err
	}
	if interceptor == nil {
		return srv.(AdminServiceServer).ForceRelease(ctx, in)
	}
	info := &grpc.UnaryServerInfo{
		Server:     srv,
		FullMethod: AdminService_ForceRelease_FullMethodName,
	}
	handler := func(ctx context.Context, req interface{}) (interface{}, error) {
		return srv.(AdminServiceServer).ForceRelease(ctx, req.(*ForceReleaseRequest))
	}
	return interceptor(ctx, in, info, handler)
}

func _AdminService_RequestRelease_Handler(srv interface{}, ctx context.Context, dec func(interface{}) error, interceptor grpc.UnaryServerInterceptor) (interface{}, error) {
	in := new(RequestReleaseRequest)
	if err := dec(in); err != nil {
		return nil, err
	}
	if interceptor == nil {
		return srv.(AdminServiceServer).RequestRelease(ctx, in)
	}
	info := &grpc.UnaryServerInfo{
		Server:     srv,
		FullMethod: AdminService_RequestRelease_FullMethodName,
	}
	handler := func(ctx context.Context, req interface{}) (interface{}, error) {
		return srv.(AdminServiceServer).RequestRelease(ctx, req.(*RequestReleaseRequest))
	}
	return interceptor(ctx, in, info, handler)
}

func _AdminService_Status_Handler(srv interface{}, ctx context.Context, dec func(interface{}) error, interceptor grpc.UnaryServerInterceptor) (interface{}, error) {
	in := new(StatusRequest)
	if err := dec(in); err != nil {
		return nil, err
	}
	if interceptor == nil {
		return srv.(AdminServiceServer).Status(ctx, in)
	}
	info := &grpc.UnaryServerInfo{
		Server:     srv,
		FullMethod: AdminService_Status_FullMethodName,
	}
	handler := func(ctx context.Context, req interface{}) (interface{}, error) {
		return srv.(AdminServiceServer).Status(ctx, req.(*StatusRequest))
	}
	return interceptor(ctx, in, info, handler)
}

func _AdminService_Diagnose_Handler(srv interface{}, ctx context.Context, dec func(interface{}) error, interceptor grpc.UnaryServerInterceptor) (interface{}, error) {
	in := new(DiagnoseRequest)
	if err := dec(in); err != nil {
		return nil, err
	}
	if interceptor == nil {
		return srv.(AdminServiceServer).Diagnose(ctx, in)
	}
	info := &grpc.UnaryServerInfo{
		Server:     srv,
		FullMethod: AdminService_Diagnose_FullMethodName,
	}
	handler := func(ctx context.Context, req interface{}) (interface{}, error) {
		return srv.(AdminServiceServer).Diagnose(ctx, req.(*DiagnoseRequest))
	}
	return interceptor(ctx, in, info, handler)
}

// AdminService_ServiceDesc is the grpc.ServiceDesc for AdminService service.
// It's only intended for direct use with grpc.RegisterService,
// and not to be introspected or modified (even as a copy)
var AdminService_ServiceDesc = grpc.ServiceDesc{
	ServiceName: "lockd.v1.AdminService",
	HandlerType: (*AdminServiceServer)(nil),
	Methods: []grpc.MethodDesc{
		{
			MethodName: "ForceRelease",
			Handler:    _AdminService_ForceRelease_Handler,
		},
		{
			MethodName: "RequestRelease",
			Handler:    _AdminService_RequestRelease_Handler,
		},
		{
			MethodName: "Status",
			Handler:    _AdminService_Status_Handler,
		},
		{
			MethodName: "Diagnose",
			Handler:    _AdminService_Diagnose_Handler,
		},
	},
	Streams:  []grpc.StreamDesc{},
	Metadata: "proto/lockd/v1/lockd.proto",
}
