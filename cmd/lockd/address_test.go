package main

import (
	"errors"
	"net"
	"path/filepath"
	"testing"
)

func TestASocketLeftBehindIsTakenOverALivingOneIsNot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lockd.sock")
	at := address{network: "unix", at: path}
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	if l, err := at.listen(false); err == nil {
		_ = l.Close()
		t.Error("listen on a socket that somebody serves succeeds, want an error")
	}
	left.SetUnlinkOnClose(false) // as a kill does
	_ = left.Close()
	l, err := at.listen(false)
	if err != nil {
		t.Fatalf("listen on a socket that was left behind = %v, want it taken over", err)
	}
	if got := shown(l); got != "unix://"+path {
		t.Errorf("shown(%s) = %q, want unix://%s", path, got, path)
	}
	_ = l.Close()

	file := write(t, "file", "precious")
	if _, err := (address{network: "unix", at: file}).listen(false); err == nil {
		t.Error("listen in place of a file succeeds, want an error")
	}
}

func TestANameThatLeadsBeyondLoopbackIsRefusedOnceKnown(t *testing.T) {
	// What parseAddress refuses by itself is listened on directly, as if by a name.
	at := address{network: "tcp", at: "0.0.0.0:0"}
	var usage usageError
	if l, err := at.listen(false); !errors.As(err, &usage) {
		t.Errorf("listen(%s) = %v, %v, want a usage error", at.at, l, err)
	}
	l, err := at.listen(true)
	if err != nil {
		t.Fatalf("listen(%s, insecure) = %v", at.at, err)
	}
	_ = l.Close()
}
