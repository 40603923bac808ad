package main

import (
	"os"
	"strings"
	"testing"
)

func TestVerdicts(t *testing.T) {
	const (
		pass     = `{"Action":"pass","Package":"p","Test":"TestA"}` + "\n"
		output   = `{"Action":"output","Package":"p","Test":"TestB","Output":"what it said\n"}` + "\n"
		fail     = `{"Action":"fail","Package":"p","Test":"TestB"}` + "\n"
		skip     = `{"Action":"skip","Package":"p","Test":"TestB"}` + "\n"
		noTests  = `{"Action":"skip","Package":"q"}` + "\n"
		noBuild  = `{"Action":"build-fail","ImportPath":"p"}` + "\n"
		packages = `{"Action":"pass","Package":"p","Elapsed":1.5}` + "\n"
	)
	for _, c := range []struct {
		name, in string
		ok       bool
		says     string
	}{
		{"all passed", pass + noTests + packages, true, "ok    p 1.5s\n1 passed, 0 failed, 0 skipped"},
		{"one failed", pass + output + fail, false, "what it said\nFAIL  p TestB"},
		{"one skipped", pass + output + skip, false, "what it said\nSKIP  p TestB"},
		{"one never ended", pass + output, false, "did not end: p TestB\nwhat it said"},
		{"one did not build", pass + noBuild, false, "FAIL  p (build)"},
		{"nothing ran", noTests, false, "no test ran"},
		{"nothing at all", "", false, "no test ran"},
		{"a line that is no event", "go: downloading x\n" + pass, true, "go: downloading x\n"},
	} {
		var got strings.Builder
		r := newReport(&got)
		if err := r.read(strings.NewReader(c.in)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if ok := r.finish(); ok != c.ok || !strings.Contains(got.String(), c.says) {
			t.Errorf("%s: %t and\n%swant %t and %q in it", c.name, ok, &got, c.ok, c.says)
		}
	}
}

// A package that the race detector brought down is to be run again, once; what was seen to fail has failed.
func TestWhatTheDetectorBroughtDown(t *testing.T) {
	const (
		pass  = `{"Action":"pass","Package":"p","Test":"TestA"}` + "\n"
		fell  = `{"Action":"output","Package":"p","Test":"TestB","Output":"ThreadSanitizer: CHECK failed: tsan_rtl.cpp\n"}` + "\n"
		ended = `{"Action":"fail","Package":"p"}` + "\n"
		fail  = `{"Action":"fail","Package":"p","Test":"TestC"}` + "\n"
		whole = `{"Action":"pass","Package":"p"}` + "\n"
	)
	for _, c := range []struct {
		name, in, again string
		ok              bool
	}{
		{"and stood the second time", pass + fell + ended, pass + whole, true},
		{"twice", pass + fell + ended, pass + fell + ended, false},
		{"after a failure", fail + fell + ended, pass + whole, false},
		{"and is not run again", pass + fell + ended, "", false},
	} {
		r := newReport(new(strings.Builder))
		if err := r.read(strings.NewReader(c.in)); err != nil {
			t.Fatal(err)
		}
		if len(r.fallen) != 1 || r.fallen[0] != "p" {
			t.Errorf("%s: to be run again are %q, want p", c.name, r.fallen)
		}
		if r.again = c.again != ""; r.again {
			if err := r.read(strings.NewReader(c.again)); err != nil {
				t.Fatal(err)
			}
		}
		if ok := r.finish(); ok != c.ok {
			t.Errorf("%s: %t, want %t", c.name, ok, c.ok)
		}
	}
}

// The whole of it, with a real go test: the first run of the package falls, and what the second says counts.
func TestAPackageThatFellIsRunOnceMore(t *testing.T) {
	for _, c := range []struct {
		name, second string
		good         bool
	}{
		{"and stands", "", true},
		{"and fails", `t.Error("the second time")`, false},
		{"and falls again", "fall()", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			write(t, "go.mod", "module example.com/fallen\n")
			write(t, "fallen_test.go", `package fallen

import (
	"fmt"
	"os"
	"testing"
)

func fall() {
	fmt.Println("ThreadSanitizer: CHECK failed: tsan_rtl.cpp")
	os.Exit(66)
}

func TestFalls(t *testing.T) {
	if os.Mkdir("once", 0o700) == nil {
		fall()
	}
	`+c.second+`
}
`)
			var said strings.Builder
			good, err := verdict(&said, []string{"-count=1", "./..."})
			if good != c.good || err != nil {
				t.Errorf("%t, %v, want %t; it said:\n%s", good, err, c.good, &said)
			}
			if !strings.Contains(said.String(), "again example.com/fallen: the race detector failed a check of its own\n") {
				t.Errorf("it did not say that it ran the package again:\n%s", &said)
			}
		})
	}
}

func TestWhatGoCannotRunIsAnError(t *testing.T) {
	t.Chdir(t.TempDir())
	var said strings.Builder
	if good, err := verdict(&said, []string{"-nosuchflag", "./..."}); good || err == nil {
		t.Errorf("%t, %v, want an error; it said:\n%s", good, err, &said)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
