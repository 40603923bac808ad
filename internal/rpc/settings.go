package rpc

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// What a client may send, hold open and cost. grpc-go's own defaults are made for trusted peers:
// headers of 16 MiB, streams without number, handshakes of two minutes, dead peers noticed after hours.
const (
	maxRequest = 64 << 10 // bytes of a message; a legal one has less than 8 KiB
	maxReply   = 1 << 20  // bytes of a message
	maxHeader  = 16 << 10 // bytes of a call's header list: a bearer token fits, a flood does not
	// maxStreams is the number of calls a connection may have open. Waiters and renewals share it, and
	// a client that reaches it holds its own renewals back, so it is far above any sane use.
	maxStreams = 10_000
	// Windows of a fixed size: gRPC would otherwise ask the client after every few messages how much is
	// under way, which costs a busy session a tenth of its processor time. A session's messages are small.
	streamWindow = 256 << 10 // bytes that a client may send on a stream before any is read
	connWindow   = 1 << 20   // and on all of its streams together
	// handshake bounds the time from accept to the client's HTTP/2 settings.
	handshake = 5 * time.Second
	// A connection that is silent for pingAfter is asked, and closed if nothing comes for pingTimeout:
	// those who wait on a vanished client's behalf are gone within the sum.
	pingAfter   = 10 * time.Second
	pingTimeout = 5 * time.Second
	// minPing is how often a client may ask in its turn, also while it has no call open. grpc-go's
	// default of five minutes would cut every client that cares to notice a dead server.
	minPing = 10 * time.Second
	// callMargin is what a call may take beyond the wait it asked for: several store calls.
	callMargin = 5 * time.Second
	// sessionsEndIn is how long clients have, once they were told that the server is draining, to go on
	// elsewhere and close their session.
	sessionsEndIn = 2 * time.Second
)

// settings are the options of the gRPC server, interceptors included.
func settings(a *around) []grpc.ServerOption {
	speaks := speaking{insecure.NewCredentials(), a.ending}
	if tls := a.guard.TLS("h2"); tls != nil {
		speaks.TransportCredentials = credentials.NewTLS(tls)
	}
	return []grpc.ServerOption{
		grpc.Creds(speaks),
		grpc.ChainUnaryInterceptor(a.unaryCall, a.recoverUnary(), a.admitUnary, a.limitUnary, boundUnary),
		grpc.ChainStreamInterceptor(a.streamCall, a.recoverStream(), a.admitStream, a.limitStream, a.endStream),
		grpc.ForceServerCodecV2(newCodec()),
		grpc.MaxRecvMsgSize(maxRequest),
		grpc.MaxSendMsgSize(maxReply),
		grpc.MaxHeaderListSize(maxHeader),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(handshake),
		grpc.InitialWindowSize(streamWindow),
		grpc.InitialConnWindowSize(connWindow),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingAfter, Timeout: pingTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPing, PermitWithoutStream: true}),
		// Without it Stop returns while handlers still run, and the store would be closed under them.
		grpc.WaitForHandlers(true),
	}
}
