package redisstore

import "testing"

// What is put in comes out in order, and a queue that is never empty takes no more room for it.
func TestAQueueThatIsNeverEmptyKeepsTheOrderAndItsRoom(t *testing.T) {
	const all = 256
	var q fifo[int]
	put, taken := 0, 0
	for range 10 * all {
		for put < taken+all {
			put++
			q.push(put)
		}
		for _, n := range []int{1, 3} {
			got := q.waiting()
			for i := range n {
				if taken++; got[i] != taken {
					t.Fatalf("%d comes out, want %d", got[i], taken)
				}
			}
			q.take(n)
		}
		if n := len(q.items); n > 2*all {
			t.Fatalf("the queue takes room for %d, want at most %d", n, 2*all)
		}
	}
}
