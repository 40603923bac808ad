package rpc

import (
	"net"
	"sync"
	"time"
)

// late keeps connections for a moment that are not served, before it closes them: whoever is turned away and comes back at
// once does so less often, and accepting and closing is most of what that costs.
type late struct {
	mu    sync.Mutex
	kept  []net.Conn // the first one to be closed first
	until []time.Time
	timer *time.Timer // while there are any
	ended bool
}

const (
	keptFor = 5 * time.Second
	maxLate = 2000 // more are closed at once
)

func (l *late) keep(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended || len(l.kept) >= maxLate {
		turnAway(conn)
		return
	}
	l.kept, l.until = append(l.kept, conn), append(l.until, time.Now().Add(keptFor))
	if l.timer == nil {
		l.timer = time.AfterFunc(keptFor, l.close)
	}
}

// close closes those whose time has come.
func (l *late) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	due := 0
	for now := time.Now(); due < len(l.kept) && !l.until[due].After(now); due++ {
		turnAway(l.kept[due])
	}
	l.kept, l.until = append([]net.Conn(nil), l.kept[due:]...), append([]time.Time(nil), l.until[due:]...)
	l.timer = nil
	if len(l.kept) > 0 {
		l.timer = time.AfterFunc(max(time.Until(l.until[0]), 50*time.Millisecond), l.close)
	}
}

// end closes all of them, and keeps none any more.
func (l *late) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	for _, conn := range l.kept {
		turnAway(conn)
	}
	l.kept, l.until = nil, nil
	if l.timer != nil {
		l.timer.Stop()
	}
}
