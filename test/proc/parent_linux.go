package proc

import "syscall"

// dieWithParent has the kernel kill the server when the test process is gone, also when that ended
// without its clean-up (a test's time-out, a kill).
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
