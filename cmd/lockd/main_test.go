package main

import (
	"runtime/debug"
	"testing"

	"go.uber.org/goleak"

	"github.com/lockd/lockd/test/lockdproc"
	"github.com/lockd/lockd/test/redisproc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(lockdproc.Main{M: redisproc.Main{M: m}}) }

func TestTheVersionIsTheLinkersElseTheModulesElseDev(t *testing.T) {
	built := func(version string, ok bool) func() (*debug.BuildInfo, bool) {
		return func() (*debug.BuildInfo, bool) { return &debug.BuildInfo{Main: debug.Module{Version: version}}, ok }
	}
	for _, c := range []struct {
		linked string
		build  func() (*debug.BuildInfo, bool)
		want   string
	}{
		{"v1.2.3", built("v0.0.1", true), "v1.2.3"}, {"", built("v0.0.1", true), "v0.0.1"},
		{"", built("(devel)", true), "dev"}, {"", built("", true), "dev"}, {"", built("", false), "dev"},
	} {
		if got := versionOf(c.linked, c.build); got != c.want {
			t.Errorf("versionOf(%q, …) = %q, want %q", c.linked, got, c.want)
		}
	}
}
