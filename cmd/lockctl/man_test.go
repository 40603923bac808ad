package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Each command has a page, with everything that its help has.
func TestEveryCommandHasItsPage(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "man1")
	if code, _, text := here(t, "localhost:1", "man", dir); code != exitOK {
		t.Fatal(text)
	}
	n := 0
	eachCommand(newRoot(), func(cmd *cobra.Command) {
		n++
		raw, err := os.ReadFile(filepath.Join(dir, pageName(cmd)+".1"))
		if err != nil {
			t.Fatal(err)
		}
		text := string(raw)
		want := []string{".SH \"NAME\"\n" + roff(pageName(cmd)) + ` \- `, ".SH \"SYNOPSIS\"\nlockctl", ".SH \"DESCRIPTION\"\n", ".SH \"EXIT STATUS\"\n", ".SH \"ENVIRONMENT\"\n",
			".SH \"FILES\"\n", ".SH \"EXAMPLES\"\n", ".SH \"SEE ALSO\"\n", roff(strings.Split(cmd.Example, "\n")[0])}
		for _, entries := range [][]entry{exitCodes, environment, files} {
			for _, e := range entries {
				want = append(want, `.B "`+roff(e.word)+"\"\n"+roff(e.text)+"\n")
			}
		}
		cmd.InheritedFlags() // cobra gathers them then
		cmd.Flags().VisitAll(func(flag *pflag.Flag) { want = append(want, roff("--"+flag.Name)) })
		for _, part := range want {
			if !strings.Contains(text, part) {
				t.Errorf("%s.1 has no %q", pageName(cmd), part)
			}
		}
		if i := strings.IndexFunc(text, func(r rune) bool { return r > 126 }); i >= 0 {
			t.Errorf("%s.1 is not ASCII at %q", pageName(cmd), text[i:i+10])
		}
	})
	if found, _ := os.ReadDir(dir); len(found) != n {
		t.Errorf("there are %d pages, want one for each of %d commands", len(found), n)
	}
}

// Groff finds nothing wrong with a page, and shows what is typed as it must be typed.
func TestPagesAreRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if code, _, text := here(t, "localhost:1", "man", dir); code != exitOK {
		t.Fatal(text)
	}
	pages, _ := filepath.Glob(filepath.Join(dir, "*.1"))
	for _, path := range pages {
		if out, err := exec.Command("groff", "-man", "-Tutf8", "-ww", "-z", path).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("groff (Debian: groff-base) on %s: %v\n%s", filepath.Base(path), err, out)
		}
	}
	out, err := exec.Command("groff", "-man", "-Tutf8", "-rLL=200n", "-P-c", "-P-b", "-P-u", filepath.Join(dir, "lockctl-acquire.1")).Output()
	for _, want := range []string{
		`eval "$(lockctl acquire orders/42)" && { work --token "$LOCKD_TOKEN"; lockctl release orders/42; }`,
		"lockctl acquire NAME [flags]", "-E, --conflict-exit-code code", "70     the lease was lost",
		"LOCKCTL_SERVER", "$XDG_CONFIG_HOME/lockd/lockctl.yaml",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("lockctl-acquire(1), %v, has no %q:\n%s", err, want, out)
		}
	}
}

func TestRoffIsShownAsItStands(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a-b": `a\-b`, ".x": `\&.x`, "'x": `\(aqx`, `a\b`: `a\eb`, `"q"`: `\(dqq\(dq`, "`~^": `\(ga\(ti\(ha`, "ARG…": `ARG\[u2026]`, "": "",
	} {
		if got := roff(text); got != want {
			t.Errorf("roff(%q) = %q, want %q", text, got, want)
		}
	}
}
