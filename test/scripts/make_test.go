package scripts

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// runMake runs make with a docker in front of the PATH that does as script says, and answers what make wrote.
func runMake(t *testing.T, docker string, args ...string) string {
	t.Helper()
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "docker"), []byte("#!/bin/sh\n"+docker+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "make", append([]string{"--no-print-directory", "-C", "../.."}, args...)...)
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "MAKEFLAGS=", "MAKELEVEL=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("make %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// Where Docker works make up is Compose's, and down ends every profile.
func TestMakeUpIsComposesWhereDockerWorks(t *testing.T) {
	const docker = `[ "$2" = version ] || [ "$1" = info ] || echo "$COMPOSE_PROFILES $*"`
	dir := t.TempDir()
	if out := runMake(t, docker, "up", "PROFILE=cluster", "TOPOLOGY="+dir); !strings.Contains(out, " compose --profile cluster up --build --detach --wait\n") || strings.Contains(out, "scripts/topology") {
		t.Errorf("make up with Docker says\n%swant Compose to be run, and nothing else", out)
	}
	file, err := os.ReadFile("../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var profiles []string
	for line := range strings.Lines(string(file)) {
		if name, ok := strings.CutPrefix(line, "  lockd-"); ok {
			profiles = append(profiles, strings.TrimSuffix(name, ":\n"))
		}
	}
	if out := runMake(t, docker, "down", "TOPOLOGY="+dir); len(profiles) == 0 || !strings.Contains(out, strings.Join(profiles, ",")+" compose down\n") {
		t.Errorf("make down with Docker says\n%swant all of %v ended", out, profiles)
	}
}

// Where there is a docker command and nothing behind it, plain processes do.
func TestMakeUpStartsProcessesWithoutDocker(t *testing.T) {
	p := newTopology(t)
	out := runMake(t, "exit 1", "up", "PROFILE=single", "TOPOLOGY="+p.dir)
	flags := strings.TrimSpace(p.must("up", "single"))
	if !strings.Contains(out, "Docker, with Compose, is not here") || !strings.Contains(out, "make run ARGS='"+flags+"'\n") {
		t.Errorf("make up without Docker says\n%swant that, and the flags %s", out, flags)
	}
	if out := runMake(t, "exit 1", "down", "TOPOLOGY="+p.dir); !strings.Contains(out, "single has ended") {
		t.Errorf("make down says %q, want that single has ended", out)
	}
	nobodyAt(t, flags)
}
