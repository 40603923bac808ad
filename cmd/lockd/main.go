// Command lockd grants leases with fencing tokens over gRPC.
//
// A lease alone cannot stop a process that was paused past its deadline; the token can, if what you
// protect refuses a smaller one. lockd itself keeps nothing but the memory store, if that is the one
// chosen: any number of lockds may stand in front of one Redis, and any of them may be killed.
//
// lockd --help says everything that can be set, and what its exit codes mean.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
)

// version is set by the linker (-X main.version=v1.2.3).
var version string

// ballastSize is how much the garbage collector takes to be in use beside what is: it then waits for as much garbage
// before it runs. lockd's own heap is small, and would be collected, with the stacks of all who wait for the
// store, thirty times a second. Nobody touches the ballast, so it takes no memory.
const ballastSize = 16 << 20

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	// The first signal starts the drain, and then signals are nobody's again: a second one ends the
	// process at once.
	context.AfterFunc(ctx, stop)
	hup := make(chan os.Signal, 1) // room for the one that comes while another is served; more say no more
	signal.Notify(hup, syscall.SIGHUP)
	ballast := make([]byte, ballastSize)
	running, done := context.WithCancel(context.Background())
	var fitting sync.WaitGroup
	if os.Getenv("GOMAXPROCS") == "" { // else somebody knows better
		fitting.Go(func() { fitProcessors(running) })
	}
	code := run(ctx, hup, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	done()
	fitting.Wait()
	runtime.KeepAlive(ballast)
	os.Exit(code)
}

// versionOf answers what the linker set, else what the module was built as, else "dev".
func versionOf(linked string, build func() (*debug.BuildInfo, bool)) string {
	if linked != "" {
		return linked
	}
	if info, ok := build(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}
