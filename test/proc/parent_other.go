//go:build !linux

package proc

import "syscall"

// dieWithParent: there is no such thing here; the server outlives a test process that is killed.
func dieWithParent() *syscall.SysProcAttr { return nil }
