// Package auth says who calls, and what they may do: certificates, bearer tokens and JWTs make an identity, a policy
// gives identities verbs on names, and names their terms. It also has what a listener shows of itself over TLS, since all of it is read from
// files that are replaced together, all or nothing, while lockd serves.
//
// An identity is a text that says how it was proven: "cert:" and the URI or DNS name of a certificate, "token:" and the
// name of a bearer token, "jwt:" and the subject of a JWT. None can be taken for another.
//
// The package knows neither gRPC nor a store. No error and no text of it shows a token or a key.
package auth

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// Settings say where everything is read from. Paths may be "": there is none.
type Settings struct {
	Cert, Key string // PEM: what listeners show of themselves; both or neither
	ClientCA  string // PEM: who may have signed clients' certificates; "": certificates are no identity
	Tokens    string // names of bearer tokens with their hashes
	JWTKeys   string // JWKS: who may have signed JWTs, which then need Issuer and Audience
	Issuer    string
	Audience  string
	Policy    string // YAML: who may do what, needed where anybody has an identity; and the terms of names
}

// Identifies reports whether s has any way to tell who calls. Then nobody may do anything who is not known.
func (s Settings) Identifies() bool { return s.ClientCA != "" || s.Tokens != "" || s.JWTKeys != "" }

// check says what does not fit together.
func (s Settings) check() error {
	var wrong []error
	want := func(ok bool, problem string) {
		if !ok {
			wrong = append(wrong, errors.New(problem))
		}
	}
	want((s.Cert == "") == (s.Key == ""), "there is tls-cert without tls-key, or tls-key without tls-cert; want both or neither")
	want(s.ClientCA == "" || s.Cert != "", "tls-client-ca is set and tls-cert is not; want tls-cert and tls-key: clients show certificates over TLS only")
	jwt := s.JWTKeys != ""
	want(jwt == (s.Issuer != "") && jwt == (s.Audience != ""), "jwt-keys, jwt-issuer and jwt-audience go together; want all three or none")
	want(!s.Identifies() || s.Policy != "", "it is told who calls, but not what they may do; want policy")
	return errors.Join(wrong...)
}

// Guard has what the files said last, or the last time all of them were right. It is safe for concurrent use. A nil
// Guard asks nobody who they are.
type Guard struct {
	settings Settings
	current  atomic.Pointer[state]

	mu      sync.Mutex
	changed chan struct{} // closed, and made anew, when another state is current
}

// state is what the files said. It is not changed any more, but that it remembers what it found out.
type state struct {
	print    hash            // of the files
	contents map[string]hash // of each, by setting

	serving *tls.Certificate // nil: plaintext
	clients *x509.CertPool   // nil: certificates are no identity
	tokens  tokens
	jwt     *jwtKeys // nil: JWTs are no identity
	policy  *policy

	certificates seen[*x509.Certificate, identity] // verified ones
	signed       seen[hash, identity]              // JWTs whose signature has been verified, by their hash
	allowed      seen[string, allowance]           // by principal
}

// Open reads and checks all files. Its errors, a line each, say what is wrong and what would be right. No name may be held
// for less than minTTL at most.
func Open(s Settings, minTTL time.Duration) (*Guard, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	read, err := s.read(time.Now(), minTTL)
	if err != nil {
		return nil, err
	}
	g := &Guard{settings: s, changed: make(chan struct{})}
	g.current.Store(read)
	return g, nil
}

func (s Settings) read(now time.Time, minTTL time.Duration) (*state, error) {
	read := &state{print: s.print(), contents: s.contents()} // before they are read: what changes meanwhile is noticed
	var wrong [5]error
	read.serving, wrong[0] = readPair(s.Cert, s.Key, now)
	read.clients, wrong[1] = readAuthorities(s.ClientCA, now)
	read.tokens, wrong[2] = readTokens(s.Tokens)
	read.jwt, wrong[3] = readJWTKeys(s)
	read.policy, wrong[4] = readPolicy(s, minTTL)
	if err := errors.Join(wrong[:]...); err != nil {
		return nil, err
	}
	return read, nil
}

// Prepare reads and checks all files again, as Open does. Nothing has changed until commit is called, which cannot fail, and
// says what has.
func (g *Guard) Prepare(minTTL time.Duration) (commit func() []Change, err error) {
	next, err := g.settings.read(time.Now(), minTTL)
	if err != nil {
		return nil, err
	}
	return func() []Change {
		g.mu.Lock()
		defer g.mu.Unlock()
		before := g.current.Swap(next)
		close(g.changed)
		g.changed = make(chan struct{})
		return next.changes(before)
	}, nil
}

// print is a fingerprint of what the files hold, or of why they cannot be read; and of who may read them, since a file that
// was refused for that is looked at again when it is put right.
func (s Settings) print() hash {
	all := sha256.New()
	for _, path := range []string{s.Cert, s.Key, s.ClientCA, s.Tokens, s.JWTKeys, s.Policy} {
		if path == "" {
			continue
		}
		text, err := readFile(path, 0)
		var mode os.FileMode
		if info, err := os.Stat(path); err == nil {
			mode = info.Mode()
		}
		fmt.Fprintf(all, "%d %v %v\n", len(text), mode, err)
		all.Write(text)
	}
	return hash(all.Sum(nil))
}

// Stale reports whether the files hold something else by now than what is in force, and answers a fingerprint of them, by which
// two moments can be told apart.
func (g *Guard) Stale() (print [sha256.Size]byte, stale bool) {
	now := g.settings.print()
	return now, now != g.current.Load().print
}

// Changes answers a channel that is closed when something is replaced. Nil for a nil Guard.
func (g *Guard) Changes() <-chan struct{} {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.changed
}

// Identifies reports whether g asks callers who they are.
func (g *Guard) Identifies() bool { return g != nil && g.settings.Identifies() }

// Terms answers what the policy says of a name, now. A nil Guard says nothing.
func (g *Guard) Terms(name string) lease.Terms {
	if g == nil {
		return lease.Terms{}
	}
	return g.current.Load().policy.names.terms(name)
}

// maxSeen bounds each of a state's memories. Beyond it one is forgotten for each new one.
const maxSeen = 10_000

// seen remembers what is costly to find out, and does not change as long as a state is current.
type seen[K comparable, V any] struct {
	mu    sync.RWMutex
	known map[K]V
}

func (s *seen[K, V]) get(key K) (V, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	v, ok := s.known[key]
	return v, ok
}

func (s *seen[K, V]) put(key K, v V) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = make(map[K]V)
	}
	if len(s.known) >= maxSeen {
		for one := range s.known {
			delete(s.known, one)
			break
		}
	}
	s.known[key] = v
}
