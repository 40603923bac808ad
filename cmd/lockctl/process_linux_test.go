package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"testing"
)

// alive reports whether a process exists and is no zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	state := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])[0][0]
	return state != 'Z' && state != 'X'
}

// anyAlive returns those that are alive.
func anyAlive(pids []int) (living []int) {
	for _, pid := range pids {
		if alive(pid) {
			living = append(living, pid)
		}
	}
	return living
}

// guardOf returns the id of the guard that lockctl has started.
func guardOf(t *testing.T, l *lockctl) int {
	t.Helper()
	var children [][]byte
	// The thread that forked is the one whose child it is.
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", l.PID()))
	l.Must(err)
	for _, task := range tasks {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", l.PID(), task.Name()))
		l.Must(err)
		children = append(children, bytes.Fields(text)...)
	}
	if len(children) != 1 {
		t.Fatalf("lockctl has the children %q, want the guard alone", children)
	}
	pid, err := strconv.Atoi(string(children[0]))
	l.Must(err)
	return pid
}
