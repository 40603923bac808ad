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
		Name: name, Token: lease.Token(l.token), Owner: l.Owner, Principal: l.Principal, Since: l.since,
		TTL: ttl, Left: max(0, expiresIn-grace), ExpiresIn: expiresIn, Metadata: l.Metadata,
	}
}
