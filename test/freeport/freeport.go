// Package freeport finds TCP ports for processes that a test starts, stops and starts again on the same port.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports are taken from below the range that systems hand out for outgoing connections (Linux: from
// 32768, macOS: from 49152), so that no connection takes a port while its server restarts.
const (
	first = 12_000
	last  = 32_000
)

// Find returns "127.0.0.1:PORT" that nothing listened on a moment ago. Another process may take it
// first: who starts a server there tries again with another.
func Find() (string, error) {
	var err error
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", first+rand.N(last-first))
		var l net.Listener
		if l, err = net.Listen("tcp", addr); err == nil {
			return addr, l.Close()
		}
	}
	return "", fmt.Errorf("no free port between %d and %d: %w", first, last, err)
}
