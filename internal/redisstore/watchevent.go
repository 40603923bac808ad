package redisstore

import (
	"encoding/json"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// message is what scripts publish on the events channel, as JSON. Numbers are strings there, as
// everywhere in Lua.
type message struct {
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	At      int64  `json:"at,string"` // Redis's TIME in µs
	Token   int64  `json:"token,string"`
	PX      int64  `json:"px,string"`     // acquired: ms until the lease is over; asked: until it is forced; forced: until the name is open
	Ticket  int64  `json:"ticket,string"` // if there is one
	Payload string `json:"payload"`       // of the lock or of the place in line
	By      string `json:"by"`            // forced and asked only, as Reason
	Reason  string `json:"reason"`
	Mark    string `json:"mark"` // of a mark, or which ask it is
}

// markKind is the kind of a message that means nothing but that all before it have been read.
const markKind = "mark"

// askedKind is the kind of a message that no script publishes.
const askedKind = "asked"

var eventKinds = map[string]lease.EventKind{
	"acquired": lease.EventAcquired,
	"released": lease.EventReleased,
	"forced":   lease.EventForced,
	"queued":   lease.EventQueued,
	"left":     lease.EventLeft,
	askedKind:  lease.EventAsked,
}

// event answers what m tells, and whether it is something that can happen.
func (m message) event() (lease.Event, bool) {
	kind := eventKinds[m.Kind]
	e := lease.Event{
		Kind: kind, Name: m.Name, At: time.UnixMicro(m.At), Token: lease.Token(m.Token),
		Ticket: m.Ticket, By: m.By, Reason: m.Reason,
	}
	if kind == lease.EventAsked {
		e.ForceIn, e.Ask = min(max(0, m.px()), lease.MaxForceIn), m.Mark
	}
	if kind == 0 || lease.CheckName(m.Name) != nil || (m.Token > 0) != ofLease(kind) {
		return lease.Event{}, false
	}
	if m.Payload != "" {
		var p payload
		if json.Unmarshal([]byte(m.Payload), &p) != nil {
			return lease.Event{}, false
		}
		e.Owner, e.Principal = p.Owner, p.Principal
	}
	return e, true
}

func (m message) px() time.Duration { return time.Duration(m.PX) * time.Millisecond }

// ofLease tells the events of a lease from those of a place in line.
func ofLease(kind lease.EventKind) bool {
	return kind != lease.EventQueued && kind != lease.EventLeft
}
