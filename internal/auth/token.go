package auth

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"
)

// hash is SHA-256 of a token. Tokens are random, not thought up, so that guessing one from its hash is hopeless
// and no slow hash is needed; the documentation says how they are made.
type hash [sha256.Size]byte

// tokens are the bearer tokens, by the beginning of their hashes.
type tokens map[[8]byte][]token

// token is one of them. Two may have one name: while one replaces the other.
type token struct {
	is   hash
	name string
}

// readTokens reads a file of lines
//
//	NAME sha256:64 HEX DIGITS
//
// with empty lines and comments, which begin with #.
func readTokens(path string) (tokens, error) {
	if path == "" {
		return nil, nil
	}
	text, err := readFile(path, secret)
	if err != nil {
		return nil, fmt.Errorf("token-file %w", err)
	}
	found := make(tokens)
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		if err := found.add(strings.TrimSpace(lines.Text())); err != nil {
			return nil, fmt.Errorf("token-file %s:%d: %w", path, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("token-file %s: %w", path, err)
	}
	return found, nil
}

func (t tokens) add(line string) error {
	// What stands there may be a token that somebody forgot to hash: nothing of it is shown.
	const want = "want NAME sha256:HEX, with the 64 digits that sha256sum says of the token"
	if line == "" || line[0] == '#' {
		return nil
	}
	fields := strings.Fields(line)
	if len(fields) != 2 {
		return fmt.Errorf("there are %d words; %s", len(fields), want)
	}
	digits, ok := strings.CutPrefix(fields[1], "sha256:")
	sum, err := hex.DecodeString(digits)
	if !ok || err != nil || len(sum) != sha256.Size {
		return fmt.Errorf("the second word is no hash; %s", want)
	}
	name, err := named("token", fields[0])
	if err != nil {
		return err
	}
	if other, twice := t.of(hash(sum)); twice {
		return fmt.Errorf("%s has this token already; want one token for each line", other)
	}
	t[[8]byte(sum)] = append(t[[8]byte(sum)], token{hash(sum), name})
	return nil
}

// of answers whose token it is. What the time of looking up the beginning tells of it helps nobody, who would need a token of a
// chosen hash; the rest is compared in constant time.
func (t tokens) of(is hash) (name string, ok bool) {
	for _, known := range t[[8]byte(is[:])] {
		if subtle.ConstantTimeCompare(known.is[:], is[:]) == 1 {
			name, ok = known.name, true
		}
	}
	return name, ok
}
