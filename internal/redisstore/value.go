package redisstore

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// payload is what the scripts carry in a lock's value without looking into it.
type payload struct {
	Owner    string            `json:"owner,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

func encodePayload(owner string, metadata map[string]string) (string, error) {
	b, err := appendPayload(nil, owner, metadata)
	return string(b), err
}

// appendPayload appends the JSON of a payload. Most have an owner that JSON says as it is, and no more.
func appendPayload(b []byte, owner string, metadata map[string]string) ([]byte, error) {
	if len(metadata) == 0 && isPlain(owner) {
		if owner == "" {
			return append(b, "{}"...), nil
		}
		return append(append(append(b, ownerOnly...), owner...), `"}`...), nil
	}
	text, err := json.Marshal(payload{Owner: owner, Metadata: metadata})
	return append(b, text...), err
}

// decode is the inverse of appendPayload.
func (p *payload) decode(text string) error {
	owner, begins := strings.CutPrefix(text, ownerOnly)
	owner, ends := strings.CutSuffix(owner, `"}`)
	if begins && ends && isPlain(owner) {
		p.Owner = owner
		return nil
	}
	return json.Unmarshal([]byte(text), p)
}

// ownerOnly is what the payload of a lease without metadata begins with.
const ownerOnly = `{"owner":"`

// isPlain reports whether JSON needs no escapes for s.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// metadata is m as a lease has it: nil if there is none.
func metadata(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return m
}

// lock is a lock key's value, see scripts/value.lua. What only the scripts need is not kept.
type lock struct {
	token int64
	ttl   time.Duration
	px    time.Duration
	since time.Time
	payload
}

// errForeign: a key where a lock should be is none. Nothing is granted there, and nothing overwritten.
var errForeign = fmt.Errorf("%w: the lock key holds something that lockd did not write; look at it, and delete it if nobody needs it", lease.ErrUnavailable)

func decodeLock(value string) (lock, error) {
	rest := value
	for range 3 { // lease id, attempt, exec
		var more bool
		if _, rest, more = strings.Cut(rest, "|"); !more {
			return lock{}, errForeign
		}
	}
	var numbers [4]int64
	for i := range numbers {
		text, after, more := strings.Cut(rest, "|")
		if !more {
			return lock{}, errForeign
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return lock{}, fmt.Errorf("%w (%w)", errForeign, err)
		}
		numbers[i], rest = n, after
	}
	l := lock{
		token: numbers[0],
		ttl:   time.Duration(numbers[1]) * time.Millisecond,
		px:    time.Duration(numbers[2]) * time.Millisecond,
		since: time.UnixMicro(numbers[3]),
	}
	if err := l.payload.decode(rest); err != nil {
		return lock{}, fmt.Errorf("%w (%w)", errForeign, err)
	}
	return l, nil
}

// lease is the lock as anybody may see it, expiresIn before its key is gone. ttl is what was set by
// the call that asks, or 0 for the lock's own.
func (l lock) lease(name string, ttl, expiresIn time.Duration) lease.Lease {
	if ttl == 0 {
		ttl = l.ttl
	}
	expiresIn = max(expiresIn, 0) // PTTL is negative for a key that somebody made permanent
	grace := l.px - l.ttl
	return lease.Lease{
		Name: name, Token: lease.Token(l.token), Owner: l.Owner, Since: l.since,
		TTL: ttl, Left: max(0, expiresIn-grace), ExpiresIn: expiresIn, Metadata: l.Metadata,
	}
}
