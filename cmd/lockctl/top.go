package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

const topHelp = `Top shows the leases that are held, the oldest first, on the whole screen, and looks again every two seconds
(--every): whether leases are granted, who holds what, since when, for how much longer, and how many wait for it.

  q, Ctrl-C  ends it
  s          sorts by since, left, owner, name in turn

Of many leases it reads the first 5000. What it cannot read it says, and goes on trying.`

// topMost is how many leases top reads at a time, about.
const topMost = 5000

func newTop(to *server) *cobra.Command {
	var every time.Duration
	cmd := &cobra.Command{
		Use:   "top [PREFIX]",
		Short: "Show live who holds what",
		Long:  topHelp,
		Example: `  lockctl top
  lockctl top orders --every 10s`,
		Args: cobra.MaximumNArgs(1),
	}
	durationVar(cmd.Flags(), &every, "every", "", 2*time.Second, "how often to look again; 500ms or more")
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		prefix, err := prefixOf(args)
		switch {
		case err != nil:
			return err
		case every < 500*time.Millisecond:
			return usagef("--every is %s; want 500ms or more", every)
		case !isTerminal(cmd.OutOrStdout()) || !isTerminalIn(cmd.InOrStdin()):
			return usagef("there is no terminal to show it on; want one, or \"lockctl status\" or \"lockctl ls\"")
		}
		return top(cmd, to, prefix, every)
	})
	return cmd
}

// top shows what is held until somebody ends it.
func top(cmd *cobra.Command, to *server, prefix string, every time.Duration) error {
	caller, err := to.connect(cmd.Context())
	if err != nil {
		return err
	}
	defer caller.close()
	caller.unavailableFor = replyWithin // it looks again anyway
	on, err := openFullScreen(cmd.InOrStdin().(*os.File), cmd.OutOrStdout().(*os.File))
	if err != nil {
		return err
	}
	defer on.close()
	m := &topScreen{caller: caller, prefix: prefix, colour: coloured(colourOf(cmd), on.out, true)}
	return m.run(on, every)
}

// topScreen is what top shows. One goroutine uses it; what is asked meanwhile comes as a seen.
type topScreen struct {
	caller         *caller
	prefix         string
	columns, lines int
	colour         bool
	sort           int // of topOrders
	last           seen
	err            error // why the last look failed; what is shown is older
}

// run looks, draws and listens to keys until somebody ends it: nil for a key, *interrupted for a signal.
func (m *topScreen) run(on *fullScreen, every time.Duration) error {
	found := make(chan seen, 1) // a look is under way, or its timer runs
	var looking sync.WaitGroup
	defer looking.Wait()
	ctx, stop := context.WithCancel(m.caller.ctx) // ends a look under way
	defer stop()
	m.columns, m.lines = on.size()
	begin := func() {
		look := m.look(ctx)
		looking.Go(func() { found <- look() })
	}
	begin()
	again := time.NewTimer(every)
	again.Stop()
	for {
		if err := on.draw(m.text(time.Now())); err != nil {
			return err
		}
		select {
		case <-m.caller.ctx.Done():
			return context.Cause(m.caller.ctx)
		case <-on.resized:
			m.columns, m.lines = on.size()
		case key, open := <-on.keys:
			switch {
			case !open, key == 'q', key == keyCtrlC: // the terminal has gone, or somebody wants to
				return nil
			case key == 's':
				m.sort = (m.sort + 1) % len(topOrders)
			}
		case <-again.C:
			begin()
		case s := <-found:
			if endsWith(s.err, exitDenied) {
				return s.err
			}
			if m.err = s.err; m.err == nil {
				m.last = s
			}
			again.Reset(every)
		}
	}
}

// topOrders are what "s" goes through.
var topOrders = []string{"since", "left", "owner", "name"}

// seen is what a look has found.
type seen struct {
	at      time.Time // zero: nothing has been found yet
	status  *lockdv1.StatusResponse
	leases  []inForce
	more    bool             // there are more leases than that
	waiters map[string]int64 // by name, of those that were on the screen
	err     error
}

// look answers what asks for all that is shown. The lines of those that will not fit on the screen are left alone.
func (m *topScreen) look(ctx context.Context) func() seen {
	c, prefix, order, room := *m.caller, m.prefix, topOrders[m.sort], m.room()
	c.ctx = ctx
	return func() seen {
		found := seen{at: time.Now(), waiters: make(map[string]int64)}
		if found.status, found.err = c.status(); endsWith(found.err, exitDenied) {
			found.err = nil // leases may be read by more than may see the server
		}
		var leases []*lockdv1.Lease
		if found.err == nil {
			leases, found.more, found.err = c.list(prefix, topMost)
		}
		for _, l := range leases {
			found.leases = append(found.leases, inForce{lease: l})
		}
		sortLeases(found.leases, order)
		top := slices.Clone(found.leases[:min(room, len(found.leases))])
		if found.err == nil {
			found.err = c.countWaiters(top)
		}
		for _, l := range top {
			found.waiters[l.lease.GetName()] = l.waiters
		}
		return found
	}
}

// aboveLeases is how many lines the rest of the screen takes.
const aboveLeases = 6

// room is how many leases fit on the screen.
func (m *topScreen) room() int { return max(1, m.lines-aboveLeases) }

// text is the screen's.
func (m *topScreen) text(now time.Time) string {
	var text strings.Builder
	m.show(&screen{w: &text, columns: m.columns, colour: m.colour}, now)
	return text.String()
}

// show draws the screen. A strings.Builder takes everything.
func (m *topScreen) show(s *screen, now time.Time) {
	head := func(label, text string, in style) {
		room := m.columns - 9 // beside the label
		if columns(text) > room {
			text = clip(text, room-columns("…")) + "…"
		}
		_ = s.printf("%-7s  %s\n", label, s.paint(text, in))
	}
	if m.last.at.IsZero() {
		head("server", m.caller.target, normal)
	} else if m.last.status != nil {
		grants := grantsCell(m.last.status.GetStore())
		head("server", fmt.Sprintf("%s, lockd %s", m.caller.target, plain(m.last.status.GetVersion())), normal)
		head("store", grants.text, grants.style)
	} else {
		head("server", m.caller.target, normal)
		head("store", "not for you to see (admin)", normal)
	}
	leases := slices.Clone(m.last.leases)
	sortLeases(leases, topOrders[m.sort])
	count := fmt.Sprint(len(leases))
	if m.last.more {
		count = "more than " + count
	}
	head("leases", fmt.Sprintf("%s by %s, at %s", count, topOrders[m.sort], clock(m.last.at, now)), normal)
	if m.err == nil {
		head("", "q ends, s sorts", normal)
	} else {
		_, problem := explain(m.err)
		head("", problem, bad)
	}
	leases = leases[:min(m.room(), len(leases))]
	for i := range leases {
		leases[i].waiters = m.last.waiters[leases[i].lease.GetName()]
	}
	titles, rows := topTable(leases, now)
	_ = s.printf("\n")
	_ = s.table(titles, rows)
}

// topTable is leases on a screen that has no second line for any of them: names are cut, too, and nobody copies a token from it.
func topTable(all []inForce, now time.Time) ([]column, [][]cell) {
	titles := []column{{title: "HELD"}, {title: "LEFT"}, {title: "WAITING"}, {title: "NAME", least: leastOwner}, {title: "OWNER", least: leastOwner}}
	rows := make([][]cell, len(all))
	for i, l := range all {
		left := cell{text: age(l.left())}
		if l.left() <= 0 {
			left = leftCell(l.lease) // in its grace, or nobody's
		}
		waiting := number(l.waiters)
		if l.waiters > 0 {
			waiting.style = bold
		}
		rows[i] = []cell{{text: age(now.Sub(l.lease.GetSince().AsTime()))}, left, waiting, {text: plain(l.lease.GetName())}, {text: plain(l.lease.GetOwner())}}
	}
	return titles, rows
}
