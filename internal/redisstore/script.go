package redisstore

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
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
	// errDesynchronised: the reply was another call's, so nothing is known of this one.
	errDesynchronised = errors.New("the connection is desynchronised: it answered another call")
	// errReplies: a script of ours answered what its header does not say. What it did is unknown.
	errReplies = errors.New("the script did not answer one reply for each operation")
	// errNotSent: calls that were made before took until the deadline, so nothing was sent.
	errNotSent = errors.New("redis has not answered those who asked before")
	// errNoConnection: every connection was busy until the call's deadline, so nothing was sent.
	errNoConnection = errors.New("all connections are busy")
)

// answer is what a script returned.
type answer struct {
	time    int64 // Redis's TIME in µs; 0 if the script does not tell
	replies []reply
}

// run executes script once. After NOSCRIPT, when nothing was done, it is loaded and called once more.
// Errors are go-redis's or errDesynchronised; see failed.
func (s *Store) run(ctx context.Context, script *redis.Script, keys []string, args ...any) (answer, error) {
	room := s.room(ctx)
	select {
	case room <- struct{}{}:
		defer func() { <-room }()
	case <-ctx.Done():
		return answer{}, errNoConnection
	}
	if ctx.Err() != nil { // both came at once, or it had ended before; go-redis would not say that nothing was sent
		return answer{}, errNoConnection
	}
	list := make([]any, len(keys))
	for i := range keys {
		list[i] = &keys[i]
	}
	return s.execute(ctx, script, list, args)
}

// execute is run with keys as go-redis wants them: strings, or pointers to strings; and for one of those
// calls that there are connections for.
func (s *Store) execute(ctx context.Context, script *redis.Script, keys, args []any) (answer, error) {
	nonce := strconv.FormatUint(rand.Uint64(), 16)
	sent := time.Now()
	raw, unconfirmed, err := s.evaluate(ctx, script, keys, nonce, args)
	if err != nil {
		if !strings.Contains(err.Error(), "WRONGTYPE") { // that is about one name
			s.unanswered()
		}
		if redis.HasErrorPrefix(err, "READONLY") {
			s.conns.dropAll() // all of them lead to what was a primary; new ones ask where that is now
		}
		return answer{}, err
	}
	a, ok := decodeAnswer(raw, nonce)
	if !ok {
		s.front.desynchronised.Add(1)
		s.conns.dropAll()
		s.notice(fmt.Sprintf("redis at %s answered one call with another's reply; all connections were dropped", s.address))
		return answer{}, errDesynchronised
	}
	if a.time != 0 {
		s.clock.learn(sent, a.time)
	}
	if unconfirmed != "" {
		withhold(a.replies, unconfirmed)
	}
	return a, nil
}

// evaluate is redis.Script's Run for arguments that are not copied once more. What unconfirmed says, see do.
func (s *Store) evaluate(ctx context.Context, script *redis.Script, keys []any, nonce string, args []any) (raw any, unconfirmed string, err error) {
	command := make([]any, 0, 4+len(keys)+len(args))
	command = append(command, "evalsha", script.Hash(), len(keys))
	command = append(append(append(command, keys...), nonce), args...)
	if s.cluster != nil {
		raw, err = s.doInCluster(ctx, script, s.keys.fence(), command)
		return raw, "", err
	}
	raw, unconfirmed, err = s.do(ctx, script, command)
	if err == nil || !redis.HasErrorPrefix(err, "NOSCRIPT") {
		return raw, unconfirmed, err
	}
	if err := script.Load(ctx, s.client).Err(); err != nil {
		return nil, "", &dialError{err} // as certain as that: the script has not run
	}
	return s.do(ctx, script, command)
}

// decodeAnswer reads {nonce, TIME, replies}; false means it is not the answer to the call of nonce.
func decodeAnswer(raw any, nonce string) (answer, bool) {
	list, ok := raw.([]any)
	if !ok || len(list) != 3 || list[0] != nonce {
		return answer{}, false
	}
	var a answer
	if text, _ := list[1].(string); text != "" {
		a.time, _ = strconv.ParseInt(text, 10, 64)
	}
	replies, ok := list[2].([]any)
	if !ok {
		return answer{}, false
	}
	a.replies = make([]reply, len(replies))
	for i, r := range replies {
		if fields, ok := r.([]any); ok {
			a.replies[i] = fields
		} else {
			a.replies[i] = replies[i : i+1 : i+1] // a value alone, which is said for short
		}
	}
	return a, true
}

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

// decimal is a number that a script spelled out, to keep its digits.
func (r reply) decimal(i int) int64 {
	n, _ := strconv.ParseInt(r.text(i), 10, 64)
	return n
}

func (r reply) millis(i int) time.Duration { return time.Duration(r.number(i)) * time.Millisecond }

// lease decodes the value at 1. ttl 0 means the value's own.
func (r reply) lease(name string, ttl, expiresIn time.Duration) (lease.Lease, error) {
	l, err := decodeLock(r.text(1))
	if err != nil {
		return lease.Lease{}, err
	}
	return l.lease(name, ttl, expiresIn), nil
}

// problem is the error of an operation that the script could not do.
func (r reply) problem() error {
	if r.kind() == "UNCONFIRMED" {
		return r.unconfirmed()
	}
	if r.kind() != "ERROR" {
		return fmt.Errorf("script answered %q", r.kind())
	}
	return fromRedis(r.text(1))
}

// failed names a failed call by what is known of its effect.
func (s *Store) failed(op, name string, err error) error {
	var answered redis.Error
	var notSent *dialError
	switch {
	case errors.As(err, &notSent), errors.Is(err, errNoConnection), errors.Is(err, errNotSent), errors.Is(err, redis.ErrClosed):
		return fmt.Errorf("%s %q: %w: %w", op, name, lease.ErrUnavailable, err)
	case errors.As(err, &answered):
		// Redis said no to the script, or the script raised where it had written nothing.
		return fmt.Errorf("%s %q: %w", op, name, fromRedis(answered.Error()))
	default:
		return fmt.Errorf("%s %q: %w: %w", op, name, lease.ErrUnknown, err)
	}
}

// fromRedis turns Redis's word for why it did nothing into ours.
func fromRedis(text string) error {
	kind := lease.ErrUnavailable
	if strings.Contains(text, "OOM ") { // Redis 6 puts the script's name before it
		kind = lease.ErrStoreFull
	}
	return fmt.Errorf("%w: redis says: %s", kind, text)
}
