package lockd

import "time"

// leaseHeap orders leases by when they need attention, the next one first. Each lease knows its place, so that
// it can be moved and taken out. It is container/heap for one type, with the times beside one another: moving one of
// ten thousand leases is a good part of what its renewal costs here, and most of that was reaching for the
// others.
type leaseHeap []place

// place is a lease in a leaseHeap, and what its at was when it was put there.
type place struct {
	at time.Time
	*Lease
}

func (h *leaseHeap) push(l *Lease) {
	*h = append(*h, place{l.due.at, l})
	h.up(len(*h) - 1)
}

// remove takes out the lease at i.
func (h *leaseHeap) remove(i int) {
	last := len(*h) - 1
	(*h)[i].index = -1
	moved := (*h)[last]
	(*h)[last] = place{}
	*h = (*h)[:last]
	if i < last {
		(*h)[i] = moved
		h.fix(i)
	}
}

// fix restores the order after the lease at i has changed.
func (h leaseHeap) fix(i int) {
	h[i].at = h[i].due.at
	if !h.down(i) {
		h.up(i)
	}
}

// init restores the order after any of them have changed.
func (h leaseHeap) init() {
	for i := len(h) - 1; i >= 0; i-- {
		h[i].at = h[i].due.at
		h.down(i)
	}
}

func (h leaseHeap) up(i int) {
	moving := h[i]
	for i > 0 {
		parent := (i - 1) / 2
		if !moving.at.Before(h[parent].at) {
			break
		}
		h.set(i, h[parent])
		i = parent
	}
	h.set(i, moving)
}

// down reports whether the lease at i went there.
func (h leaseHeap) down(i int) bool {
	moving, begin := h[i], i
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if right := child + 1; right < len(h) && h[right].at.Before(h[child].at) {
			child = right
		}
		if !h[child].at.Before(moving.at) {
			break
		}
		h.set(i, h[child])
		i = child
	}
	h.set(i, moving)
	return i > begin
}

func (h leaseHeap) set(i int, p place) {
	h[i], p.index = p, i
}
