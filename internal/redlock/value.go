package redlock

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

// value is a lock key's value on one node, see scripts/value.lua.
type value struct {
	id        lease.ID
	token     int64
	committed bool
	ttl, px   time.Duration
	delay     time.Duration // of which the key's expiry is later than px
	since     time.Time
	payload   string
	left      time.Duration // until the key expires, as the node said beside it
	set       time.Duration // the ttl that was set by the call that answered it; 0: the value's own
	text      string
}

// errForeign: a key where a lock should be is none. Nothing is granted there, and nothing overwritten.
var errForeign = fmt.Errorf("%w: the lock key holds something that lockd did not write; look at it, and delete it if nobody needs it", lease.ErrUnavailable)

// decodeValue reads what a script says of a lock that stands.
func decodeValue(text string, set, left time.Duration) (*value, error) {
	fields := strings.SplitN(text, "|", 9)
	if len(fields) < 9 {
		return nil, errForeign
	}
	v := &value{id: lease.ID(fields[0]), committed: fields[4] == "1", payload: fields[8], left: max(left, 0), set: set, text: text}
	var delay string
	fields[6], delay, _ = strings.Cut(fields[6], "+")
	for i, to := range []struct {
		field int
		set   func(int64)
	}{
		{3, func(n int64) { v.token = n }},
		{5, func(n int64) { v.ttl = time.Duration(n) * time.Millisecond }},
		{6, func(n int64) { v.px = time.Duration(n) * time.Millisecond }},
		{7, func(n int64) { v.since = time.UnixMicro(n) }},
	} {
		n, err := strconv.ParseInt(fields[to.field], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%w (field %d: %w)", errForeign, i, err)
		}
		to.set(n)
	}
	if delay != "" {
		n, err := strconv.ParseInt(delay, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%w (lock-delay: %w)", errForeign, err)
		}
		v.delay = time.Duration(n) * time.Millisecond
	}
	return v, nil
}

// lease is the value as anybody may see it, with the token of the quorum.
func (v *value) lease(name string, token int64, expiresIn time.Duration) (lease.Lease, error) {
	var p payload
	if err := json.Unmarshal([]byte(v.payload), &p); err != nil {
		return lease.Lease{}, fmt.Errorf("%w (%w)", errForeign, err)
	}
	ttl := v.set
	if ttl == 0 {
		ttl = v.ttl
	}
	l := lease.Lease{
		Name: name, Token: lease.Token(token), Owner: p.Owner, Principal: p.Principal, Since: v.since, TTL: ttl,
		Delay: v.delay, Metadata: p.Metadata,
	}
	if v.delay > 0 && expiresIn <= v.delay {
		l.Closed = max(expiresIn, time.Millisecond)
		return l, nil
	}
	l.ExpiresIn = expiresIn - v.delay
	l.Left = max(0, l.ExpiresIn-(v.px-v.ttl))
	return l, nil
}

// px is what a lock key of ttl is set to expire after, in milliseconds, but for a lock-delay: the grace is the store's.
func px(ttl time.Duration) int64 { return (ttl + lease.Grace(ttl)).Milliseconds() }

func encodePayload(a lease.Acquisition) (string, error) {
	b, err := json.Marshal(payload{a.Owner, a.Principal, a.Metadata})
	return string(b), err
}

// planted is the value as a node takes it in that has not had it: with the token that a quorum has, and such that no undo of
// what was executed elsewhere, which may be owed still, finds it. It was renewed, so its client was told of it.
func (v *value) planted() string {
	fields := strings.SplitN(v.text, "|", 9)
	fields[2], fields[4] = lease.ExecReplayed, "1"
	return strings.Join(fields, "|")
}
