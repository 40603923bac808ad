package memstore

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"

	"github.com/lockd/lockd/internal/lease"
)

// pages writes and reads page tokens. Where a page ended is a fencing token, perhaps of a lease that the caller may not read,
// and how fast those grow says how busy others are: so it is enciphered, as one block, with a key that this process alone
// has. The other half of the block is zeros, by which it is known as ours.
type pages struct{ block cipher.Block }

func newPages() pages {
	var key [aes.BlockSize]byte
	_, _ = rand.Read(key[:])            // does not fail: it ends the process
	block, err := aes.NewCipher(key[:]) // refuses keys of other sizes only
	if err != nil {
		panic(err)
	}
	return pages{block}
}

func (p pages) token(last lease.Token) string {
	var b [aes.BlockSize]byte
	binary.BigEndian.PutUint64(b[:], uint64(last))
	p.block.Encrypt(b[:], b[:])
	return hex.EncodeToString(b[:])
}

// parse answers where the page begins that a token stands for; 0: the first one.
func (p pages) parse(token string) (lease.Token, error) {
	if token == "" {
		return 0, nil
	}
	b, err := hex.DecodeString(token)
	if err == nil && len(b) == aes.BlockSize {
		p.block.Decrypt(b, b)
		if binary.BigEndian.Uint64(b[8:]) == 0 {
			return lease.Token(binary.BigEndian.Uint64(b)), nil
		}
	}
	return 0, &lease.InvalidError{Field: "page_token", Problem: "is none of this store's; want the next_page_token of the page before"}
}
