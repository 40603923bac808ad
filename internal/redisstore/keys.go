package redisstore

import "strings"

// keys spells every key. A name belongs to a shard, and the shard is the hash tag, so that all keys
// of a name lie in one slot and braces in a name steer nothing. One Redis has one shard.
//
//	lockd:{0}:lock:<name>  STRING, see scripts/value.lua; expires with the lease and its grace
//	lockd:{0}:fence        STRING, the last token granted in the shard; never expires
//	lockd:layout           STRING, how names are laid out; compared on every connection
type keys struct {
	prefix string
	shard  string // with the colons around it
}

func newKeys(prefix string) keys {
	if prefix == "" {
		prefix = "lockd"
	}
	return keys{prefix: prefix, shard: ":{0}:"}
}

func (k keys) layout() string          { return k.prefix + ":layout" }
func (k keys) fence() string           { return k.prefix + k.shard + "fence" }
func (k keys) lock(name string) string { return k.prefix + k.shard + "lock:" + name }

// name is the inverse of lock.
func (k keys) name(lock string) (string, bool) { return strings.CutPrefix(lock, k.lock("")) }

// locksUnder is a glob that matches the locks of every name that begins with prefix, and of no
// others: what means something in a glob is escaped.
func (k keys) locksUnder(prefix string) string {
	escape := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)
	return escape.Replace(k.lock(prefix)) + "*"
}

// layout says how names are laid out: two that differ would put one name in two places, and two
// holders on it.
const layout = "format=1 mode=single shards=1 hash=none"
