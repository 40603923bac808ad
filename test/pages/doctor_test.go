package pages

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lockd/lockd/test/lockdproc"
	"github.com/lockd/lockd/test/redisproc"
)

// On the set-up that the pages describe, with the rights that they give, doctor finds nothing and ends with 0; where something
// is wrong it says what, with its danger and its remedy, and ends with 78.
func TestDoctorFindsNothingOnADocumentedSetUp(t *testing.T) {
	line := regexp.MustCompile(`(?m)^    ACL SETUSER (lockd .*)$`).FindStringSubmatch(read(t, root+"/docs/operations.md"))
	more := regexp.MustCompile("`ACL SETUSER lockd (.*)` lets lockd").FindStringSubmatch(read(t, root+"/docs/doctor.md"))
	if line == nil || more == nil {
		t.Fatal("the pages have no ACL SETUSER lockd")
	}
	args := append([]string{"--appendonly", "yes", "--appendfsync", "always", "--maxmemory", "64mb", "--user"},
		strings.Fields(strings.Replace(line[1], ">PASSWORD", ">secret", 1)+" "+more[1])...)
	r := redisproc.Start(t, redisproc.TCP(), redisproc.Args(args...))
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := lockdproc.Start(t, "--redis", "redis://lockd@"+r.Addr(), "--redis-password-file", password, "--max-connections", "100", "--max-connections-from-one", "100")
	// What is slow on this machine is not what this is about.
	moment := regexp.MustCompile(`(?m)^warning +(fork|round-trip|slow-calls|slow-disk|stalls): `)
	out, code := doctor(t, s)
	if found := regexp.MustCompile(`(?m)^(note|warning|critical) +`).FindAllString(out, -1); len(found) != len(moment.FindAllString(out, -1)) || len(found) == 0 && code != 0 {
		t.Errorf("lockctl doctor: %d\n%s\nwant 0 and nothing found", code, out)
	}
	admin := r.Client()
	defer admin.Close()
	if err := admin.ConfigSet(t.Context(), "tcp-keepalive", "0").Err(); err != nil {
		t.Fatal(err)
	}
	out, code = doctor(t, s)
	for _, want := range []string{`(?m)^warning +tcp-keepalive: redis at \S+ has tcp-keepalive 0$`, `(?m)^endangers  Redis does not notice`, `(?m)^mend +CONFIG SET tcp-keepalive`, `(?m)^found: \d warning; \d+ checks made$`} {
		if !regexp.MustCompile(want).MatchString(out) || code != 78 {
			t.Errorf("lockctl doctor: %d\n%s\nwant 78 and %s", code, out, want)
		}
	}
	if out, code = doctor(t, s, "--least", "critical", "-o", "json"); code != 0 || !strings.Contains(out, `"findings": []`) {
		t.Errorf("lockctl doctor --least critical: %d\n%s\nwant 0 and nothing", code, out)
	}
}

// doctor asks the lockd s and answers what lockctl printed and how it ended.
func doctor(t *testing.T, s *lockdproc.Server, args ...string) (out string, code int) {
	t.Helper()
	out, err := run(t, lockdproc.Build(t, "lockctl"), append([]string{"doctor", "--server", s.Addr()}, args...)...)
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return out, ended.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out, 0
}
