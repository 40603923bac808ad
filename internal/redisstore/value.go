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
	Owner     string            `json:"owner,omitempty"`
	Principal string            `json:"principal,omitempty"`
	Metadata  map[string]string `json:"metadata,omitempty"`
}

func encodePayload(a lease.Acquisition) (string, error) {
	b, err := appendPayload(nil, a)
	return string(b), err
}

// appendPayload appends the JSON of a's payload. Most have an owner, perhaps a principal, that JSON says as they
// are, and no more.
func appendPayload(b []byte, a lease.Acquisition) ([]byte, error) {
	if len(a.Metadata) == 0 && a.Owner != "" && isPlain(a.Owner) && isPlain(a.Principal) {
		b = append(append(b, ownerFirst...), a.Owner...)
		if a.Principal != "" {
			b = append(append(b, thenPrincipal...), a.Principal...)
		}
		return append(b, `"}`...), nil
	}
	text, err := json.Marshal(payload{Owner: a.Owner, Principal: a.Principal, Metadata: a.Metadata})
	return append(b, text...), err
}

// decode is the inverse of appendPayload.
func (p *payload) decode(text string) error {
	rest, begins := strings.CutPrefix(text, ownerFirst)
	rest, ends := strings.CutSuffix(rest, `"}`)
	owner, principal, _ := strings.Cut(rest, thenPrincipal)
	if begins && ends && isPlain(owner) && isPlain(principal) { // no quote in either: nothing else stands there
		p.Owner, p.Principal = owner, principal
		return nil
	}
	return json.Unmarshal([]byte(text), p)
}

// What the payload of a lease without metadata is made of.
const (
	ownerFirst    = `{"owner":"`
	thenPrincipal = `","principal":"`
)

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
	delay time.Duration // of which the key's expiry is later than px; 0 while what was handed over is not taken up
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
	var delay int64
	for i := range numbers {
		text, after, more := strings.Cut(rest, "|")
		if !more {
			return lock{}, errForeign
		}
		if i == 2 {
			var err error
			if text, delay, err = splitPX(text); err != nil {
				return lock{}, fmt.Errorf("%w (%w)", errForeign, err)
			}
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
		delay: time.Duration(delay) * time.Millisecond,
		since: time.UnixMicro(numbers[3]),
	}
	if err := l.payload.decode(rest); err != nil {
		return lock{}, fmt.Errorf("%w (%w)", errForeign, err)
	}
	return l, nil
}

// splitPX takes the lock-delay off px, see scripts/value.lua.
func splitPX(text string) (px string, delay int64, err error) {
	if px, _, untaken := strings.Cut(text, "~"); untaken {
		return px, 0, nil
	}
	px, after, delayed := strings.Cut(text, "+")
	if delayed {
		delay, err = strconv.ParseInt(after, 10, 64)
	}
	return px, delay, err
}

// lease is the lock as anybody may see it, expiresIn before its key is gone. ttl is what was set by
// the call that asks, or 0 for the lock's own.
func (l lock) lease(name string, ttl, expiresIn time.Duration) lease.Lease {
	if ttl == 0 {
		ttl = l.ttl
	}
	seen := lease.Lease{
		Name: name, Token: lease.Token(l.token), Owner: l.Owner, Principal: l.Principal, Since: l.since,
		TTL: ttl, Delay: l.delay, Metadata: l.Metadata,
	}
	switch grace := l.px - l.ttl; {
	case expiresIn < 0: // PTTL of a key that somebody made permanent
	case l.delay > 0 && expiresIn <= l.delay:
		seen.Closed = max(expiresIn, time.Millisecond) // of a key that stands still
	default:
		seen.ExpiresIn = expiresIn - l.delay
		seen.Left = max(0, seen.ExpiresIn-grace)
	}
	return seen
}
