package auth

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Change is a file that holds something else than before, and in short what. It shows no token and no key.
type Change struct {
	Setting string // that names the file
	Now     string
}

// paths are the files by the settings that name them.
func (s Settings) paths() map[string]string {
	return map[string]string{
		"tls-cert": s.Cert, "tls-key": s.Key, "tls-client-ca": s.ClientCA, "token-file": s.Tokens, "jwt-keys": s.JWTKeys, "policy": s.Policy,
	}
}

// contents are hashes of what the files hold, by the settings that name them.
func (s Settings) contents() map[string]hash {
	all := make(map[string]hash)
	for setting, path := range s.paths() {
		if path == "" {
			continue
		}
		text, _ := readFile(path, 0) // what cannot be read is said by who needs it
		all[setting] = sha256.Sum256(text)
	}
	return all
}

// changes are what is another in s than in before, by setting.
func (s *state) changes(before *state) (all []Change) {
	for _, setting := range slices.Sorted(maps.Keys(s.contents)) {
		if s.contents[setting] != before.contents[setting] {
			all = append(all, Change{setting, s.inShort(setting, before)})
		}
	}
	return all
}

func (s *state) inShort(setting string, before *state) string {
	switch setting {
	case "tls-cert":
		return "good until " + s.serving.Leaf.NotAfter.UTC().Format(time.RFC3339)
	case "token-file":
		is, was := s.tokens.names(), before.tokens.names()
		return fmt.Sprintf("%d tokens%s%s", is.count(), is.without(was, "added"), was.without(is, "removed"))
	case "jwt-keys":
		return fmt.Sprintf("%d keys", len(s.jwt.keys))
	case "policy":
		p := s.policy
		rules := len(p.patterns)
		for _, grants := range p.exact {
			rules += len(grants)
		}
		return fmt.Sprintf("%d rules, %d limits, %d revoked, names under %d prefixes", rules, len(p.limits), len(p.revoked), len(p.names))
	default:
		return "read again"
	}
}

// tokenCounts are how many tokens each name has.
type tokenCounts map[string]int

func (t tokens) names() tokenCounts {
	all := make(tokenCounts)
	for _, some := range t {
		for _, one := range some {
			all[one.name]++
		}
	}
	return all
}

func (n tokenCounts) count() (sum int) {
	for _, of := range n {
		sum += of
	}
	return sum
}

// without says which names n has more tokens of than other.
func (n tokenCounts) without(other tokenCounts, verb string) string {
	const most = 10
	var more []string
	for _, name := range slices.Sorted(maps.Keys(n)) {
		if n[name] > other[name] {
			more = append(more, name)
		}
	}
	switch {
	case len(more) == 0:
		return ""
	case len(more) > most:
		more = append(more[:most], fmt.Sprintf("and %d more", len(more)-most))
	}
	return "; " + verb + " " + strings.Join(more, ", ")
}
