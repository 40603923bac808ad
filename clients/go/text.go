package lockd

import (
	"fmt"
	"unicode/utf8"
)

// checkText finds what protobuf would refuse to marshal, with an error that names no field. All other
// rules are the server's.
func checkText(name, owner string, metadata map[string]string) error {
	switch {
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: name is not valid UTF-8", ErrInvalid)
	case !utf8.ValidString(owner):
		return fmt.Errorf("%w: owner is not valid UTF-8", ErrInvalid)
	}
	for key, value := range metadata {
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return fmt.Errorf("%w: metadata has an entry %q that is not valid UTF-8", ErrInvalid, key)
		}
	}
	return nil
}
