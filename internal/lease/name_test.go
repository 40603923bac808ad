package lease_test

import (
	"strings"
	"testing"

	"github.com/lockd/lockd/internal/lease"
)

// badNames are wrong as a name and as a prefix.
var badNames = map[string]string{
	"overlong":              strings.Repeat("n", lease.MaxNameBytes+1),
	"overlong in bytes":     strings.Repeat("ü", lease.MaxNameBytes/2) + "n",
	"newline":               "a\nb",
	"tab":                   "a\tb",
	"NUL":                   "a\x00b",
	"DEL":                   "a\x7fb",
	"C1 control":            "a\u0085b",
	"not UTF-8":             "a\xffb",
	"cut UTF-8":             "ü"[:1],
	"overlong UTF-8":        "\xc0\x80",
	"surrogate":             "\xed\xa0\x80",
	"slash":                 "/",
	"leading slash":         "/a",
	"trailing slash":        "a/",
	"double slash":          "a//b",
	"dot":                   ".",
	"dots":                  "..",
	"dot segment":           "a/./b",
	"dots segment":          "../a",
	"trailing dots segment": "a/..",
}

// A bad name is refused with the field and what would be right.
func TestBadNames(t *testing.T) {
	wantInvalid(t, "CheckName(empty)", lease.CheckName(""), "name")
	if got, want := lease.CheckName("").Error(), "name is empty; want 1 to 256 bytes"; got != want {
		t.Errorf("CheckName(empty) = %q, want %q", got, want)
	}
	for what, name := range badNames {
		wantInvalid(t, "CheckName("+what+")", lease.CheckName(name), "name")
		wantInvalid(t, "CheckPrefix("+what+")", lease.CheckPrefix(name), "prefix")
	}
}

// Whatever is no control character may be in a name, which is compared as bytes.
func TestGoodNames(t *testing.T) {
	for _, name := range []string{
		"a", " ", "a b", "orders/42", "a/b/c/d", "...", "a/.b", "a/...", ".a", "{x}", "*", `\`, "ü", "e\u0301", "日本語", "🔑", "\u2028", "\ufffd",
		strings.Repeat("n", lease.MaxNameBytes), strings.Repeat("ü", lease.MaxNameBytes/2), strings.Repeat("a/", 127) + "ab",
	} {
		if err := lease.CheckName(name); err != nil {
			t.Errorf("CheckName(%q) = %v, want nil", name, err)
		}
		if err := lease.CheckPrefix(name); err != nil {
			t.Errorf("CheckPrefix(%q) = %v, want nil", name, err)
		}
	}
	if err := lease.CheckPrefix(""); err != nil {
		t.Errorf("CheckPrefix(empty) = %v, want nil: every name", err)
	}
}

// A prefix selects by whole segments.
func TestUnder(t *testing.T) {
	for _, test := range []struct {
		name, prefix string
		want         bool
	}{
		{"a/b", "", true},
		{"a/b", "a", true},
		{"a/b", "a/b", true},
		{"a/b/c", "a/b", true},
		{"a/bc", "a/b", false},
		{"ab", "a", false},
		{"a", "a/b", false},
		{"b/a", "a", false},
		{"A/b", "a", false},
		{"a*", "a*", true},
		{"ab", "a*", false},
	} {
		if got := lease.Under(test.name, test.prefix); got != test.want {
			t.Errorf("Under(%q, %q) = %t, want %t", test.name, test.prefix, got, test.want)
		}
	}
}
