package redlock

import (
	_ "embed"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/redisconn"
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

	// measured are those that are called while leases are kept, by the names of their files.
	measured = map[string]*redis.Script{"batch": batchScript, "plant": plantScript}
)

// reply is a script's to one operation.
type reply = redisconn.Reply
