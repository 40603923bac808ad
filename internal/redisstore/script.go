package redisstore

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redisconn"
)

// The scripts, each with its contract in its header.
var (
	//go:embed scripts/value.lua
	valueLua string
	//go:embed scripts/event.lua
	eventLua string
	//go:embed scripts/grant.lua
	grantLua string
	//go:embed scripts/alive.lua
	aliveLua string
	//go:embed scripts/line.lua
	lineLua string

	//go:embed scripts/batch.lua
	batchLua string
	//go:embed scripts/look.lua
	lookLua string

	//go:embed scripts/queue.lua
	queueLua string
	//go:embed scripts/free.lua
	freeLua string
	//go:embed scripts/leave.lua
	leaveLua string
	//go:embed scripts/promote.lua
	promoteLua string
	//go:embed scripts/standing.lua
	standingLua string
	//go:embed scripts/beat.lua
	beatLua string

	// Several names at once, whose lines, if there are any, are not looked into.
	batchScript = newScript(eventLua, grantLua, batchLua)
	lookScript  = newScript(lookLua)

	// One name and its line.
	queueScript    = newLineScript(queueLua)
	freeScript     = newLineScript(freeLua)
	leaveScript    = newLineScript(leaveLua)
	promoteScript  = newLineScript(promoteLua)
	standingScript = newLineScript(standingLua)

	beatScript = newScript(aliveLua, beatLua)

	allScripts = []*redis.Script{
		batchScript, lookScript,
		queueScript, freeScript, leaveScript, promoteScript, standingScript, beatScript,
	}

	// measured are those that are called while leases are kept, by the names of their files.
	measured = map[string]*redis.Script{
		"batch": batchScript, "look": lookScript, "queue": queueScript, "free": freeScript, "leave": leaveScript,
		"promote": promoteScript, "standing": standingScript, "beat": beatScript,
	}
)

// constants are the contract's and ours, as all scripts know them.
var constants = fmt.Sprintf(`local KEEP_PLACE = %d -- us
local UNCLAIMED = %d -- ms
local ALIVE = %d -- us: an instance whose last beat is older is dead
local COME_BACK = %d -- us: within which all who live listen to a Redis that was started again
local MAX_LINE = %d
`, lease.KeepPlace.Microseconds(), lease.Unclaimed.Milliseconds(), aliveFor.Microseconds(), comeBack.Microseconds(), lease.MaxLine)

// source is a script with what it begins with.
func source(parts ...string) string { return constants + valueLua + strings.Join(parts, "") }

func lineSource(body string) string { return source(eventLua, grantLua, aliveLua, lineLua, body) }

func newScript(parts ...string) *redis.Script { return redis.NewScript(source(parts...)) }
func newLineScript(body string) *redis.Script { return redis.NewScript(lineSource(body)) }

var (
	// errReplies: a script of ours answered what its header does not say. What it did is unknown.
	errReplies = errors.New("the script did not answer one reply for each operation")
	// errNotSent: calls that were made before took until the deadline, so nothing was sent.
	errNotSent = errors.New("redis has not answered those who asked before")
)

// answer is what a script returned.
type answer struct {
	time    int64 // Redis's TIME in µs; 0 if the script does not tell
	replies []reply
}

// run executes script once. After NOSCRIPT, when nothing was done, it is loaded and called once more; while the keys are
// apart it is called again, and between two tries it is not among the calls that are under way.
// Errors are go-redis's or redisconn.ErrDesynchronised; see failed.
func (s *Store) run(ctx context.Context, script *redis.Script, keys []string, args ...any) (answer, error) {
	list := make([]any, len(keys))
	for i := range keys {
		list[i] = &keys[i]
	}
	for pause := firstPause; ; pause = longer(pause) {
		a, err := s.runOnce(ctx, script, list, args)
		if !isApart(err) || script == lookScript || !sleepWithin(ctx, pause) {
			return a, err
		}
	}
}

func (s *Store) runOnce(ctx context.Context, script *redis.Script, keys, args []any) (answer, error) {
	room := s.room(ctx)
	if err := room.Enter(ctx); err != nil {
		return answer{}, err
	}
	defer room.Leave()
	return s.execute(ctx, script, keys, args)
}

// execute is run with keys as go-redis wants them: strings, or pointers to strings; and for one of those
// calls that there are connections for.
func (s *Store) execute(ctx context.Context, script *redis.Script, keys, args []any) (answer, error) {
	nonce := redisconn.Nonce()
	sent := time.Now()
	raw, unconfirmed, err := s.evaluate(ctx, script, keys, nonce, args)
	s.front.meters.Called(script, sent, err)
	if err != nil {
		if !strings.Contains(err.Error(), "WRONGTYPE") { // that is about one name
			s.unanswered()
		}
		if redis.HasErrorPrefix(err, "READONLY") {
			s.conns.DropAll() // all of them lead to what was a primary; new ones ask where that is now
		}
		return answer{}, err
	}
	a, ok := decodeAnswer(raw, nonce)
	if !ok {
		s.front.desynchronised.Add(1)
		s.conns.DropAll()
		s.notice(fmt.Sprintf("redis at %s answered one call with another's reply; all connections were dropped", s.address))
		return answer{}, redisconn.ErrDesynchronised
	}
	if a.time != 0 {
		s.clock.Learn(sent, a.time)
	}
	if unconfirmed != "" {
		withhold(a.replies, unconfirmed)
	}
	return a, nil
}

// evaluate sends the call of nonce. What unconfirmed says, see do.
func (s *Store) evaluate(ctx context.Context, script *redis.Script, keys []any, nonce string, args []any) (raw any, unconfirmed string, err error) {
	command := redisconn.Command(script, keys, nonce, args)
	if s.cluster != nil {
		raw, err = s.doInCluster(ctx, script, firstOf(keys), command)
		return raw, "", err
	}
	raw, err = redisconn.Loaded(ctx, s.client, script, func() (any, error) {
		raw, unconfirmed, err = s.do(ctx, script, command)
		return raw, err
	})
	return raw, unconfirmed, err
}

func firstOf(keys []any) string {
	if key, ok := keys[0].(*string); ok {
		return *key
	}
	return keys[0].(string)
}

// decodeAnswer reads {nonce, TIME, replies}; false means it is not the answer to the call of nonce.
func decodeAnswer(raw any, nonce string) (answer, bool) {
	micros, body, ok := redisconn.Answered(raw, nonce)
	replies, isList := body.([]any)
	if !ok || !isList {
		return answer{}, false
	}
	return answer{time: micros, replies: redisconn.Replies(replies)}, true
}

// reply is a script's to one operation.
type reply = redisconn.Reply

// leaseOf decodes the value at 1. ttl 0 means the value's own.
func leaseOf(r reply, name string, ttl, expiresIn time.Duration) (lease.Lease, error) {
	l, err := decodeLock(r.Text(1))
	if err != nil {
		return lease.Lease{}, err
	}
	return l.lease(name, ttl, expiresIn), nil
}

// problemOf is the error of an operation that the script could not do.
func problemOf(r reply) error {
	if r.Kind() == "UNCONFIRMED" {
		return unconfirmed(r)
	}
	if r.Kind() != "ERROR" {
		return fmt.Errorf("script answered %q", r.Kind())
	}
	return redisconn.FromRedis(r.Text(1))
}

// failed names a failed call by what is known of its effect.
func (s *Store) failed(op, name string, err error) error {
	if errors.Is(err, errNotSent) {
		return fmt.Errorf("%s %q: %w: %w", op, name, lease.ErrUnavailable, err)
	}
	return fmt.Errorf("%s %q: %w", op, name, redisconn.Failed(err))
}
