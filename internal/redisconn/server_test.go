package redisconn

import "testing"

func TestVersionProblem(t *testing.T) {
	for version, ok := range map[string]bool{
		"7.0.15": true, "6.2.0": true, "8": true, "10.1": true, "6.0.16": false, "5.0.7": false, "": false, "unknown": false,
	} {
		if got := VersionProblem(version); (got == "") != ok {
			t.Errorf("VersionProblem(%q) = %q, want fine: %v", version, got, ok)
		}
	}
}
