package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// address is where to listen: host:port, or a unix socket.
type address struct {
	network string // "tcp" or "unix"
	at      string // host:port, or the socket's path
}

func parseAddress(text string) (address, error) {
	const want = "want host:port, such as 127.0.0.1:7420, or unix:///path/to.sock"
	if path, ok := strings.CutPrefix(text, "unix://"); ok {
		if !strings.HasPrefix(path, "/") {
			return address{}, errors.New("the socket's path is not absolute; want unix:///path/to.sock with three slashes")
		}
		return address{network: "unix", at: path}, nil
	}
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return address{}, errors.New(want)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return address{}, fmt.Errorf("the port is %q; want a number from 0 (any that is free) to 65535", port)
	}
	return address{network: "tcp", at: text}, nil
}

// local reports whether only this machine can reach a. A name other than localhost may mean any
// machine, and nobody is asked; no host means every interface.
func (a address) local() bool {
	if a.network == "unix" {
		return true
	}
	host, _, _ := net.SplitHostPort(a.at)
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// listen listens at a; reached allows a place that other machines reach.
func (a address) listen(reached bool) (net.Listener, error) {
	l, err := net.Listen(a.network, a.at)
	if errors.Is(err, syscall.EADDRINUSE) && a.network == "unix" && abandoned(a.at) {
		// Left behind by a lockd that was killed. Nobody listens, so nobody loses it.
		if err := os.Remove(a.at); err != nil {
			return nil, fmt.Errorf("listen on %s: remove the socket that is left there: %w", a.at, err)
		}
		l, err = net.Listen(a.network, a.at)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", a.at, err)
	}
	// Only now it is known where a name led.
	if tcp, ok := l.Addr().(*net.TCPAddr); ok && !reached && !tcp.IP.IsLoopback() {
		_ = l.Close()
		return nil, usageError{fmt.Errorf("%s is %s here, which is reached from other machines, and in plaintext; want a loopback address, "+
			"tls-cert and tls-key, or --insecure", a.at, tcp)}
	}
	return l, nil
}

// abandoned reports whether path is a socket that nobody listens on.
func abandoned(path string) bool {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Type() != os.ModeSocket {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err == nil {
		_ = conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// shown is how a listener's address is written in the log, as clients take it.
func shown(l net.Listener) string {
	if l == nil {
		return "off"
	}
	if l.Addr().Network() == "unix" {
		return "unix://" + l.Addr().String()
	}
	return l.Addr().String()
}
