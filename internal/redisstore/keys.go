package redisstore

import (
	"strconv"
	"strings"
)

// keys spells every key and channel. A name belongs to a shard, and the shard is the hash tag, so that
// all keys of a name lie in one slot and braces in a name steer nothing. One Redis has one shard, a Cluster 256;
// see shards.go.
//
//	lockd:{0}:lock:<name>     STRING, see scripts/value.lua; expires with the lease and its grace
//	lockd:{0}:line:<name>     STRING, the last ticket given in the line; there while anybody has a place in it
//	lockd:{0}:queue:<name>    ZSET, lease id -> ticket, or minus the end of the place of one who is away
//	lockd:{0}:waiters:<name>  HASH, lease id -> entry, see scripts/line.lua
//	lockd:{0}:fence           STRING, the last token granted in the shard; never expires
//	lockd:{0}:beats           HASH, instance -> its beats, see scripts/alive.lua
//	lockd:{0}:given           HASH, lease id -> a hand-over to another instance, see scripts/line.lua
//	lockd:{0}:watched         STRING, there while anybody watches
//	lockd:{0}:rights          tried at the start and gone at once, see scripts/rights.lua
//	lockd:layout              STRING, how names are laid out; compared on every connection
//	lockd:prefix              STRING, with which prefix all these keys begin; compared like the layout
//
// Channels know nothing of databases, so theirs is in the name: lockd:<db>:events for everybody, and
// lockd:<db>:<instance> for what is handed to waiters there.
type keys struct {
	prefix string
	tag    string // of a Cluster's shard
	shard  string // with the braces and colons around the tag
	db     int
}

func newKeys(prefix string, db int) keys {
	if prefix == "" {
		prefix = "lockd"
	}
	return keys{prefix: prefix, shard: ":{0}:", db: db}
}

// inShard are those of a Cluster's shard.
func (k keys) inShard(tag string) keys {
	k.tag, k.shard = tag, ":{"+tag+"}:"
	return k
}

// prefixKey is the one key whose name does not depend on the prefix: it holds the prefix.
const prefixKey = "lockd:prefix"

// layout is compared wherever a connection leads, so in a Cluster every shard has one.
func (k keys) layout() string {
	if k.tag != "" {
		return k.prefix + k.shard + "layout"
	}
	return k.prefix + ":layout"
}

func (k keys) slot() int                { return slotOf(k.tag) }
func (k keys) rights() string           { return k.prefix + k.shard + "rights" }
func (k keys) lock(name string) string  { return string(k.appendLock(nil, name)) }
func (k keys) line(name string) string  { return string(k.appendLine(nil, name)) }
func (k keys) queue(name string) string { return k.prefix + k.shard + "queue:" + name }
func (k keys) waiters(name string) string {
	return k.prefix + k.shard + "waiters:" + name
}
func (k keys) fence() string   { return k.prefix + k.shard + "fence" }
func (k keys) beats() string   { return k.prefix + k.shard + "beats" }
func (k keys) given() string   { return k.prefix + k.shard + "given" }
func (k keys) watched() string { return k.prefix + k.shard + "watched" }

// ofLine are the keys of a script that knows the line of name, in the order of scripts/line.lua.
func (k keys) ofLine(name string) []string {
	return []string{
		k.lock(name), k.line(name), k.queue(name), k.waiters(name),
		k.fence(), k.beats(), k.given(), k.watched(),
	}
}

func (k keys) appendLock(b []byte, name string) []byte { return k.append(b, "lock:", name) }
func (k keys) appendLine(b []byte, name string) []byte { return k.append(b, "line:", name) }

func (k keys) append(b []byte, kind, name string) []byte {
	return append(append(append(append(b, k.prefix...), k.shard...), kind...), name...)
}

// beforeName is how many bytes of a lock's key come before the name.
func (k keys) beforeName() int { return len(k.lock("")) }

func (k keys) channels() string { return k.prefix + ":" + strconv.Itoa(k.db) + ":" }
func (k keys) events() string   { return k.channels() + "events" }

// name answers whose lock a key may be; of which shard it is remains to be seen.
func (k keys) name(lock string) (string, bool) {
	rest, ours := strings.CutPrefix(lock, k.prefix+":{")
	_, name, found := strings.Cut(rest, "}:lock:")
	return name, ours && found
}

// locksUnder is a glob that matches the locks of every name that begins with prefix, and of no
// others: what means something in a glob is escaped.
func (k keys) locksUnder(prefix string) string {
	escape := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)
	return escape.Replace(k.lock(prefix)) + "*"
}

// inAnyShard makes such a glob, of a Cluster's front, match in every shard.
func (k keys) inAnyShard(glob string) string { return strings.Replace(glob, k.shard, ":{*}:", 1) }

// layout says how names are laid out: two that differ would put one name in two places, and two
// holders on it.
const layout = "format=1 mode=single shards=1 hash=none"
