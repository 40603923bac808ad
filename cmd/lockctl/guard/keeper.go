package guard

import (
	"encoding/gob"
	"errors"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// How often the keeper looks when no signal tells it to.
const (
	lookKilling  = 5 * time.Millisecond   // whether the killed are gone
	lookLinger   = 20 * time.Millisecond  // whether those left behind are gone
	lookClock    = 100 * time.Millisecond // at the boot clock: Go's timers stand still while the machine is suspended
	stuckAfter   = time.Second            // of killing
	stuckLooking = time.Second            // how often from then on
)

// Is reports whether the program was started as a guard, or by one: then Main is all it is to do.
func Is(args []string) bool { return len(args) >= 3 && args[1] == argument }

// keeper is the guard process: the parent of the command. All of it runs on one goroutine, so that
// nobody reaps what it is about to signal.
type keeper struct {
	task
	group   *group
	tty     *terminal
	orders  <-chan order // closed when the caller is gone
	out     *gob.Encoder
	killAt  int64 // on bootClock, 0: never
	ended   bool  // the command has ended but for being reaped
	lingers int64 // on bootClock: until when those left behind have time
	termed  bool  // they have had SIGTERM
	killing int64 // on bootClock: since when everything is being killed; 0: it is not
	told    bool  // that somebody is stuck
}

// Main is the guard process, or what becomes the command. It returns the exit code, which nobody reads.
func Main(args []string) int {
	if len(args) > 4 {
		return stand(args)
	}
	// The parent-death signal of the command is tied to the thread that starts it.
	runtime.LockOSThread()
	children := catch()
	adopt()
	conn, ok := inherit(args[2])
	if !ok {
		return usage
	}
	in := gob.NewDecoder(conn)
	k := &keeper{out: gob.NewEncoder(conn)}
	if err := in.Decode(&k.task); err != nil {
		return 1 // the caller died before it said what to run
	}
	k.orders = receive(in)
	first, alive := <-k.orders
	if !alive {
		return 1
	}
	k.obey(first)
	if k.killAt != 0 && bootClock() >= k.killAt {
		k.report(NotStarted, int(unix.ETIMEDOUT))
		return 1
	}
	if err := k.start(); err != nil {
		k.report(NotStarted, int(errnoOf(err)))
		return 1
	}
	k.report(Started, k.group.leader)
	k.keep(children)
	return 0
}

// catch keeps signals from ending the guard. They are caught, not ignored, because what is ignored
// stays ignored in the command; and what the command is to ignore (nohup) is left alone.
func catch() (children <-chan os.Signal) {
	dropped := make(chan os.Signal, 1)
	for _, sig := range []os.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1,
		unix.SIGUSR2, unix.SIGALRM, unix.SIGTSTP, unix.SIGPIPE} {
		if !signal.Ignored(sig) {
			signal.Notify(dropped, sig)
		}
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGCHLD)
	return ended
}

// receive decodes orders until the caller is gone. It ends with the process.
func receive(in *gob.Decoder) <-chan order {
	orders := make(chan order)
	go func() {
		defer close(orders)
		for {
			var o order
			if in.Decode(&o) != nil {
				return
			}
			orders <- o
		}
	}()
	return orders
}

// start starts the command, in the terminal's foreground if it is to have that.
func (k *keeper) start() error {
	k.tty = openTerminal(k.Home)
	if !k.Eager || k.tty == nil {
		leader, err := spawn(k.Path, k.Args)
		if err != nil {
			return err
		}
		k.started(leader)
		return nil
	}
	in, err := startStandIn(k.Path, k.Args)
	if err != nil {
		return err
	}
	k.started(in.leader)
	k.tty.take(in.leader)
	if err := in.become(); err != nil {
		k.tty.giveBack(in.leader)
		return err
	}
	return nil
}

func (k *keeper) started(leader int) {
	k.group = &group{leader: leader}
	// Only now, since what is ignored is inherited: a background process that hands the terminal
	// around must not be stopped for it.
	signal.Ignore(unix.SIGTTOU, unix.SIGTTIN)
}

// keep returns when the command is gone and the caller has been told.
func (k *keeper) keep(children <-chan os.Signal) {
	for !k.look() {
		timer := time.NewTimer(k.pause())
		select {
		case o, ok := <-k.orders:
			if !ok { // the caller is gone: nobody renews, so nothing may run
				k.orders = nil
				k.kill()
				break
			}
			k.obey(o)
		case <-children:
		case <-timer.C:
		}
		timer.Stop()
	}
	k.tty.giveBack(k.group.leader)
	k.report(Ended, k.group.reap())
}

func (k *keeper) obey(o order) {
	switch {
	case o.Forever:
		k.killAt = 0
	case o.Until != 0:
		k.killAt = o.Until
	case o.Signal != 0:
		k.group.signal(o.Signal)
	case o.Continue:
		if k.Eager {
			k.tty.take(k.group.leader)
		}
		k.group.signal(unix.SIGCONT)
	}
}

// look does what is due and reports whether all is done.
func (k *keeper) look() (done bool) {
	if !k.ended {
		switch state, sig := k.group.look(); state {
		case stopped:
			k.stopped(sig)
		case ended:
			k.leaderEnded()
		}
	}
	now := bootClock()
	if k.killAt != 0 && now >= k.killAt {
		k.kill()
	}
	switch {
	case k.killing != 0:
		return k.killed(now)
	case !k.ended:
		return false
	case k.group.others() == 0:
		return true
	case now >= k.lingers:
		k.hurry(now)
	}
	return false
}

// hurry ends those left behind: the command is over, and the lease with it.
func (k *keeper) hurry(now int64) {
	if k.termed {
		k.group.signal(unix.SIGKILL)
		return
	}
	k.termed = true
	k.lingers = now + int64(k.Linger)
	k.report(LeftBehind, k.group.others())
	k.group.signal(unix.SIGTERM)
	k.group.signal(unix.SIGCONT)
}

// stopped deals with what job control has stopped. Where there is none, and for SIGSTOP, whoever stopped
// the command knows best; its lease is kept meanwhile.
func (k *keeper) stopped(sig syscall.Signal) {
	if sig == unix.SIGSTOP || k.tty == nil {
		return
	}
	if sig == unix.SIGTTIN || sig == unix.SIGTTOU {
		k.Eager = true // from now on it gets the terminal back whenever it is continued
		if k.tty.take(k.group.leader) {
			k.group.signal(unix.SIGCONT)
			return
		}
	}
	k.tty.giveBack(k.group.leader)
	k.report(Stopped, int(sig))
}

// leaderEnded gives those left behind time to end by themselves, as what a shell started with >(…) does
// when it has read everything.
func (k *keeper) leaderEnded() {
	k.ended = true
	k.tty.giveBack(k.group.leader)
	k.lingers = bootClock() + int64(k.Linger)
}

func (k *keeper) kill() {
	if k.killing == 0 {
		k.killing = bootClock()
		k.report(Killing, 0)
	}
}

func (k *keeper) killed(now int64) bool {
	stuck := k.group.killAll()
	if stuck != 0 && !k.told && now-k.killing > int64(stuckAfter) {
		k.told = true
		k.report(Stuck, stuck)
	}
	return k.ended && stuck == 0
}

// pause is how long nothing needs to be looked at.
func (k *keeper) pause() time.Duration {
	switch {
	case k.told:
		return stuckLooking
	case k.killing != 0:
		return lookKilling
	case k.ended:
		return lookLinger
	case k.killAt != 0:
		return min(max(0, time.Duration(k.killAt-bootClock())), lookClock)
	}
	return time.Hour
}

// report tells the caller; if that is gone, the closed socket has said so already.
func (k *keeper) report(kind Kind, number int) {
	k.out.Encode(Event{Kind: kind, Number: number})
}

func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return unix.EINVAL
}
