package memstore

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strconv"
	"testing"

	"github.com/lockd/lockd/internal/lease"
)

// Where a page ended says nothing of the fencing token there, which may be of a lease that the caller may not read; nor
// how far it is from another one.
func TestAPageTokenTellsNoFencingToken(t *testing.T) {
	p := newPages()
	const last = lease.Token(1_700_000_000_000_001)
	one, next := p.token(last), p.token(last+1)
	for _, digits := range []string{strconv.FormatInt(int64(last), 10), strconv.FormatInt(int64(last), 16)} {
		if bytes.Contains([]byte(one), []byte(digits)) {
			t.Errorf("the page token %s has %s in it", one, digits)
		}
	}
	a, _ := hex.DecodeString(one)
	b, _ := hex.DecodeString(next)
	for at := 0; at+8 <= len(a); at++ {
		near := binary.BigEndian.Uint64(b[at:]) - binary.BigEndian.Uint64(a[at:])
		if near < 1<<16 || -near < 1<<16 { // 2^-47 each by chance
			t.Errorf("page tokens %s and %s are as near each other as what they stand for", one, next)
		}
	}
	if got, err := p.parse(one); got != last || err != nil {
		t.Errorf("parse(%s) = %d, %v, want %d", one, got, err, last)
	}
}

// A page token is one that this store answered, whole and unchanged.
func TestAPageTokenIsTheStoresOwn(t *testing.T) {
	p := newPages()
	good := p.token(5)
	wrong := []string{"5", good[:16], good + "00", newPages().token(5), " " + good}
	for i := range good {
		changed := []byte(good)
		if changed[i] = '0'; good[i] == '0' {
			changed[i] = '1'
		}
		wrong = append(wrong, string(changed))
	}
	for _, token := range wrong {
		if got, err := p.parse(token); !errors.As(err, new(*lease.InvalidError)) {
			t.Errorf("parse(%q) = %d, %v, want that it is refused", token, got, err)
		}
	}
}
