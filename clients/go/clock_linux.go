package lockd

import (
	"syscall"
	"time"
	"unsafe"
)

// clockBoottime is CLOCK_BOOTTIME, which package syscall does not name.
const clockBoottime = 7

// readBootTime reads a clock that goes on while the machine is suspended, as Go's monotonic clock does
// not. Where the kernel has none, or forbids to ask, the wall clock stands in.
func readBootTime() time.Duration {
	var ts syscall.Timespec
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockBoottime, uintptr(unsafe.Pointer(&ts)), 0)
	if errno != 0 {
		return time.Duration(time.Now().UnixNano())
	}
	return time.Duration(ts.Nano())
}
