package diagnosis

import (
	"fmt"
	"strings"
	"time"
)

// From where on something is worth saying.
const (
	maxSkew  = 2 * time.Second        // nothing is granted beyond it
	drifting = 500 * time.Millisecond // what no NTP that runs leaves
	slowTrip = 10 * time.Millisecond
	slowDisk = 25 * time.Millisecond
	longCall = 100 * time.Millisecond // a fifth of what a call is given
	longFork = 100 * time.Millisecond
	lagged   = 10 * time.Second
	lately   = time.Hour // a restart is worth saying for so long
)

// Hundredths of what there is, in use.
const (
	nearFull    = 80
	nearMachine = 75
)

// redisAway is what is looked at when nothing else can be.
var redisAway = []check[Redis]{
	{
		name: "reachable", severity: Critical, finds: "a server that does not answer lockd",
		endangers: "what is kept there can be neither granted nor renewed nor released: holders stop at their deadlines",
		remedy:    "see that it runs and that lockd's machine reaches it (redis-cli ping from there); leases outlast an absence shorter than what is left of them",
		look: func(r Redis) string {
			if r.Error != "" {
				return "does not answer: " + r.Error
			}
			return ""
		},
	},
}

// redisChecks are those of one server that answers.
var redisChecks = []check[Redis]{
	{
		name: "version", severity: Critical, finds: "a Redis before 6.2",
		endangers: "scripts need commands that it does not have: lockd does not keep leases there",
		remedy:    "update Redis to 6.2 or later",
		look:      func(r Redis) string { return r.TooOld },
	}, {
		name: "role", severity: Critical, finds: "a server that is no primary",
		endangers: "a replica's leases are nobody's: nothing is granted",
		remedy:    "point lockd at the primary, or at the sentinels (?master=NAME) that know where it is",
		look: func(r Redis) string {
			if role := r.Info["role"]; role != "master" {
				return "is a " + role
			}
			return ""
		},
	}, {
		name: "eviction", severity: Critical, finds: "a `maxmemory-policy` other than `noeviction`",
		endangers: "when memory is full Redis evicts keys that expire, which is what leases are: two may hold one name. lockd grants nothing meanwhile",
		remedy:    "CONFIG SET maxmemory-policy noeviction, and the same in redis.conf",
		look: func(r Redis) string {
			if policy := r.Info["maxmemory_policy"]; policy != "noeviction" {
				return "has maxmemory-policy " + policy
			}
			return ""
		},
	}, {
		name: "evicted", severity: Critical, finds: "keys that were evicted since the server started",
		endangers: "leases may have been among them: look for LEASE_LOST, and for writes without a fence",
		remedy:    "maxmemory-policy noeviction; this finding goes with CONFIG RESETSTAT or a restart",
		look: func(r Redis) string {
			if n := r.number("evicted_keys"); n > 0 {
				return fmt.Sprintf("has evicted %d keys since it started", n)
			}
			return ""
		},
	}, {
		name: "memory", severity: Warning, finds: "more than 80 % of `maxmemory` in use",
		endangers: "when it is full nothing new is granted and nobody takes a place in line (STORE_FULL); renewals and releases go on",
		remedy:    "raise maxmemory, or find what fills it: redis-cli --bigkeys, INFO memory; never by another maxmemory-policy",
		look: func(r Redis) string {
			if part := share(r.number("used_memory"), r.number("maxmemory"), nearFull, "maxmemory"); part != "" {
				return "uses " + part
			}
			return ""
		},
	}, {
		name: "machine-memory", severity: Warning, finds: "no `maxmemory`, and more than 75 % of the machine's memory in use by Redis",
		endangers: "the kernel may end Redis, and a fork for persistence may fail",
		remedy:    "set maxmemory, with noeviction, to half of what the machine has",
		look: func(r Redis) string {
			if r.number("maxmemory") > 0 {
				return ""
			}
			if part := share(r.number("used_memory_rss"), r.number("total_system_memory"), nearMachine, "machine's memory"); part != "" {
				return "has no maxmemory, and uses " + part
			}
			return ""
		},
	}, {
		name: "persistence", severity: Warning, finds: "neither an AOF nor snapshots",
		endangers: "every lease ends with the Redis process, and its name may be granted again while the holder works; a node of a quorum stays out after each restart",
		remedy:    "appendonly yes and appendfsync always, where a lease must survive Redis's crash",
		look: func(r Redis) string {
			if save, told := r.Settings["save"]; !r.aof() && told && save == "" {
				return "keeps nothing on disk"
			}
			return ""
		},
	}, {
		name: "snapshots", severity: Warning, finds: "snapshots (`save`) without an AOF",
		endangers: "a restart forgets the leases since the last snapshot, and brings back those that were released since",
		remedy:    "appendonly yes and appendfsync always, where a lease must survive Redis's crash",
		look: func(r Redis) string {
			if save, told := r.Settings["save"]; !r.aof() && (save != "" || !told) {
				return "has no AOF (appendonly no)"
			}
			return ""
		},
	}, {
		name: "appendfsync", severity: Warning, needs: needSettings, finds: "an AOF with another `appendfsync` than `always`",
		endangers: "a crash of its machine may forget leases that are held, and their names are granted again (tokens still increase)",
		remedy:    "CONFIG SET appendfsync always, and the same in redis.conf; a batch of calls then waits for the disk",
		look: func(r Redis) string {
			if policy := r.Settings["appendfsync"]; r.aof() && policy != "always" {
				return "has appendfsync " + policy
			}
			return ""
		},
	}, {
		name: "fsync-on-rewrite", severity: Warning, needs: needSettings, finds: "`no-appendfsync-on-rewrite yes` with an AOF",
		endangers: "while the AOF is rewritten nothing is forced to disk, as if appendfsync were no",
		remedy:    "CONFIG SET no-appendfsync-on-rewrite no",
		look: func(r Redis) string {
			if r.aof() && r.Settings["no-appendfsync-on-rewrite"] == "yes" {
				return "has no-appendfsync-on-rewrite yes"
			}
			return ""
		},
	}, {
		name: "aof-write", severity: Critical, finds: "a last write to the AOF that failed",
		endangers: "Redis takes no writes until one succeeds: nothing is granted, renewed or released",
		remedy:    "see its log, and whether the disk is full or broken",
		look:      func(r Redis) string { return failed(r, "aof_last_write_status", "could not write its AOF") },
	}, {
		name: "aof-rewrite", severity: Warning, finds: "a last rewrite of the AOF that failed",
		endangers: "the AOF grows until the disk is full, and then Redis takes no writes",
		remedy:    "see its log: memory for the fork (vm.overcommit_memory 1) or room on the disk is missing",
		look:      func(r Redis) string { return failed(r, "aof_last_bgrewrite_status", "could not rewrite its AOF") },
	}, {
		name: "last-save", severity: Critical, finds: "a last snapshot that failed",
		endangers: "with stop-writes-on-bgsave-error yes, its default, Redis takes no writes (MISCONF): nothing is granted, renewed or released",
		remedy:    "see its log: memory for the fork (vm.overcommit_memory 1) or room on the disk is missing; then BGSAVE",
		look:      func(r Redis) string { return failed(r, "rdb_last_bgsave_status", "could not save its last snapshot") },
	}, {
		name: "restarted", severity: Warning, finds: "a server that was restarted or replaced, in the last hour, while lockd watched",
		endangers: "what it had not kept on disk is forgotten: leases that were held may have been granted again",
		remedy:    "see in its log why; look for LEASE_LOST among clients since then",
		look: func(r Redis) string {
			if ago := r.At.Sub(r.Restarted); !r.Restarted.IsZero() && ago < lately {
				return fmt.Sprintf("was restarted or replaced %s ago", ago.Round(time.Second))
			}
			return ""
		},
	}, {
		name: "clock", severity: Critical, finds: "a clock that is more than 2 s off lockd's",
		endangers: "nothing is granted: keys expire, and tokens grow after a loss of data, by that clock",
		remedy:    "run NTP on both machines (timedatectl, chronyc tracking)",
		look: func(r Redis) string {
			if r.Skew.Abs() > maxSkew {
				return fmt.Sprintf("has a clock that is %s off this server's", r.Skew.Round(time.Millisecond))
			}
			return ""
		},
	}, {
		name: "clock-drift", severity: Warning, finds: "a clock that is 0.5 to 2 s off lockd's",
		endangers: "beyond 2 s nothing is granted any more, and a clock that is so far off is kept by nobody",
		remedy:    "run NTP on both machines (timedatectl, chronyc tracking)",
		look: func(r Redis) string {
			if off := r.Skew.Abs(); off > drifting && off <= maxSkew {
				return fmt.Sprintf("has a clock that is %s off this server's", r.Skew.Round(time.Millisecond))
			}
			return ""
		},
	}, {
		name: "round-trip", severity: Warning, finds: "round trips of which the quickest takes more than 10 ms",
		endangers: "each grant, renewal and hand-over takes as long, and calls of short leases run out of time",
		remedy:    "run lockd near its Redis, and see what keeps that busy (INFO cpu, SLOWLOG GET)",
		look: func(r Redis) string {
			if r.Ping > slowTrip {
				return fmt.Sprintf("takes %s for a round trip, the quickest of several", r.Ping.Round(100*time.Microsecond))
			}
			return ""
		},
	}, {
		name: "slow-disk", severity: Warning, finds: "writes of which the quickest takes more than 25 ms",
		endangers: "with appendfsync always every batch of calls waits as long for the disk",
		remedy:    "a disk with a quick fsync, of its own for the AOF",
		look: func(r Redis) string {
			if r.Write > slowDisk {
				return fmt.Sprintf("takes %s for a write, the quickest of several", r.Write.Round(100*time.Microsecond))
			}
			return ""
		},
	}, {
		name: "slow-calls", severity: Warning, needs: needSlow, finds: "calls of 100 ms or more in the last 15 min (SLOWLOG)",
		endangers: "Redis does nothing else meanwhile: renewals are late, and those of short leases are lost",
		remedy:    "SLOWLOG GET has who asked for what; give leases a Redis of their own",
		look: func(r Redis) string {
			if slow := slowest(r.Slow, r.At, longCall); slow != "" {
				return "had slow calls: " + slow
			}
			return ""
		},
	}, {
		name: "stalls", severity: Warning, needs: needStalls, finds: "stalls of 100 ms or more in the last 15 min (LATENCY, with `latency-monitor-threshold` set)",
		endangers: "Redis does nothing else meanwhile: renewals are late, and those of short leases are lost",
		remedy:    "LATENCY DOCTOR says what the event means; a disk or a fork is the usual cause",
		look: func(r Redis) string {
			if slow := slowest(r.Stalls, r.At, longCall); slow != "" {
				return "stalled: " + slow
			}
			return ""
		},
	}, {
		name: "fork", severity: Warning, finds: "a last fork that took 100 ms or more",
		endangers: "each snapshot and each rewrite of the AOF stops Redis for so long",
		remedy:    "no transparent huge pages (echo never > /sys/kernel/mm/transparent_hugepage/enabled), and a Redis of its own for leases: it is small",
		look: func(r Redis) string {
			if took := time.Duration(r.number("latest_fork_usec")) * time.Microsecond; took >= longFork {
				return fmt.Sprintf("took %s for its last fork", took.Round(time.Millisecond))
			}
			return ""
		},
	}, {
		name: "huge-pages", severity: Warning, needs: needSettings, finds: "`disable-thp no`: transparent huge pages are left on",
		endangers: "a write after a fork copies 2 MiB instead of 4 KiB: calls stall while Redis persists",
		remedy:    "disable-thp yes in redis.conf, its default, and a restart",
		look: func(r Redis) string {
			if r.Settings["disable-thp"] == "no" {
				return "has disable-thp no"
			}
			return ""
		},
	}, {
		name: "clients", severity: Warning, finds: "more than 80 % of `maxclients` in use",
		endangers: "beyond it new connections are refused, lockd's as well",
		remedy:    "raise maxclients (45 for each lockd, and those of others), and see who holds them: CLIENT LIST",
		look: func(r Redis) string {
			if part := share(r.number("connected_clients"), max(r.number("maxclients"), r.setting("maxclients")), nearFull, "maxclients"); part != "" {
				return "has clients for " + part
			}
			return ""
		},
	}, {
		name: "clients-refused", severity: Warning, finds: "connections that were refused for `maxclients` since the server started",
		endangers: "lockd may have been among them; its calls then fail for certain, and are tried again",
		remedy:    "raise maxclients; this finding goes with CONFIG RESETSTAT or a restart",
		look: func(r Redis) string {
			if n := r.number("rejected_connections"); n > 0 {
				return fmt.Sprintf("has refused %d connections since it started", n)
			}
			return ""
		},
	}, {
		name: "idle-timeout", severity: Note, needs: needSettings, finds: "a `timeout` after which Redis closes idle connections",
		endangers: "after a quiet time each connection is made anew, which costs the next calls a round trip or two, and TLS its handshake",
		remedy:    "CONFIG SET timeout 0, its default",
		look: func(r Redis) string {
			if n := r.setting("timeout"); n > 0 {
				return fmt.Sprintf("closes connections that are idle for %d s (timeout)", n)
			}
			return ""
		},
	}, {
		name: "tcp-keepalive", severity: Warning, needs: needSettings, finds: "`tcp-keepalive 0`",
		endangers: "Redis does not notice that a lockd's machine has gone: until it does, that lockd counts as alive, and turns are handed to it in vain",
		remedy:    "CONFIG SET tcp-keepalive 60; 300 is its default",
		look: func(r Redis) string {
			if r.setting("tcp-keepalive") == 0 {
				return "has tcp-keepalive 0"
			}
			return ""
		},
	}, {
		name: "replicas", severity: Warning, finds: "no replica online, in a Sentinel group or a Cluster",
		endangers: "there is nobody to take over: when it goes its names are gone with it",
		remedy:    "start a replica (replicaof), or see why it does not follow",
		look: func(r Redis) string {
			if online, _ := r.replicas(); r.Follows && online == 0 {
				return "has no replica online"
			}
			return ""
		},
	}, {
		name: "replica-lag", severity: Warning, finds: "a replica that is not online, or was not heard of for more than 10 s",
		endangers: "a fail-over to it forgets what it has not got: leases that are held are granted again",
		remedy:    "see the replica's log, its disk and the network between them; min-replicas-max-lag bounds what can be lost",
		look: func(r Redis) string {
			if _, bad := r.replicas(); len(bad) > 0 {
				return "has replicas that lag: " + strings.Join(bad, ", ")
			}
			return ""
		},
	}, {
		name: "min-replicas", severity: Warning, needs: needSettings, finds: "`min-replicas-to-write 0` behind Sentinel",
		endangers: "a primary that is cut off goes on granting, to whoever is cut off with it, what the new primary grants as well",
		remedy:    "CONFIG SET min-replicas-to-write 1 and min-replicas-max-lag 10",
		look: func(r Redis) string {
			if r.Follows && !r.Cluster && r.setting("min-replicas-to-write") == 0 {
				return "has min-replicas-to-write 0"
			}
			return ""
		},
	}, {
		name: "unfollowed", severity: Warning, finds: "replicas of a server that lockd knows by a plain address",
		endangers: "when a replica takes over lockd does not follow, and goes on with the old primary if that comes back",
		remedy:    "redis://sentinel,sentinel?master=NAME, if sentinels watch it; no replicas for a node of a quorum",
		look: func(r Redis) string {
			if n := r.number("connected_slaves"); !r.Follows && n > 0 {
				return fmt.Sprintf("has %d replicas, and lockd was given its address alone", n)
			}
			return ""
		},
	}, {
		name: "all-rights", severity: Warning, finds: "a user, lockd's, that may do everything",
		endangers: "who gets hold of lockd's password, or of none where none is wanted, may delete leases, and tokens with them (FLUSHALL)",
		remedy:    "the user in docs/operations.md (ACL SETUSER lockd …), and a password for everybody else",
		look: func(r Redis) string {
			switch {
			case r.MayAll && r.NoPassword:
				return fmt.Sprintf("wants no password, and takes lockd for %q, who may do everything", r.User)
			case r.MayAll:
				return fmt.Sprintf("takes lockd for %q, who may do everything", r.User)
			}
			return ""
		},
	}, {
		name: "few-rights", severity: Note, finds: "a user, lockd's, that may not ask for settings (CONFIG GET)",
		endangers: "lockd does not know how Redis persists, and some of these checks cannot be made",
		remedy:    "ACL SETUSER lockd +config|get; where a service has no CONFIG, ask whoever runs it",
		look: func(r Redis) string {
			if why := r.Denied[string(needSettings)]; why != "" {
				return "does not tell its settings: " + why
			}
			return ""
		},
	}, {
		name: "redis-certificate", severity: Warning, finds: "a certificate, shown by Redis, that is about to expire",
		endangers: "from then on lockd makes no new connection, and Redis is as good as down",
		remedy:    "replace it in Redis (CONFIG SET tls-cert-file reads it anew)",
		look:      func(r Redis) string { return r.Certificate.expires(r.At) },
	},
}

// failed says what went wrong if a status of INFO is not ok.
func failed(r Redis, status, what string) string {
	if is := r.Info[status]; is != "" && is != "ok" {
		return what
	}
	return ""
}
