package redisconn

import (
	"net"
	"time"
)

// stillborn is a connection that could not be made. go-redis's pool stops dialling for up to a second once as many
// tries have failed as it has room for connections, also when Redis is back at once. So it is told of none,
// and the first command on the connection, which is go-redis's own, finds out.
type stillborn struct{ err error }

func (c stillborn) Read([]byte) (int, error)         { return 0, c.err }
func (c stillborn) Write([]byte) (int, error)        { return 0, c.err }
func (c stillborn) Close() error                     { return nil }
func (c stillborn) LocalAddr() net.Addr              { return &net.UnixAddr{} }
func (c stillborn) RemoteAddr() net.Addr             { return &net.UnixAddr{} }
func (c stillborn) SetDeadline(time.Time) error      { return nil }
func (c stillborn) SetReadDeadline(time.Time) error  { return nil }
func (c stillborn) SetWriteDeadline(time.Time) error { return nil }
