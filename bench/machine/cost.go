package machine

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CPU is the processor time that the processes have used so far, in user and kernel, to the nanosecond: by
// the clock of each process, since /proc/<pid>/stat counts in steps of 10 ms.
func CPU(pids ...int) (total time.Duration, err error) {
	for _, pid := range pids {
		// What clock_getcpuclockid(3) answers: CPUCLOCK_SCHED of the whole process.
		clock := int32(^pid<<3 | 2)
		var at unix.Timespec
		if err := unix.ClockGettime(clock, &at); err != nil {
			return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
		}
		total += time.Duration(at.Nano())
	}
	return total, nil
}

// Transfers is how often a process has called read and write so far, and their kin.
func Transfers(pid int) (n int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if name != "syscr" && name != "syscw" {
			continue
		}
		calls, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/%d/io: %w", pid, err)
		}
		n += calls
	}
	return n, nil
}

// Resident is how many bytes of memory a process has.
func Resident(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, fmt.Errorf("/proc/%d/statm has %d fields", pid, len(fields))
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}
