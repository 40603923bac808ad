package pages

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/lockd/lockd/test/lockdproc"
)

// The image is built from what is there, with the Go that go.mod asks for, and does not run as root.
func TestDockerfile(t *testing.T) {
	file := read(t, root+"/Dockerfile")
	if m := regexp.MustCompile(`FROM golang:(\d+\.\d+)-`).FindStringSubmatch(file); m == nil || !strings.Contains(read(t, root+"/go.mod"), "\ngo "+m[1]) {
		t.Errorf("the Dockerfile builds with %q, want the version of go.mod", m)
	}
	if !regexp.MustCompile(`(?m)^USER [1-9]\d*:[1-9]\d*$`).MatchString(file) {
		t.Error("the Dockerfile sets no user by number, want one that is not root")
	}
	for _, m := range regexp.MustCompile(`\./cmd/[a-z]+`).FindAllString(file, -1) {
		if _, err := os.Stat(root + "/" + m); err != nil {
			t.Errorf("the Dockerfile builds %s: %v", m, err)
		}
	}
	check := regexp.MustCompile(`HEALTHCHECK .* CMD \["/lockd", (.*)\]`).FindStringSubmatch(file)
	if check == nil {
		t.Fatal("the Dockerfile has no health check by lockd")
	}
	s := lockdproc.Start(t)
	cmd := exec.CommandContext(bounded(t), lockdproc.Build(t, "lockd"), strings.Split(strings.ReplaceAll(check[1], `"`, ""), ", ")...)
	cmd.Env = append(imageEnv(t), "LOCKD_LISTEN="+s.Addr())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("the health check: lockd %s: %v\n%s", check[1], err, out)
	}
}

// imageEnv is the environment that the Dockerfile sets.
func imageEnv(t *testing.T) []string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^ENV (.*)$`).FindStringSubmatch(read(t, root+"/Dockerfile"))
	if m == nil {
		t.Fatal("the Dockerfile sets no environment")
	}
	return strings.Fields(m[1])
}
