package pages

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/lockd/lockd/test/lockdproc"
	"github.com/lockd/lockd/test/redisproc"
)

// compose is as much of docker-compose.yml as there is in ours; what is misspelt is unknown.
type compose struct {
	Services map[string]struct {
		Profiles    []string
		Build       string
		Image       string
		Command     []string
		Environment map[string]string
		Ports       []string
		Volumes     []string
		DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
		Healthcheck struct {
			Test     []string
			Interval string
		}
	}
	Volumes map[string]struct{}
}

func readCompose(t *testing.T) compose {
	t.Helper()
	var c compose
	decoder := yaml.NewDecoder(strings.NewReader(read(t, root+"/docker-compose.yml")))
	decoder.KnownFields(true)
	if err := decoder.Decode(&c); err != nil {
		t.Fatalf("docker-compose.yml: %v", err)
	}
	return c
}

// The server believes every setting that the image and the compose file give it.
func TestDeployedSettingsAreLockds(t *testing.T) {
	image := imageEnv(t)
	for name, service := range readCompose(t).Services {
		if service.Build == "" {
			continue
		}
		env := slices.Clone(image)
		for key, value := range service.Environment {
			env = append(env, key+"="+value)
		}
		wantSettings(t, name, env, service.Command)
	}
}

func wantSettings(t *testing.T, name string, env, args []string) {
	t.Helper()
	help, err := run(t, lockdproc.Build(t, "lockd"), "--help")
	if err != nil {
		t.Fatal(err)
	}
	for _, variable := range env {
		key, _, _ := strings.Cut(variable, "=")
		if !strings.Contains(help, "["+key+"]") {
			t.Errorf("%s sets %s, which is no setting of lockd", name, key)
		}
	}
	cmd := exec.CommandContext(bounded(t), lockdproc.Build(t, "lockd"), append(args, "--check-config")...)
	cmd.Env = env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: lockd --check-config with %q: %v\n%s", name, env, err, out)
	}
}

// Services reach only what there is, and are reached from this machine alone.
func TestComposeHangsTogether(t *testing.T) {
	c := readCompose(t)
	for name, service := range c.Services {
		for other := range service.DependsOn {
			if len(c.Services[other].Healthcheck.Test) == 0 {
				t.Errorf("%s waits until %s is healthy, which has no health check", name, other)
			}
			if !slices.Equal(c.Services[other].Profiles, service.Profiles) {
				t.Errorf("%s waits for %s, which has other profiles", name, other)
			}
		}
		for _, port := range service.Ports {
			if !regexp.MustCompile(`^127\.0\.0\.1:\d+:742[01]$`).MatchString(port) {
				t.Errorf("%s publishes %s, want lockd's ports on loopback", name, port)
			}
		}
		for _, volume := range service.Volumes {
			if from, _, _ := strings.Cut(volume, ":"); !has(c.Volumes, from) {
				t.Errorf("%s mounts the volume %s, which is not declared", name, from)
			}
		}
		if url := service.Environment["LOCKD_REDIS"]; url != "" && !has(c.Services, strings.TrimSuffix(strings.TrimPrefix(url, "redis://"), ":6379")) {
			t.Errorf("%s is told of %s, which is no service", name, url)
		}
	}
}

func has[V any](m map[string]V, key string) bool {
	_, ok := m[key]
	return ok
}

// lockd finds nothing to warn about in the Redis that the compose file starts.
func TestComposedRedisIsAsItShouldBe(t *testing.T) {
	command := readCompose(t).Services["redis"].Command
	if len(command) == 0 || command[0] != "redis-server" {
		t.Fatalf("the command of redis is %q, want redis-server …", command)
	}
	r := redisproc.Start(t, redisproc.Args(command[1:]...))
	s := lockdproc.Start(t, "--redis", r.URL())
	out, err := run(t, lockdproc.Build(t, "lockctl"), "status", "-o", "json", "--server", s.Addr())
	if err != nil || !strings.Contains(out, `"warnings": []`) || !strings.Contains(out, "aof always") {
		t.Errorf("lockctl status = %s, %v; want aof always and no warnings", out, err)
	}
}

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
