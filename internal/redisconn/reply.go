package redisconn

import (
	"strconv"
	"time"
)

// Reply is what a script of ours says of one operation: a word, then what its header says; or a value alone. What is not
// there, or not of that kind, reads as nothing.
type Reply []any

// Replies reads those of a list. A value alone is said for short, without a list of its own.
func Replies(list []any) []Reply {
	replies := make([]Reply, len(list))
	for i, r := range list {
		if fields, ok := r.([]any); ok {
			replies[i] = fields
		} else {
			replies[i] = list[i : i+1 : i+1]
		}
	}
	return replies
}

// Kind is the word.
func (r Reply) Kind() string { return r.Text(0) }

// Text is the one at i.
func (r Reply) Text(i int) string {
	if i >= len(r) {
		return ""
	}
	s, _ := r[i].(string)
	return s
}

// Number is the one at i, of Redis's own kind.
func (r Reply) Number(i int) int64 {
	if i >= len(r) {
		return 0
	}
	n, _ := r[i].(int64)
	return n
}

// Decimal is a number that a script spelled out, to keep its digits.
func (r Reply) Decimal(i int) int64 {
	n, _ := strconv.ParseInt(r.Text(i), 10, 64)
	return n
}

// Millis is a number of milliseconds.
func (r Reply) Millis(i int) time.Duration { return time.Duration(r.Number(i)) * time.Millisecond }
