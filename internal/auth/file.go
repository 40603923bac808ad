package auth

import (
	"fmt"
	"io"
	"os"
)

// maxFile bounds a file, in bytes.
const maxFile = 4 << 20

// guarded says what others must not be able to do with a file, as the bits of its mode.
type guarded os.FileMode

const (
	secret  guarded = 0o026 // read it, but for its group, or write it
	trusted guarded = 0o022 // write it: what stands there says who may do what
)

// check answers an error for a file of that mode. Who may write the directory is not looked at.
func (g guarded) check(path string, mode os.FileMode) error {
	switch is := os.FileMode(g) & mode.Perm(); {
	case is == 0:
		return nil
	case g == secret:
		return fmt.Errorf("%s may be read by others, or written (mode %04o); want 0600 or 0640, as by chmod 600", path, mode.Perm())
	default:
		return fmt.Errorf("%s may be written by others than its owner (mode %04o); want 0644 or less, as by chmod go-w", path, mode.Perm())
	}
}

// readFile reads a file that others can do no more with than g says.
func readFile(path string, g guarded) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := file.Stat()
	if err == nil {
		err = g.check(path, info.Mode())
	}
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s has more than %d bytes; want no more", path, maxFile)
	}
	return text, err
}
