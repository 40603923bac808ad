package redisstore

import (
	"strings"
	"testing"
)

// What is wrong with the URL is said as with the rest.
func TestConfigCheck(t *testing.T) {
	for _, test := range []struct {
		config Config
		says   string
	}{
		{Config{URL: "redis://localhost", KeyPrefix: "team-a"}, ""},
		{Config{URL: "redis://localhost", MinReplicas: 1}, ""},
		{Config{URL: "redis://a,b?master=m", MinReplicas: 1}, ""},
		{Config{URL: "redis://localhost", KeyPrefix: "a{b}"}, "brace"},
		{Config{URL: "redis://localhost", MinReplicas: -1}, "none or more"},
		{Config{URL: "redis://a,b", MinReplicas: 1}, "replicas of a cluster"},
		{Config{URL: "localhost:6379"}, "scheme"},
	} {
		err := test.config.Check()
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("Check(%+v) = %v, want an error with %q", test.config, err, test.says)
		}
	}
}

// A name steers neither its slot nor a pattern.
func TestKeys(t *testing.T) {
	k := newKeys("", 0)
	for _, name := range []string{"a", "a/b", "{x}", "}{", `*?[a]\`, "a b|c:d"} {
		key := k.lock(name)
		if !strings.HasPrefix(key, "lockd:{0}:lock:") || strings.IndexByte(key, '}') != len("lockd:{0") {
			t.Errorf("lock(%q) = %q, want the tag {0} first", name, key)
		}
		if back, ok := k.name(key); !ok || back != name {
			t.Errorf("name(lock(%q)) = %q, %v", name, back, ok)
		}
	}
	if got, want := k.locksUnder("a*[b]"), `lockd:{0}:lock:a\*\[b\]*`; got != want {
		t.Errorf("locksUnder = %q, want %q", got, want)
	}
}
