package diagnosis

import (
	"fmt"
	"net"
	"strings"
	"time"
)

// Store is what is known of what keeps the leases, as a whole.
type Store struct {
	Kind           string // "memory", "redis", "redlock"
	Refusal        string // why nothing new is granted, "" if it is
	Layout         string // why what is there is not laid out as this lockd does; "" if it is
	Desynchronised int64  // answers that belonged to another call
	Cleanups       int64  // undos and repeated releases that are not sure yet
	Nodes          []Node // of a quorum
}

// Node is one of a quorum.
type Node struct {
	Address string
	Out     string // why it does not count, "" if it does
	Until   time.Time
}

func judgeStore(s Store) Report { return look(storeChecks, "the store", s, all) }

var storeChecks = []check[Store]{
	{
		name: "grants", severity: Critical, finds: "a store in which no lease can be had, whatever the reason",
		endangers: "nobody gets a lease; renewals and releases go on if the store answers",
		remedy:    "the reason says what would be right; the other findings, and docs/operations.md, say more",
		look: func(s Store) string {
			if s.Refusal != "" {
				return "grants no leases: " + s.Refusal
			}
			return ""
		},
	}, {
		name: "layout", severity: Critical, finds: "keys that were laid out by another lockd: format, shards, key prefix",
		endangers: "one name would have two places, and two holders: lockd grants nothing there",
		remedy:    "the same version and key-prefix for every lockd on one Redis; another database, or redis-shared, for another service",
		look:      func(s Store) string { return s.Layout },
	}, {
		name: "memory-store", severity: Warning, finds: "leases that are kept in lockd's own memory",
		endangers: "every lease ends with this process, and other lockd know nothing of them",
		remedy:    "redis or redlock, for anything but a try",
		look: func(s Store) string {
			if s.Kind == "memory" {
				return "is the memory of this process"
			}
			return ""
		},
	}, {
		name: "vote", severity: Warning, finds: "nodes of a quorum that do not vote, or do not answer",
		endangers: "the others have to be a majority by themselves: the quorum bears fewer failures",
		remedy:    "lockctl status says until when; lockd redlock replace for a node that is new or has lost its data",
		look: func(s Store) string {
			if out := s.out(); len(out) > 0 {
				return fmt.Sprintf("has %d of %d nodes that do not vote: %s", len(out), len(s.Nodes), strings.Join(out, "; "))
			}
			return ""
		},
	}, {
		name: "bare-quorum", severity: Critical, finds: "a quorum that bears no more failure",
		endangers: "one node less, and nothing is granted or renewed",
		remedy:    "bring back those that are out, before anything is restarted",
		look: func(s Store) string {
			if vote := len(s.Nodes) - len(s.out()); len(s.Nodes) > 0 && vote == len(s.Nodes)/2+1 {
				return fmt.Sprintf("has %d of %d nodes that vote, and needs as many", vote, len(s.Nodes))
			}
			return ""
		},
	}, {
		name: "same-host", severity: Warning, finds: "nodes of a quorum at one host",
		endangers: "they fail together, and the quorum with them",
		remedy:    "a machine of its own, or a zone, for each node",
		look:      sameHost,
	}, {
		name: "desynchronised", severity: Warning, finds: "answers that belonged to another call",
		endangers: "none was believed; each cost the connections that were open, and the calls on them their outcome",
		remedy:    "see what stands between lockd and Redis: a proxy that mixes up answers, as a rule",
		look: func(s Store) string {
			if s.Desynchronised > 0 {
				return fmt.Sprintf("has given %d answers that belonged to another call", s.Desynchronised)
			}
			return ""
		},
	}, {
		name: "cleanups", severity: Note, finds: "more than 1000 undos and releases that are not sure yet",
		endangers: "names are taken by nobody until their ttl is over; at 50 000 new acquisitions are refused (OVERLOADED)",
		remedy:    "they go on by themselves as soon as the store answers; see why it does not",
		look: func(s Store) string {
			if s.Cleanups > 1000 {
				return fmt.Sprintf("has %d undos and releases before it that are not sure yet", s.Cleanups)
			}
			return ""
		},
	},
}

// out names the nodes that do not count, and why.
func (s Store) out() (all []string) {
	for _, n := range s.Nodes {
		if n.Out == "" {
			continue
		}
		text := n.Address + ": " + n.Out
		if !n.Until.IsZero() {
			text += ", until " + n.Until.UTC().Format(time.RFC3339)
		}
		all = append(all, text)
	}
	return all
}

// sameHost names hosts with several nodes. All addresses of this machine are one.
func sameHost(s Store) string {
	at := make(map[string][]string)
	var hosts []string
	for _, n := range s.Nodes {
		host, _, err := net.SplitHostPort(n.Address)
		if ip := net.ParseIP(host); err != nil || host == "localhost" || ip != nil && ip.IsLoopback() {
			host = "this machine"
		}
		if len(at[host]) == 0 {
			hosts = append(hosts, host)
		}
		at[host] = append(at[host], n.Address)
	}
	var found []string
	for _, host := range hosts {
		if len(at[host]) > 1 {
			found = append(found, fmt.Sprintf("%s at %s", strings.Join(at[host], ", "), host))
		}
	}
	if len(found) == 0 {
		return ""
	}
	return "has nodes that share a host: " + strings.Join(found, "; ")
}
