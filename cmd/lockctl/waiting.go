package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
	"google.golang.org/grpc/status"

	lockd "github.com/lockd/lockd/clients/go"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

const (
	// lookAgain is how often the line is looked at while one stands in it, lookWithin how long a look may take.
	lookAgain  = 2 * time.Second
	lookWithin = time.Second
	// someColumns is how wide a terminal is taken to be that does not say.
	someColumns = 80
)

// waiting says on a terminal who holds the name that is waited for, and the place in line: on one line,
// rewritten when that changes and erased at the end.
type waiting struct {
	terminal *os.File
	client   *lockd.Client
	told     chan lockd.HeldError // the latest; has room for one
	ctx      context.Context      // ends with stop
	stop     func()               // erases the line; nothing is written after it

	// The rest belongs to the goroutine that stop waits for.
	standing
	shown string
}

// startWaiting begins to listen for what tell is told.
func startWaiting(terminal *os.File, client *lockd.Client, name, owner string) *waiting {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	w := &waiting{
		terminal: terminal, client: client, told: make(chan lockd.HeldError, 1), ctx: ctx,
		stop:     sync.OnceFunc(func() { cancel(); <-ended }),
		standing: standing{name: name, owner: owner},
	}
	go func() {
		defer close(ended)
		w.run()
	}()
	return w
}

// tell is for lockd.WithQueued. It does not block.
func (w *waiting) tell(held lockd.HeldError) {
	select {
	case <-w.told:
	default:
	}
	w.told <- held // nobody else fills it
}

func (w *waiting) run() {
	defer w.write("")
	var look <-chan time.Time // nil until there is a line to look at
	for {
		select {
		case held := <-w.told:
			w.hear(held)
			if look == nil {
				ticker := time.NewTicker(lookAgain)
				defer ticker.Stop()
				look = ticker.C
			}
		case <-look:
			w.look()
		case <-w.ctx.Done():
			return
		}
		if text := w.text(time.Now(), w.width()); text != w.shown {
			w.write(text)
		}
	}
}

// look asks who holds the name by now. When to give up, if nobody answers, is for whoever waits to know.
func (w *waiting) look() {
	ctx, cancel := context.WithTimeout(w.ctx, lookWithin)
	defer cancel()
	resp, err := lockdv1.NewLeaseServiceClient(w.client.Conn()).Get(ctx, &lockdv1.GetRequest{Name: w.name})
	switch {
	case err == nil:
		w.see(resp)
	case unserved(err) && w.ctx.Err() == nil:
		w.away = "lockd cannot be reached"
		if reason(status.Convert(err)) != "" {
			w.away = "lockd cannot serve for now"
		}
	}
}

// write puts text in the place of what is shown, unless the terminal is somebody else's now. Blanks erase
// on every terminal.
func (w *waiting) write(text string) {
	if group, err := unix.IoctlGetInt(int(w.terminal.Fd()), unix.TIOCGPGRP); err == nil && group != unix.Getpgrp() {
		return
	}
	if blank := strings.Repeat(" ", min(columns(w.shown), w.width())); text != blank {
		// It fails only if the terminal is gone.
		_, _ = fmt.Fprintf(w.terminal, "\r%s\r%s", blank, text)
	}
	w.shown = text
}

// width is how many columns a line may have: a cursor after the last one may be on the next line.
func (w *waiting) width() int {
	width, _, err := term.GetSize(int(w.terminal.Fd()))
	if err != nil || width <= 0 {
		width = someColumns
	}
	return width - 1
}

// standing is what is known of those before us.
type standing struct {
	name   string
	owner  string // ours
	holder string // "" if not known
	since  time.Time
	place  int           // ours, 0 if not known
	ticket int64         // ours, 0 if not known
	away   string        // why nothing is known of late; "" if it is
	closed time.Duration // for how long the name was, when last looked at; 0: it was not
}

// hear takes what lockd has said of itself.
func (s *standing) hear(held lockd.HeldError) {
	s.holder, s.since, s.place, s.away, s.closed = held.Owner, held.Since, held.Position, "", held.ClosedFor
}

// see takes what a look has shown. The ticket that is ours bears our owner, as others' may; of these we
// are the last that is no further back than we were told to be.
func (s *standing) see(resp *lockdv1.GetResponse) {
	s.away, s.closed = "", resp.GetLease().GetClosedFor().AsDuration()
	if !resp.GetHeld() && s.closed == 0 {
		return // it is changing hands
	}
	s.holder, s.since = resp.GetLease().GetOwner(), resp.GetLease().GetSince().AsTime()
	if s.ticket == 0 && s.place > 0 {
		for _, waiter := range resp.GetWaiters() {
			if waiter.GetOwner() == s.owner && waiter.GetPlace() <= int64(s.place) {
				s.ticket = waiter.GetTicket()
			}
		}
	}
	for _, waiter := range resp.GetWaiters() {
		if waiter.GetTicket() == s.ticket {
			s.place = int(waiter.GetPlace())
		}
	}
}

// text is what there is to say in so many columns, "" if nothing is known. Of what is too long the name goes
// first, which whoever waits has typed, then since when; the holder is cut; the place stays.
func (s *standing) text(now time.Time, width int) string {
	place := ""
	switch {
	case s.away != "" && s.place > 0:
		return s.textWithout(s.away, fmt.Sprintf(", you were %s in line", ordinal(s.place)), width)
	case s.away != "":
		return s.textWithout(s.away, "", width)
	case s.place > 0:
		place = fmt.Sprintf(", you are %s in line", ordinal(s.place))
	}
	if s.closed > 0 {
		return s.textWithout(fmt.Sprintf("closed for %s after an unclean loss", rounded(s.closed)), place, width)
	}
	if s.holder == "" && s.place == 0 {
		return ""
	}
	holder, since := "another", ""
	if s.holder != "" {
		holder, since = plain(s.holder), " since "+clock(s.since, now)
	}
	const recognisable = 14 // columns of a holder
	for _, form := range []struct{ before, after string }{
		{"waiting for " + strconv.Quote(s.name) + ": held by ", since + place},
		{"waiting: held by ", since + place},
		{"waiting: held by ", place},
	} {
		room := width - columns(form.before) - columns(form.after)
		if columns(holder) <= room {
			return form.before + holder + form.after
		}
		if room >= recognisable {
			return form.before + clip(holder, room-columns("…")) + "…" + form.after
		}
	}
	return clip("waiting"+place, width)
}

// textWithout is text while there is no holder to be named: why, and the place.
func (s *standing) textWithout(why, place string, width int) string {
	for _, text := range []string{"waiting for " + strconv.Quote(s.name) + ": " + why + place, "waiting: " + why + place} {
		if columns(text) <= width {
			return text
		}
	}
	return clip("waiting: "+why, width)
}
