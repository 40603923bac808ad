package lease

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Bounds that no setting changes.
const (
	MaxOwnerBytes = 256
	// MaxPrincipalBytes bounds who somebody is, as authenticated.
	MaxPrincipalBytes = 256
	MaxReasonBytes    = 256
	MaxMetadataBytes  = 1024 // keys and values together
	MaxPageSize       = 1000
	defaultPageSize   = 100
	idDigits          = 32
)

// Limits bound what callers may ask for. The zero value of a field means its default.
type Limits struct {
	MinTTL     time.Duration // default 1 s
	MaxTTL     time.Duration // default 1 h
	DefaultTTL time.Duration // default 30 s
	MaxWait    time.Duration // default 5 min
	// MaxMetadata bounds metadata in bytes, keys and values together: at most MaxMetadataBytes, which is the default.
	MaxMetadata int
	All         Share // what all together may have; default: no bound
	Each        Share // what each principal may have; nobody who is not authenticated is one
}

// count reports whether what principal has is counted: of who is authenticated always, since Own can come at any time.
func (l *Limits) count(principal string) bool {
	return principal != "" || l.All != Share{} || l.Each != Share{}
}

// WithDefaults returns l with every zero field set to its default.
func (l Limits) WithDefaults() Limits {
	set := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	set(&l.MinTTL, time.Second)
	set(&l.MaxTTL, time.Hour)
	set(&l.DefaultTTL, 30*time.Second)
	set(&l.MaxWait, 5*time.Minute)
	if l.MaxMetadata == 0 {
		l.MaxMetadata = MaxMetadataBytes
	}
	return l
}

// Validate reports everything that is wrong with limits whose defaults are set, a line each: 1 ms <= MinTTL
// <= DefaultTTL <= MaxTTL <= 24 h, 0 < MaxWait <= 1 h, 0 < MaxMetadata <= MaxMetadataBytes, and no Share is negative.
func (l Limits) Validate() error {
	var wrong []error
	want := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Errorf(format, args...))
		}
	}
	want(l.MinTTL >= time.Millisecond, "the smallest ttl is %s; want at least 1ms", l.MinTTL)
	want(l.MinTTL <= l.MaxTTL, "the smallest ttl is %s, and the largest %s; want the smallest to be no more than that", l.MinTTL, l.MaxTTL)
	want(l.MinTTL > l.MaxTTL || l.DefaultTTL >= l.MinTTL && l.DefaultTTL <= l.MaxTTL, // else no default would do
		"the default ttl is %s; want it between the smallest (%s) and the largest (%s)", l.DefaultTTL, l.MinTTL, l.MaxTTL)
	want(l.MaxTTL <= 24*time.Hour, "the largest ttl is %s; want at most 24h", l.MaxTTL)
	want(l.MaxWait > 0 && l.MaxWait <= time.Hour, "the longest wait is %s; want more than 0 and at most 1h", l.MaxWait)
	want(l.MaxMetadata > 0 && l.MaxMetadata <= MaxMetadataBytes,
		"the most metadata is %d bytes; want more than 0 and at most %d", l.MaxMetadata, MaxMetadataBytes)
	wrong = append(wrong, NotNegative(map[string]int{
		"max-leases": l.All.Leases, "max-waiters": l.All.Waiters, "the line of all": l.All.Line,
		"tenant-leases": l.Each.Leases, "tenant-waiters": l.Each.Waiters, "tenant-line": l.Each.Line,
	}))
	return errors.Join(wrong...)
}

// NotNegative reports which of these limits, each by the setting that it comes from, are negative: a line each, by name.
func NotNegative(limits map[string]int) error {
	var wrong []error
	for _, name := range slices.Sorted(maps.Keys(limits)) {
		if limits[name] < 0 {
			wrong = append(wrong, fmt.Errorf("%s is %d; want 0 for no limit, or more", name, limits[name]))
		}
	}
	return errors.Join(wrong...)
}

// inForce are the limits of now, and the widest there have been: leases granted under those are still
// held, and renewed as they are. It never changes; other limits are another inForce.
type inForce struct {
	Limits
	widest Limits // MinTTL and MaxTTL alone
}

// SetLimits puts limits, valid with their defaults set, in force for whatever is asked from now on, all of
// them in one step. What is under way keeps what it has: a lease its ttl, also when it is renewed, a wait
// its end.
func (l *Lessor) SetLimits(limits Limits) {
	for {
		before := l.limits.Load()
		next := &inForce{limits, limits}
		if before != nil {
			next.widest.MinTTL = min(limits.MinTTL, before.widest.MinTTL)
			next.widest.MaxTTL = max(limits.MaxTTL, before.widest.MaxTTL)
		}
		if l.limits.CompareAndSwap(before, next) {
			return
		}
	}
}

// Limits answers those in force.
func (l *Lessor) Limits() Limits { return l.limits.Load().Limits }

// checkTTL cuts ttl to whole milliseconds and checks its bounds.
func (l Limits) checkTTL(ttl time.Duration) (time.Duration, error) {
	whole := ttl.Truncate(time.Millisecond)
	if whole < l.MinTTL || whole > l.MaxTTL {
		return 0, invalid("ttl", "is %s; want %s to %s, in whole milliseconds", ttl, l.MinTTL, l.MaxTTL)
	}
	return whole, nil
}

func (l Limits) checkWait(wait time.Duration) error {
	if wait < 0 || wait > l.MaxWait {
		return invalid("wait", "is %s; want 0 to %s (wait longer by asking again with the same lease_id)", wait, l.MaxWait)
	}
	return nil
}

func checkID(id ID) error {
	if len(id) != idDigits {
		return invalid("lease_id", "has %d characters; want %d lower-case hex digits", len(id), idDigits)
	}
	for i := range len(id) {
		if c := id[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return invalid("lease_id", "has a wrong character at %d; want %d lower-case hex digits", i, idDigits)
		}
	}
	return nil
}

func checkToken(token Token) error {
	if token <= 0 || token >= MaxToken {
		return invalid("token", "is %d; want more than 0 and less than 2^53", token)
	}
	return nil
}

// checkText checks a text for people of at most limit bytes.
func checkText(field, text string, limit int) error {
	if len(text) > limit {
		return invalid(field, "has %d bytes; want at most %d", len(text), limit)
	}
	if problem := textProblem(text); problem != "" {
		return invalid(field, "%s", problem)
	}
	return nil
}

func checkOwner(owner string) error { return checkText("owner", owner, MaxOwnerBytes) }

func checkPrincipal(principal string) error {
	if principal == "" {
		return nil
	}
	return checkText("principal", principal, MaxPrincipalBytes)
}

func checkReason(reason string) error {
	if reason == "" {
		return invalid("reason", "is empty; say why the lease is ended, in up to %d bytes", MaxReasonBytes)
	}
	return checkText("reason", reason, MaxReasonBytes)
}

func (l Limits) checkMetadata(metadata map[string]string) error {
	size := 0
	for key, value := range metadata {
		size += len(key) + len(value)
		if key == "" {
			return invalid("metadata", "has an empty key; want keys of at least one character")
		}
		if problem := textProblem(key); problem != "" {
			return invalid("metadata", "key %q %s", key, problem)
		}
	}
	if size > l.MaxMetadata {
		return invalid("metadata", "has %d bytes, keys and values together; want at most %d", size, l.MaxMetadata)
	}
	return nil
}

// checkPageSize answers the size of a page: the default for 0.
func checkPageSize(size int) (int, error) {
	if size < 0 || size > MaxPageSize {
		return 0, invalid("page_size", "is %d; want 0 (for %d) to %d", size, defaultPageSize, MaxPageSize)
	}
	if size == 0 {
		return defaultPageSize, nil
	}
	return size, nil
}
