// Lockctl takes, shows and breaks leases of lockd from a shell, and runs commands under them.
//
// The lease is kept in this process, the command in another: package guard sees to it that the
// command does not outlive the lease, whatever happens to lockctl.
package main

import (
	"os"

	"github.com/lockd/lockd/cmd/lockctl/guard"
)

func main() {
	if guard.Is(os.Args) {
		os.Exit(guard.Main(os.Args))
	}
	os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr))
}
