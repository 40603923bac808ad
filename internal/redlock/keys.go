package redlock

// keys spells every key, the same on every node. The shard is spelled as for one Redis: there is one.
//
//	lockd:{0}:fence   STRING, the last token that the node gave; never expires
//	lockd:{0}:marker  STRING, that the node is one of a group, see identity; compared by every script
//	lockd:{0}:memory  STRING, which run of its server remembers what it promised, see memory
//	lockd:{0}:claim   STRING, who is founding or changing the group; expires
//	lockd:layout      STRING, how names are laid out: a lockd for one Redis refuses a node of a group
//	lockd:prefix      STRING, with which prefix all these keys begin
type keys struct{ prefix string }

func newKeys(prefix string) keys {
	if prefix == "" {
		prefix = "lockd"
	}
	return keys{prefix}
}

func (k keys) fence() string  { return k.prefix + ":{0}:fence" }
func (k keys) marker() string { return k.prefix + ":{0}:marker" }
func (k keys) memory() string { return k.prefix + ":{0}:memory" }
func (k keys) claim() string  { return k.prefix + ":{0}:claim" }
func (k keys) layout() string { return k.prefix + ":layout" }

// prefixKey is the one key whose name does not depend on the prefix: it holds the prefix.
const prefixKey = "lockd:prefix"

// layout says how names are laid out, as redisstore's does.
const layout = "format=1 mode=redlock shards=1 hash=none"
