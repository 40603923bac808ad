package lease

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxNameBytes is the longest name in bytes of UTF-8.
const MaxNameBytes = 256

// CheckName reports what is wrong with a name as an *InvalidError, or nil. A name is 1 to 256 bytes
// of UTF-8 without control characters; "/" separates segments, none of which is empty, "." or "..".
func CheckName(name string) error {
	return checkName("name", name)
}

// CheckPrefix is CheckName for a prefix, which may also be empty and then selects every name.
func CheckPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	return checkName("prefix", prefix)
}

func checkName(field, name string) error {
	if name == "" {
		return invalid(field, "is empty; want 1 to %d bytes", MaxNameBytes)
	}
	if len(name) > MaxNameBytes {
		return invalid(field, "has %d bytes; want at most %d", len(name), MaxNameBytes)
	}
	if problem := textProblem(name); problem != "" {
		return invalid(field, "%s", problem)
	}
	for segment := range strings.SplitSeq(name, "/") {
		switch segment {
		case "":
			return invalid(field, "%q has an empty segment; want no leading, trailing or double %q", name, "/")
		case ".", "..":
			return invalid(field, "%q has a segment %q; want neither %q nor %q", name, segment, ".", "..")
		}
	}
	return nil
}

// Under reports whether name is prefix or lies below it by whole segments: "a/b" is over "a/b" and
// "a/b/c", not over "a/bc". The empty prefix is over every name.
func Under(name, prefix string) bool {
	rest, ok := strings.CutPrefix(name, prefix)
	return ok && (prefix == "" || rest == "" || rest[0] == '/')
}

// textProblem says why s is no single line of UTF-8, or "".
func textProblem(s string) string {
	if !utf8.ValidString(s) {
		return "is not valid UTF-8; want text that is"
	}
	if i := strings.IndexFunc(s, unicode.IsControl); i >= 0 {
		r, _ := utf8.DecodeRuneInString(s[i:])
		return fmt.Sprintf("has the control character %U at byte %d; want none", r, i)
	}
	return ""
}
