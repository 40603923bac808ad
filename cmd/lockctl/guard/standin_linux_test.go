package guard

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Before that nothing of the command has happened, so that its group can be given the terminal.
func TestAStandInBecomesTheCommandWhenItIsToldTo(t *testing.T) {
	out := &output{t: t, path: filepath.Join(t.TempDir(), "out")}
	sh, err := exec.LookPath("sh")
	must(t, err)
	in, err := startStandIn(sh, []string{"sh", "-c", "echo command $$ >" + out.path})
	must(t, err)
	if group, err := unix.Getpgid(in.leader); err != nil || group != in.leader {
		t.Errorf("the stand-in's group is %d, %v, want its own, %d", group, err, in.leader)
	}
	if _, err := os.Stat(out.path); err == nil {
		t.Error("the command was started before it was told to")
	}
	must(t, in.become())
	if pid := out.await("command"); pid != in.leader {
		t.Errorf("the command is process %d, want the stand-in's, %d", pid, in.leader)
	}
	_, err = unix.Wait4(in.leader, nil, 0, nil)
	must(t, err)
}

// The guard has died: nobody would keep the command.
func TestAStandInThatIsNotToldToEnds(t *testing.T) {
	in, err := startStandIn("/bin/sh", []string{"sh", "-c", "exit 9"})
	must(t, err)
	must(t, in.socket.Close())
	var status unix.WaitStatus
	_, err = unix.Wait4(in.leader, &status, 0, nil)
	must(t, err)
	if status.ExitStatus() != 1 {
		t.Errorf("the stand-in ended with %d, want 1", status.ExitStatus())
	}
}
