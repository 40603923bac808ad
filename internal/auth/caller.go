package auth

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/lockd/lockd/internal/lease"
)

// Shown is what somebody who calls has shown of itself.
type Shown struct {
	Certificates  []*x509.Certificate // the connection's, the own one first: the handshake has proven that it has the key
	Authorization []string            // as in HTTP's header: "Bearer …". It goes before the certificate
}

// UnauthenticatedError says why somebody is nobody that is known here. It shows nothing of a token.
type UnauthenticatedError struct{ Problem string }

func (e *UnauthenticatedError) Error() string { return e.Problem }

func unauthenticated(format string, args ...any) error {
	return &UnauthenticatedError{fmt.Sprintf(format, args...)}
}

// DeniedError says what somebody may not do.
type DeniedError struct {
	Principal string
	Verb      Verb
	Name      string // or the prefix; "" is every name, or none in particular
}

func (e *DeniedError) Error() string {
	if e.Name == "" {
		return fmt.Sprintf("%s has no right to %s here", e.Principal, e.Verb)
	}
	return fmt.Sprintf("%s has no right to %s %q", e.Principal, e.Verb, e.Name)
}

// identity is who somebody is, and until when what it has shown is good; the zero time: for ever.
type identity struct {
	name  string
	until time.Time
}

// named answers the identity of a kind.
func named(kind, text string) (string, error) {
	name := kind + ":" + text
	if len(name) > lease.MaxPrincipalBytes || !utf8.ValidString(name) || strings.ContainsFunc(name, odd) {
		return "", unauthenticated("the name that is shown is no principal; want up to %d bytes of UTF-8 that can be printed, without spaces", lease.MaxPrincipalBytes)
	}
	return name, nil
}

func odd(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }

// A Caller is somebody who calls, for one call or stream. Whatever has been replaced since it was last asked counts at the
// next question. A nil Caller may do everything: nobody is asked who they are. It is safe for concurrent use.
type Caller struct {
	guard *Guard
	shown Shown
	last  atomic.Pointer[standing]
}

// standing is who somebody is and what it may do, by one state.
type standing struct {
	state *state
	who   identity
	allowance
	err error // why it is nobody
}

// allowance is what one identity may do, and how much.
type allowance struct {
	rights rights
	limits *Limits
}

// unlimited is for whom no limits are said.
var unlimited = new(Limits)

// Caller answers who has shown this, nil if nobody is asked.
func (g *Guard) Caller(shown Shown) *Caller {
	if !g.Identifies() {
		return nil
	}
	return &Caller{guard: g, shown: shown}
}

// now answers how c stands at a time.
func (c *Caller) now(at time.Time) *standing {
	current := c.guard.current.Load()
	is := c.last.Load()
	if is == nil || is.state != current {
		is = current.standingOf(c.shown, at)
		c.last.Store(is)
	}
	if until := is.who.until; is.err == nil && !until.IsZero() && at.After(until) {
		return &standing{state: current, err: unauthenticated("what %s has shown was good until %s", is.who.name, until.UTC().Format(time.RFC3339))}
	}
	return is
}

func (s *state) standingOf(shown Shown, at time.Time) *standing {
	who, err := s.identify(shown, at)
	if err == nil && s.policy.revoked.match(who.name) {
		err = unauthenticated("%s is revoked", who.name)
	}
	if err != nil {
		return &standing{state: s, err: err}
	}
	may, ok := s.allowed.get(who.name)
	if !ok {
		may = allowance{s.policy.rightsOf(who.name), s.policy.limitsOf(who.name)}
		s.allowed.put(who.name, may)
	}
	return &standing{state: s, who: who, allowance: may}
}

// identify answers who has shown this.
func (s *state) identify(shown Shown, at time.Time) (identity, error) {
	switch {
	case len(shown.Authorization) > 1:
		return identity{}, unauthenticated("there are %d authorizations; want one", len(shown.Authorization))
	case len(shown.Authorization) == 1:
		return s.byAuthorization(shown.Authorization[0])
	case len(shown.Certificates) > 0 && s.clients != nil:
		return s.byCertificate(shown.Certificates, at)
	}
	return identity{}, unauthenticated("nothing says who calls; want %s", s.wanted())
}

func (s *state) wanted() string {
	var ways []string
	if s.clients != nil {
		ways = append(ways, "a client certificate")
	}
	if s.tokens != nil || s.jwt != nil {
		ways = append(ways, "a bearer token")
	}
	return strings.Join(ways, " or ")
}

func (s *state) byAuthorization(text string) (identity, error) {
	scheme, bearer, _ := strings.Cut(text, " ")
	if !strings.EqualFold(scheme, "bearer") || bearer == "" {
		return identity{}, unauthenticated(`the authorization is of another kind; want "Bearer " and a token`)
	}
	sum := hash(sha256.Sum256([]byte(bearer)))
	if name, ok := s.tokens.of(sum); ok {
		return identity{name: name}, nil
	}
	if s.jwt == nil || strings.Count(bearer, ".") != 2 {
		return identity{}, unauthenticated("the bearer token is not known here")
	}
	if known, ok := s.signed.get(sum); ok {
		return known, nil
	}
	who, err := s.jwt.of(bearer)
	if err == nil {
		s.signed.put(sum, who)
	}
	return who, err
}

// Check answers who c is, "" if nobody is asked, or an *UnauthenticatedError if it is nobody, or nobody any more.
func (c *Caller) Check(at time.Time) (principal string, err error) {
	if c == nil {
		return "", nil
	}
	is := c.now(at)
	return is.who.name, is.err
}

// May is Check for who is about to do something to name; the error may be a *DeniedError as well. Whoever acts
// acts as the principal that this answers: by the next question it may be another one, or nobody.
func (c *Caller) May(do Verb, name string, at time.Time) (principal string, err error) {
	if c == nil {
		return "", nil
	}
	is := c.now(at)
	if is.err == nil && !is.rights.cover(do, name) {
		return "", &DeniedError{is.who.name, do, name}
	}
	return is.who.name, is.err
}

// MayBelow is May for at least one name under prefix.
func (c *Caller) MayBelow(do Verb, prefix string, at time.Time) (principal string, err error) {
	if c == nil {
		return "", nil
	}
	is := c.now(at)
	if is.err == nil && !is.rights.reach(do, prefix) {
		return "", &DeniedError{is.who.name, do, prefix}
	}
	return is.who.name, is.err
}

// Limits answers how much c may have and ask. It is not to be changed.
func (c *Caller) Limits(at time.Time) *Limits {
	if c == nil {
		return unlimited
	}
	if is := c.now(at); is.limits != nil {
		return is.limits
	}
	return unlimited
}

// Changes is Guard.Changes, nil if nobody is asked.
func (c *Caller) Changes() <-chan struct{} {
	if c == nil {
		return nil
	}
	return c.guard.Changes()
}
