// Package compose reads docker-compose.yml as Docker Compose does, and holds it to lockd and to scripts/topology. It
// starts no container. It is a module of its own so that the reader's dependencies stay here.
package compose

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

const root = "../.."

// profiles, and how many services each has beside lockd.
var profiles = map[string]int{"memory": 0, "single": 1, "sentinel": 6, "cluster": 7, "redlock": 5}

// load answers what Compose would start for a profile; "*" is all.
func load(t *testing.T, profile string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{root + "/docker-compose.yml"}, cli.WithProfiles([]string{profile}))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatalf("docker-compose.yml, profile %q: %v", profile, err)
	}
	return project
}

// built answers the path of lockd, built from this tree.
func built(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lockd")
	cmd := exec.CommandContext(bounded(t), "go", "build", "-o", path, "./cmd/lockd")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build ./cmd/lockd: %v\n%s", err, out)
	}
	return path
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// Each profile has one lockd, which believes its command line and its environment.
func TestEachProfilesLockdIsValid(t *testing.T) {
	lockd := built(t)
	help, err := exec.CommandContext(bounded(t), lockd, "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	for profile, others := range profiles {
		project := load(t, profile)
		service, ok := project.Services["lockd-"+profile]
		if !ok || len(project.Services) != 1+others {
			t.Errorf("profile %s has the services %v, want lockd-%s and %d others", profile, project.ServiceNames(), profile, others)
			continue
		}
		env := imageEnv(t)
		for key, value := range service.Environment {
			env = append(env, key+"="+*value)
		}
		for _, variable := range env {
			if key, _, _ := strings.Cut(variable, "="); !strings.Contains(string(help), "["+key+"]") {
				t.Errorf("%s sets %s, which is no setting of lockd", service.Name, key)
			}
		}
		check := exec.CommandContext(bounded(t), lockd, append(slices.Clone(service.Command), "--check-config")...)
		check.Env = env
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s: lockd %q --check-config with %q: %v\n%s", service.Name, service.Command, env, err, out)
		}
	}
}

// imageEnv is the environment that the Dockerfile sets.
func imageEnv(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(root + "/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^ENV (.*)$`).FindSubmatch(text)
	if m == nil {
		t.Fatal("the Dockerfile sets no environment")
	}
	return strings.Fields(string(m[1]))
}

// Services wait only for what says that it is healthy, keep data of their own, are reached from this machine alone, and
// nothing in them looks like a secret.
func TestServicesHangTogether(t *testing.T) {
	for profile := range profiles {
		project := load(t, profile)
		owner := make(map[string]string)
		for _, s := range project.Services {
			for other := range s.DependsOn {
				if on, ok := project.Services[other]; !ok || on.HealthCheck == nil || s.DependsOn[other].Condition != types.ServiceConditionHealthy {
					t.Errorf("%s depends on %s, want it in the same profile, with a health check, and that to be waited for", s.Name, other)
				}
			}
			for _, p := range s.Ports {
				if p.HostIP != "127.0.0.1" || p.Published != "7420" && p.Published != "7421" || !strings.HasPrefix(s.Name, "lockd-") {
					t.Errorf("%s publishes %+v, want lockd's ports on loopback and nothing else", s.Name, p)
				}
			}
			for _, v := range s.Volumes {
				if before := owner[v.Source]; before != "" || v.Type != types.VolumeTypeVolume {
					t.Errorf("%s mounts %s, which %q has; want a volume of its own", s.Name, v.Source, before)
				}
				owner[v.Source] = s.Name
			}
			if secret := regexp.MustCompile(`(?i)password|passwd|secret|requirepass|masterauth|://[^,]*@`).FindString(strings.Join(s.Command, " ")); secret != "" || len(s.Environment) > 0 {
				t.Errorf("%s is given %q and the environment %v; want no secret here", s.Name, secret, s.Environment)
			}
		}
	}
}

// lockd runs with no rights that it does not need.
func TestLockdHasFewRights(t *testing.T) {
	for profile := range profiles {
		s := load(t, profile).Services["lockd-"+profile]
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || s.Privileged || s.User != "" {
			t.Errorf("%s: read only %t, without %v, privileged %t, user %q; want read only, without ALL, as the image's user", s.Name, s.ReadOnly, s.CapDrop, s.Privileged, s.User)
		}
	}
}

// What Compose starts is what scripts/topology starts: the same servers, each with the same settings and the same
// beginning of its file, and lockd with the same flags.
func TestServicesAreThoseOfTheTopologyScript(t *testing.T) {
	for profile, others := range profiles {
		if others == 0 {
			continue
		}
		project := load(t, profile)
		got := make(map[string][]string)
		for _, s := range project.Services {
			switch {
			case s.Name == "cluster": // the script does that by itself; see the test of joining
			case strings.HasPrefix(s.Name, "lockd-"):
				got["lockd"] = []string{regexp.MustCompile(`:6379|:26379`).ReplaceAllString(strings.Join(s.Command, " "), "")}
			default:
				settings := s.Command
				if settings[0] == "redis-server" {
					settings = settings[1:]
				}
				got[s.Name] = append(got[s.Name], strings.Join(settings, " "))
				if len(s.Entrypoint) > 0 {
					got[s.Name] = append(got[s.Name], strings.Split(strings.ReplaceAll(s.Entrypoint[3], "10.74.20.11 6379", "HOST PORT"), "\n")...)
				}
			}
		}
		want := planned(t, profile)
		if len(want) != len(got) {
			t.Errorf("profile %s starts %d, scripts/topology %d", profile, len(got), len(want))
		}
		for name := range want {
			if !slices.Equal(got[name], want[name]) {
				t.Errorf("profile %s starts %s with\n%q\nscripts/topology with\n%q", profile, name, got[name], want[name])
			}
		}
	}
}

// planned answers what scripts/topology would start: by name the settings, and then the lines of the file. lockd is given
// addresses, which are written as the names of the servers.
func planned(t *testing.T, profile string) map[string][]string {
	t.Helper()
	out, err := exec.CommandContext(bounded(t), root+"/scripts/topology", "plan", profile).Output()
	if err != nil {
		t.Fatal(err)
	}
	plan := make(map[string][]string)
	var names []string
	for line := range strings.Lines(string(out)) {
		name, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		if server, ok := strings.CutSuffix(name, ", its file"); ok {
			plan[server] = append(plan[server], text)
		} else if name != "lockd" {
			names = append(names, name)
			plan[name] = []string{strings.TrimSuffix(strings.ReplaceAll(text, "''", ""), " ")}
		} else {
			plan[name] = []string{regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllStringFunc(text, func(addr string) string {
				n, _ := strconv.Atoi(strings.TrimPrefix(addr, "127.0.0.1:")) // counted from 1
				return names[n-1]
			})}
		}
	}
	return plan
}

// Addresses that files and commands name are those that the services have.
func TestAddressesAreThoseOfTheServices(t *testing.T) {
	project := load(t, "*")
	subnet := netip.MustParsePrefix(project.Networks["default"].Ipam.Config[0].Subnet)
	others := netip.MustParsePrefix(project.Networks["default"].Ipam.Config[0].IPRange)
	at := make(map[string]string)
	for _, s := range project.Services {
		if n := s.Networks["default"]; n != nil && n.Ipv4Address != "" {
			addr := netip.MustParseAddr(n.Ipv4Address)
			if before, twice := at[n.Ipv4Address]; twice || !subnet.Contains(addr) || others.Contains(addr) {
				t.Errorf("%s has the address %s, which %q has too, or which is not in %s, or in %s", s.Name, addr, before, subnet, others)
			}
			at[n.Ipv4Address] = s.Name
		}
	}
	if at["10.74.20.11"] != "group-1" {
		t.Errorf("10.74.20.11 is %q, want group-1: the sentinels are told so", at["10.74.20.11"])
	}
	var joined []string
	for _, addr := range regexp.MustCompile(`10\.74\.20\.\d+`).FindAllString(strings.Join(project.Services["cluster"].Command, " "), -1) {
		joined = append(joined, at[addr])
	}
	if want := []string{"cluster-1", "cluster-2", "cluster-3", "cluster-4", "cluster-5", "cluster-6"}; !slices.Equal(joined, want) {
		t.Errorf("the cluster is made of %v, want %v", joined, want)
	}
}

// The file of a server begins as it should, and is left alone from then on; the image's own script is given the rest.
func TestTheFileOfAServerIsWrittenOnce(t *testing.T) {
	image := t.TempDir() // stands for the image's /usr/local/bin
	if err := os.WriteFile(filepath.Join(image, "docker-entrypoint.sh"), []byte("#!/bin/sh\nprintf '%s\\n' \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	project := load(t, "sentinel")
	for _, name := range []string{"group-1", "group-2", "sentinel-1"} {
		s := project.Services[name]
		data := t.TempDir()
		begin := func() {
			cmd := exec.CommandContext(bounded(t), s.Entrypoint[0], append(s.Entrypoint[1:], s.Command...)...)
			cmd.Dir, cmd.Env = data, []string{"PATH=" + image + ":" + os.Getenv("PATH")}
			out, err := cmd.CombinedOutput()
			if want := "redis-server\nredis.conf\n" + strings.Join(s.Command, "\n") + "\n"; err != nil || string(out) != want {
				t.Errorf("%s runs %q, %v; want %q", name, out, err, want)
			}
		}
		file := filepath.Join(data, "redis.conf")
		if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
			t.Fatal("there is a file already")
		}
		begin()
		if text, err := os.ReadFile(file); err != nil || string(text) != s.Entrypoint[3]+"\n" {
			t.Errorf("the file of %s begins as %q, %v; want %q", name, text, err, s.Entrypoint[3])
		}
		if err := os.WriteFile(file, []byte("replicaof another 1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		begin()
		if text, err := os.ReadFile(file); err != nil || string(text) != "replicaof another 1\n" {
			t.Errorf("the file of %s has become %q, %v; want it as it was", name, text, err)
		}
	}
}
