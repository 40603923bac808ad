package redlock

import (
	_ "embed"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// The scripts, each with its contract in its header.
var (
	//go:embed scripts/value.lua
	valueLua string
	//go:embed scripts/batch.lua
	batchLua string
	//go:embed scripts/plant.lua
	plantLua string

	batchScript = redis.NewScript(valueLua + batchLua)
	plantScript = redis.NewScript(valueLua + plantLua)
)

// reply is a script's reply to one operation: a word, then what its header says; or a value alone.
type reply []any

func (r reply) kind() string { return r.text(0) }

func (r reply) text(i int) string {
	if i >= len(r) {
		return ""
	}
	s, _ := r[i].(string)
	return s
}

func (r reply) number(i int) int64 {
	if i >= len(r) {
		return 0
	}
	n, _ := r[i].(int64)
	return n
}

func (r reply) millis(i int) time.Duration { return time.Duration(r.number(i)) * time.Millisecond }

// decimal is a number that a script spelled out, to keep its digits.
func (r reply) decimal(i int) int64 {
	n, _ := strconv.ParseInt(r.text(i), 10, 64)
	return n
}
