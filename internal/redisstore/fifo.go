package redisstore

import "slices"

// fifo is a queue in one array: what was taken leaves room that is used again.
type fifo[T any] struct {
	items []T
	taken int // of items, at their beginning
}

func (q *fifo[T]) len() int { return len(q.items) - q.taken }

// waiting answers what nobody has taken, oldest first, until q is used again.
func (q *fifo[T]) waiting() []T { return q.items[q.taken:] }

func (q *fifo[T]) push(some ...T) {
	if q.taken > 0 && 2*q.taken >= len(q.items) {
		n := copy(q.items, q.waiting())
		clear(q.items[n:])
		q.items, q.taken = q.items[:n], 0
	}
	q.items = append(q.items, some...)
}

// putBack puts what was taken before all others again.
func (q *fifo[T]) putBack(some ...T) { q.items, q.taken = slices.Concat(some, q.waiting()), 0 }

// take takes the n oldest away. The array of a burst goes with the last of it.
func (q *fifo[T]) take(n int) {
	const burst = 1024
	clear(q.items[q.taken : q.taken+n])
	q.taken += n
	if q.taken == len(q.items) && cap(q.items) > burst {
		*q = fifo[T]{}
	}
}
