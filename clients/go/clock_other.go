//go:build !linux

package lockd

import "time"

// readBootTime reads the wall clock, which goes on while the machine is suspended. It may be set: forward
// ends leases too early, which is safe; backward takes this second look away, and the monotonic
// clock remains.
func readBootTime() time.Duration {
	return time.Duration(time.Now().UnixNano())
}
