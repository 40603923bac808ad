package pages

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lockd/lockd/test/lockdproc"
)

// docs/lockd.yaml has every setting, with its default, as a comment that is a setting without its #.
func TestTheExampleFileHasEverySettingWithItsDefault(t *testing.T) {
	text := read(t, root+"/docs/lockd.yaml")
	printed := func(yaml string) string {
		path := filepath.Join(t.TempDir(), "lockd.yaml")
		if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := run(t, lockdproc.Build(t, "lockd"), "config", "print", "--config", path)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	origin := regexp.MustCompile(`(?m) *#.*$`)
	as, uncommented := printed(text), printed(regexp.MustCompile(`(?m)^#([a-z-]+: \S+)$`).ReplaceAllString(text, "$1"))
	if strings.Contains(as, ".yaml:") {
		t.Errorf("as it stands docs/lockd.yaml sets something:\n%s", as)
	}
	if strings.Contains(uncommented, "# default\n") {
		t.Errorf("docs/lockd.yaml lacks the settings that are left at their default here:\n%s", uncommented)
	}
	if got, want := origin.ReplaceAllString(uncommented, ""), origin.ReplaceAllString(as, ""); got != want {
		t.Errorf("docs/lockd.yaml says that the defaults are\n%s\nthey are\n%s", got, want)
	}
}
