package lease

// SetPending makes it look as though so many cleanups were under way: the race detector cannot watch
// as many goroutines as they would be. It returns what undoes that.
func (l *Lessor) SetPending(n int64) (restore func()) {
	l.cleanup.pending.Add(n)
	return func() { l.cleanup.pending.Add(-n) }
}

// MaxPending is how many cleanups there may be; at half of it no acquisition is taken on.
const MaxPending = maxPending
