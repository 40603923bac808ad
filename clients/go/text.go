package lockd

import (
	"fmt"
	"unicode/utf8"
)

// What lockd allows and no setting changes. A request that is too long for it to read is refused with
// no word of the field.
const (
	maxName     = 256  // bytes
	maxOwner    = 256  // bytes
	maxMetadata = 1024 // bytes, keys and values together
)

// checkText finds what would be refused, by protobuf or for its size, with an error that names no
// field. All other rules are the server's.
func checkText(name, owner string, metadata map[string]string) error {
	switch {
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: name is not valid UTF-8", ErrInvalid)
	case !utf8.ValidString(owner):
		return fmt.Errorf("%w: owner is not valid UTF-8", ErrInvalid)
	case len(name) > maxName:
		return fmt.Errorf("%w: name has %d bytes; want at most %d", ErrInvalid, len(name), maxName)
	case len(owner) > maxOwner:
		return fmt.Errorf("%w: owner has %d bytes; want at most %d", ErrInvalid, len(owner), maxOwner)
	}
	size := 0
	for key, value := range metadata {
		size += len(key) + len(value)
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return fmt.Errorf("%w: metadata has an entry %q that is not valid UTF-8", ErrInvalid, key)
		}
	}
	if size > maxMetadata {
		return fmt.Errorf("%w: metadata has %d bytes, keys and values together; want at most %d", ErrInvalid, size, maxMetadata)
	}
	return nil
}
