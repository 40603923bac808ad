package diagnosis

import (
	"fmt"
	"strings"
	"time"
)

// Lockd is what is known of a lockd itself.
type Lockd struct {
	At           time.Time
	Reached      []string // what it listens on that other machines reach
	TLS          bool
	Asks         bool     // callers are asked who they are
	WideRules    []string // of the policy: who may force or administer everything
	MaxTTL       time.Duration
	DefaultTTL   time.Duration
	Connections  int // that clients may open; 0: no limit
	Descriptors  uint64
	Certificates []Certificate
	DebugLog     bool
}

// What is worth saying of lockd's settings.
const (
	longTTL      = 4 * time.Hour
	longDefault  = 10 * time.Minute
	ownUse       = 200 // descriptors: connections to Redis, files
	noLimitFiles = 1 << 14
)

func judgeLockd(l Lockd) Report { return look(lockdChecks, "this lockd", l, all) }

var lockdChecks = []check[Lockd]{
	{
		name: "plaintext", severity: Critical, finds: "a lockd that other machines reach, in plaintext (`insecure`)",
		endangers: "lease ids cross the network readable, and who reads one may renew and release that lease",
		remedy:    "tls-cert and tls-key, or a loopback address behind something that speaks TLS: docs/security.md",
		look: func(l Lockd) string {
			if len(l.Reached) > 0 && !l.TLS {
				return "listens on " + strings.Join(l.Reached, " and ") + " in plaintext"
			}
			return ""
		},
	}, {
		name: "nobody-asked", severity: Warning, finds: "a lockd that other machines reach and that asks nobody who they are",
		endangers: "whoever reaches it may take every name, and end every lease by force",
		remedy:    "tls-client-ca, token-file or jwt-keys, and a policy: docs/security.md",
		look: func(l Lockd) string {
			if len(l.Reached) > 0 && !l.Asks {
				return "listens on " + strings.Join(l.Reached, " and ") + " and asks nobody who they are"
			}
			return ""
		},
	}, {
		name: "wide-rule", severity: Warning, finds: "a rule of the policy by which everybody of a kind may force, or administer, everything",
		endangers: "one service that is broken into may end the leases of all others",
		remedy:    "force and admin for those who operate, by name; for services their own prefix (under)",
		look: func(l Lockd) string {
			if len(l.WideRules) > 0 {
				return "has a policy that gives too much: " + strings.Join(l.WideRules, "; ")
			}
			return ""
		},
	}, {
		name: "max-ttl", severity: Note, finds: "a `max-ttl` of more than 4 h",
		endangers: "a holder that dies keeps its name from everybody for so long; with redlock a node that has forgotten stays out for as long",
		remedy:    "a shorter max-ttl: who lives renews, however long the work takes",
		look: func(l Lockd) string {
			if l.MaxTTL > longTTL {
				return fmt.Sprintf("has max-ttl %s", l.MaxTTL)
			}
			return ""
		},
	}, {
		name: "default-ttl", severity: Note, finds: "a `default-ttl` of more than 10 min",
		endangers: "whoever asks for no ttl and dies keeps a name from everybody for so long",
		remedy:    "default-ttl 30s, as it is unless set",
		look: func(l Lockd) string {
			if l.DefaultTTL > longDefault {
				return fmt.Sprintf("has default-ttl %s", l.DefaultTTL)
			}
			return ""
		},
	}, {
		name: "descriptors", severity: Warning, finds: "fewer file descriptors allowed than connections, and 200 for lockd's own use",
		endangers: "clients, and lockd's own connections to Redis, are refused long before max-connections",
		remedy:    "LimitNOFILE= in the unit, ulimit -n before lockd, or a smaller max-connections",
		look: func(l Lockd) string {
			switch {
			case l.Descriptors == 0: // this system does not say
			case l.Connections == 0 && l.Descriptors < noLimitFiles:
				return fmt.Sprintf("may have %d files open, and has no max-connections", l.Descriptors)
			case l.Descriptors < uint64(l.Connections+ownUse):
				return fmt.Sprintf("may have %d files open, and max-connections is %d", l.Descriptors, l.Connections)
			}
			return ""
		},
	}, {
		name: "certificates", severity: Warning, finds: "a certificate or authority, in lockd's files, that is about to expire: within 14 days, or the last quarter of its life if that is less",
		endangers: "from then on nobody connects: clients to lockd, or lockd to Redis",
		remedy:    "replace the file: lockd takes those of tls-… within seconds, those of redis-… with SIGHUP",
		look: func(l Lockd) string {
			var found []string
			for _, c := range l.Certificates {
				if text := c.expires(l.At); text != "" {
					found = append(found, text)
				}
			}
			if len(found) == 0 {
				return ""
			}
			return "has certificates that end: " + strings.Join(found, "; ")
		},
	}, {
		name: "debug-log", severity: Note, finds: "`log-level debug`",
		endangers: "every call is a line of the log: it costs processor time, and fills disks",
		remedy:    "log-level info, and SIGHUP",
		look: func(l Lockd) string {
			if l.DebugLog {
				return "logs every call"
			}
			return ""
		},
	},
}
