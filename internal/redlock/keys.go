package redlock

import "strings"

// keys spells every key and channel, the same on every node. The shard is spelled as for one Redis: there is one.
//
//	lockd:{0}:lock:<name>  STRING, see scripts/value.lua; expires with the lease and its grace
//	lockd:{0}:want:<name>  STRING, which instances wait for it, see scripts/batch.lua; expires
//	lockd:{0}:fence        STRING, the last token that the node gave; never expires
//	lockd:{0}:marker       STRING, that the node is one of a group, see identity; compared by every script
//	lockd:{0}:memory       STRING, which run of its server remembers what it promised, see memory
//	lockd:{0}:claim        STRING, who is founding or changing the group; expires
//	lockd:{0}:rights       tried at the start and gone at once, see scripts/rights.lua
//	lockd:layout           STRING, how names are laid out: a lockd for one Redis refuses a node of a group
//	lockd:prefix           STRING, with which prefix all these keys begin
//
// Channels: lockd:notices for what every instance wants to know, lockd:events for those who watch. Nodes are whole
// databases of their own, so no database is in their names.
type keys struct{ prefix string }

func newKeys(prefix string) keys {
	if prefix == "" {
		prefix = "lockd"
	}
	return keys{prefix}
}

func (k keys) lock(name string) string { return k.prefix + ":{0}:lock:" + name }
func (k keys) want(name string) string { return k.prefix + ":{0}:want:" + name }
func (k keys) fence() string           { return k.prefix + ":{0}:fence" }
func (k keys) marker() string          { return k.prefix + ":{0}:marker" }
func (k keys) memory() string          { return k.prefix + ":{0}:memory" }
func (k keys) claim() string           { return k.prefix + ":{0}:claim" }
func (k keys) rights() string          { return k.prefix + ":{0}:rights" }
func (k keys) layout() string          { return k.prefix + ":layout" }
func (k keys) notices() string         { return k.prefix + ":notices" }
func (k keys) events() string          { return k.prefix + ":events" }

// beforeName is how many bytes of a lock's key come before the name.
func (k keys) beforeName() int { return len(k.lock("")) }

// name answers whose lock a key is.
func (k keys) name(lock string) (string, bool) { return strings.CutPrefix(lock, k.lock("")) }

// locksUnder is a glob that matches the locks of every name that begins with prefix, and of no others.
func (k keys) locksUnder(prefix string) string {
	escape := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)
	return escape.Replace(k.lock(prefix)) + "*"
}

// prefixKey is the one key whose name does not depend on the prefix: it holds the prefix.
const prefixKey = "lockd:prefix"

// layout says how names are laid out, as redisstore's does.
const layout = "format=1 mode=redlock shards=1 hash=none"
