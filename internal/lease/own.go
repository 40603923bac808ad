package lease

import (
	"cmp"
	"time"
)

// Own bounds one principal. It goes before what bounds each; a field that is 0 says nothing, and that counts then.
type Own struct {
	Share
	MaxMetadata int           // up to MaxMetadataBytes
	MaxTTL      time.Duration // a longer ttl is shortened to it, and the answer says so; never below Limits.MinTTL
}

// of answers l as it is for whom own is said; nil: for each.
func (l Limits) of(own *Own) Limits {
	if own == nil {
		return l
	}
	l.Each.Leases = cmp.Or(own.Leases, l.Each.Leases)
	l.Each.Waiters = cmp.Or(own.Waiters, l.Each.Waiters)
	l.Each.Line = cmp.Or(own.Line, l.Each.Line)
	l.MaxMetadata = cmp.Or(own.MaxMetadata, l.MaxMetadata)
	return l
}

// shorten answers the ttl that is set for who asks for one that is allowed.
func (own *Own) shorten(ttl, least time.Duration) time.Duration {
	if own == nil || own.MaxTTL == 0 {
		return ttl
	}
	return min(ttl, max(own.MaxTTL.Truncate(time.Millisecond), least))
}
