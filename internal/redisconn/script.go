package redisconn

import (
	"context"
	"math/rand/v2"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// A script of ours is called with a nonce before its arguments, and answers {nonce, TIME in microseconds or '', what it has
// to say}: a reply with another nonce is another call's.

// Nonce is one of a call.
func Nonce() string { return strconv.FormatUint(rand.Uint64(), 16) }

// Command is redis.Script's EvalSha for arguments that are not copied once more. Keys are strings, or pointers to strings.
func Command(script *redis.Script, keys []any, nonce string, args []any) []any {
	command := make([]any, 0, 4+len(keys)+len(args))
	command = append(command, "evalsha", script.Hash(), len(keys))
	return append(append(append(command, keys...), nonce), args...)
}

// Loaded has send send a script's command to c. After NOSCRIPT, when nothing was done, script is loaded and
// the command sent once more.
func Loaded(ctx context.Context, c redis.Scripter, script *redis.Script, send func() (any, error)) (any, error) {
	raw, err := send()
	if err == nil || !redis.HasErrorPrefix(err, "NOSCRIPT") {
		return raw, err
	}
	if err := script.Load(ctx, c).Err(); err != nil {
		return nil, &DialError{err} // as certain as that: the script has not run
	}
	return send()
}

// Preload loads those scripts that c does not know, so that no call pays for sending them.
func Preload(ctx context.Context, c redis.Scripter, scripts []*redis.Script) error {
	for _, script := range scripts {
		known, err := script.Exists(ctx, c).Result()
		if err != nil {
			return err
		}
		if len(known) == 1 && known[0] {
			continue
		}
		if err := script.Load(ctx, c).Err(); err != nil {
			return err
		}
	}
	return nil
}

// Answered reads what a script answered: Redis's TIME in µs, 0 if it does not tell, and what it has to say. false means
// that it is not the answer to the call of nonce.
func Answered(raw any, nonce string) (micros int64, body any, ok bool) {
	list, ok := raw.([]any)
	if !ok || len(list) != 3 || list[0] != nonce {
		return 0, nil, false
	}
	if text, _ := list[1].(string); text != "" {
		micros, _ = strconv.ParseInt(text, 10, 64)
	}
	return micros, list[2], true
}

// Room holds one for each call under way. Further ones wait there, within their deadlines, and not in go-redis's pool, which
// would not say whether a call that got no connection in time was sent.
type Room chan struct{}

// Enter waits for a place; then Leave has to follow. Errors: ErrNoConnection.
func (r Room) Enter(ctx context.Context) error {
	select {
	case r <- struct{}{}:
	case <-ctx.Done():
		return ErrNoConnection
	}
	if ctx.Err() != nil { // both came at once, or it had ended before; go-redis would not say that nothing was sent
		r.Leave()
		return ErrNoConnection
	}
	return nil
}

// Leave gives the place back.
func (r Room) Leave() { <-r }
