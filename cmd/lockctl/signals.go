package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// ending are the signals that ask a program to end.
var ending = []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT}

// untilInterrupted returns a context that ends with the first of those signals, *interrupted being
// the cause. The next one ends the program, as if nobody had listened. What was ignored from the
// start (nohup) stays ignored. Stop ends it, too; a signal that came before that is the cause all the same.
func untilInterrupted(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	heard := listen(ending...)
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case sig := <-heard:
			cancel(&interrupted{sig.(syscall.Signal)})
		case <-over:
		case <-ctx.Done():
		}
		signal.Stop(heard)
		select {
		case sig := <-heard:
			cancel(&interrupted{sig.(syscall.Signal)}) // to no effect if it is the second one
		default:
			cancel(context.Canceled)
		}
	}()
	return ctx, sync.OnceFunc(func() {
		close(over)
		<-ended
	})
}

// listen is signal.Notify without the signals that are ignored.
func listen(signals ...os.Signal) chan os.Signal {
	heard := make(chan os.Signal, 16)
	for _, sig := range signals {
		if !signal.Ignored(sig) {
			signal.Notify(heard, sig)
		}
	}
	return heard
}

// dropPipeSignal makes writing to a reader that has gone an error instead of this program's end.
func dropPipeSignal() {
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE) // ignoring it would be inherited by a command
}
