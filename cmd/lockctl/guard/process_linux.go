package guard

import (
	"bytes"
	"iter"
	"os"
	"strconv"
)

// process is one line of what /proc knows.
type process struct {
	pid, parent, group int
	dead               bool // a zombie, or about to vanish
}

// processes yields every process, as far as /proc shows them.
func processes() iter.Seq[process] {
	return func(yield func(process) bool) {
		dir, err := os.Open("/proc")
		if err != nil {
			return // not mounted: then the group alone is killed, as on other systems
		}
		defer dir.Close()
		names, _ := dir.Readdirnames(-1)
		for _, name := range names {
			pid, err := strconv.Atoi(name)
			if err != nil {
				continue
			}
			stat, err := os.ReadFile("/proc/" + name + "/stat")
			if err != nil {
				continue // it ended meanwhile
			}
			if p, ok := parseStat(pid, stat); ok && !yield(p) {
				return
			}
		}
	}
}

// parseStat reads "pid (name) state parent group …"; the name may hold anything, brackets included.
func parseStat(pid int, stat []byte) (process, bool) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 3 {
		return process{}, false
	}
	parent, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return process{}, false
	}
	group, err := strconv.Atoi(string(fields[2]))
	if err != nil {
		return process{}, false
	}
	state := fields[0][0]
	return process{pid: pid, parent: parent, group: group, dead: state == 'Z' || state == 'X'}, true
}

// ourChildren yields the children of this process.
func ourChildren() iter.Seq[process] {
	self := os.Getpid()
	return func(yield func(process) bool) {
		for p := range processes() {
			if p.parent == self && !yield(p) {
				return
			}
		}
	}
}
