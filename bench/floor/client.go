package floor

import (
	"context"
	"runtime"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protowire"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// Client is one stream. What is asked for while a message is on its way to gRPC goes together into the next one, which
// the one who sent the former sends.
type Client struct {
	conn   *grpc.ClientConn
	stream grpc.ClientStream
	cancel context.CancelFunc
	read   chan struct{} // closed when nothing is read any more

	mu      sync.Mutex
	out     []byte // asked for and not sent
	sent    []byte // the message before, for its room
	sending bool
	askers  []*Asker // the first asks for the operation 1, and for no other
	err     error
}

// Open opens a stream to the server at addr.
func Open(addr string) (*Client, error) {
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(codec{})),
		grpc.WithInitialWindowSize(streamWindow), grpc.WithInitialConnWindowSize(connWindow))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &Client{conn: conn, cancel: cancel, read: make(chan struct{})}
	c.stream, err = conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, lockdv1.LeaseService_Session_FullMethodName, grpc.WaitForReady(true))
	if err != nil {
		cancel()
		_ = conn.Close()
		return nil, err
	}
	go c.hear()
	return c, nil
}

// Close ends the stream.
func (c *Client) Close() {
	c.cancel()
	<-c.read
	_ = c.conn.Close() // it fails only when called twice
}

// Asker asks for one thing at a time.
type Asker struct {
	client *Client
	place  uint64
	name   string
	told   chan error
}

// Asker returns one for a name.
func (c *Client) Asker(name string) *Asker {
	a := &Asker{client: c, name: name, told: make(chan error, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.askers = append(c.askers, a)
	a.place = uint64(len(c.askers))
	return a
}

// Acquire returns when there is an answer, as do Release and Renew.
func (a *Asker) Acquire(leaseID string, ttl time.Duration) error {
	a.begin(acquire, leaseID, ttl)
	return a.client.sendAndAwait(a)
}

// Release releases.
func (a *Asker) Release(leaseID string) error {
	a.begin(release, leaseID, 0)
	return a.client.sendAndAwait(a)
}

// Renew asks for the renewal of the leases of all at once.
func (c *Client) Renew(all []*Asker, leaseID string, ttl time.Duration) error {
	for _, a := range all {
		a.begin(renew, leaseID, ttl)
	}
	c.send()
	for _, a := range all {
		if err := <-a.told; err != nil {
			return err
		}
	}
	return nil
}

func (a *Asker) begin(kind protowire.Number, leaseID string, ttl time.Duration) {
	c := a.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		a.fail(c.err)
	} else {
		c.out = ask(c.out, a.place, kind, a.name, leaseID, ttl)
	}
}

// fail tells of the stream's end, which may have been told already.
func (a *Asker) fail(err error) {
	select {
	case a.told <- err:
	default:
	}
}

func (c *Client) sendAndAwait(a *Asker) error {
	c.send()
	return <-a.told
}

// send sends what is to be sent, unless somebody does.
func (c *Client) send() {
	c.mu.Lock()
	if c.sending {
		c.mu.Unlock()
		return
	}
	c.sending = true
	c.mu.Unlock()
	for {
		runtime.Gosched() // whoever is about to ask as well goes first
		c.mu.Lock()
		if len(c.out) == 0 || c.err != nil {
			c.sending = false
			c.mu.Unlock()
			return
		}
		m := message{c.out}
		c.out, c.sent = c.sent[:0], c.out
		c.mu.Unlock()
		_ = c.stream.SendMsg(&m) // hear learns why
	}
}

// hear wakes those who are answered, until the stream ends.
func (c *Client) hear() {
	defer close(c.read)
	var in message
	for {
		err := c.stream.RecvMsg(&in)
		c.mu.Lock()
		if err != nil {
			c.err = err
			for _, a := range c.askers {
				a.fail(err)
			}
			c.mu.Unlock()
			return
		}
		each(in.data, func(_ protowire.Number, _ uint64, b []byte) {
			each(b, func(field protowire.Number, number uint64, _ []byte) {
				if field == id {
					c.askers[number-1].told <- nil
				}
			})
		})
		c.mu.Unlock()
	}
}
