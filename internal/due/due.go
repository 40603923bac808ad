// Package due keeps things in the order of their times, the first one at hand: what runs out, what is to be looked at
// again. Adding, moving and removing one of n costs O(log n), and no allocation but the heap's own room.
package due

import (
	"container/heap"
	"time"
)

// Item is what a Heap holds. It knows its place, so that it can be moved and removed.
type Item interface {
	// Due is its time. When that has changed the heap is to be told, see Heap.Fix.
	Due() time.Time
	// Moved is told its place in the heap, which may change with any change of the heap.
	Moved(to int)
}

// Heap holds items, at 0 one that is due first; the others are in no order. The zero value is empty. Any element may be
// read, and none be set but by the methods. It is for one goroutine at a time.
type Heap[T Item] []T

// Add puts item in, once.
func (h *Heap[T]) Add(item T) { heap.Push((*order[T])(h), item) }

// Fix moves the item at this place to where its time, which has changed, belongs.
func (h *Heap[T]) Fix(at int) { heap.Fix((*order[T])(h), at) }

// Remove takes the item at this place out, which is told no place any more.
func (h *Heap[T]) Remove(at int) { heap.Remove((*order[T])(h), at) }

// First answers one that is due first; false if there is nothing.
func (h Heap[T]) First() (first T, is bool) {
	if len(h) == 0 {
		return first, false
	}
	return h[0], true
}

// order is a Heap as container/heap wants it.
type order[T Item] []T

func (x order[T]) Len() int           { return len(x) }
func (x order[T]) Less(i, j int) bool { return x[i].Due().Before(x[j].Due()) }

func (x order[T]) Swap(i, j int) {
	x[i], x[j] = x[j], x[i]
	x[i].Moved(i)
	x[j].Moved(j)
}

// Push implements heap.Interface.
func (x *order[T]) Push(item any) {
	added := item.(T)
	added.Moved(len(*x))
	*x = append(*x, added)
}

// Pop implements heap.Interface.
func (x *order[T]) Pop() any {
	var none T
	last := len(*x) - 1
	item := (*x)[last]
	(*x)[last] = none // or the array would keep it from the garbage collector
	*x = (*x)[:last]
	return item
}
