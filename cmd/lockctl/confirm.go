package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// confirm fills in the token of the lease that holds the name, once it has shown on standard error what would be ended and, unless
// yes says so already, somebody at the terminal has said yes to just that.
func confirm(cmd *cobra.Command, to *server, req *lockdv1.ForceReleaseRequest, yes bool, format string) error {
	asks := isTerminal(cmd.ErrOrStderr()) && isTerminalIn(cmd.InOrStdin())
	if !yes && !asks {
		return usagef("there is no terminal to ask on; want --token, the token of the lease to end as \"lockctl get\" shows it, or --yes for whatever lease holds the name")
	}
	standing, err := get(cmd.Context(), to, req.GetName())
	if err != nil {
		return err
	}
	if !standing.GetHeld() {
		return exitWith(exitLost, "nobody holds %s: there is nothing to end", plain(req.GetName()))
	}
	req.Token = standing.GetLease().GetToken()
	if yes && format != asTable {
		return nil // what was ended is printed, for programs
	}
	stderr := &screen{w: cmd.ErrOrStderr(), columns: terminalColumns(cmd.ErrOrStderr())}
	if err := showStakes(stderr, standing, time.Now()); err != nil || yes {
		return err
	}
	answer, err := ask(cmd, "Type yes to end it: ")
	if err == nil && answer != "yes" {
		err = exitWith(exitOther, "nothing was ended")
	}
	return err
}

// showStakes shows what ending a lease would break: who works under it, for how long already, and who comes next.
func showStakes(s *screen, standing *lockdv1.GetResponse, now time.Time) error {
	lease := standing.GetLease()
	rows := append(leaseRows(lease), [2]cell{{text: "held for"}, {text: age(now.Sub(lease.GetSince().AsTime()))}})
	next := "nobody: the name will be free"
	if n := standing.GetWaiterCount(); n > 0 {
		next = fmt.Sprintf("%d", n)
		if waiters := standing.GetWaiters(); len(waiters) > 0 {
			next += ", and the first of them will have it: " + plain(waiters[0].GetOwner())
		}
	}
	return s.pairs(append(rows, [2]cell{{text: "in line"}, {text: next}}))
}

// ask writes a question on standard error and reads the answer, a line.
func ask(cmd *cobra.Command, question string) (string, error) {
	fmt.Fprint(cmd.ErrOrStderr(), question)
	line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if err != nil && line == "" {
		fmt.Fprintln(cmd.ErrOrStderr())
		return "", exitWith(exitOther, "nothing was ended: there was no answer")
	}
	return strings.TrimSpace(line), nil
}

// isTerminalIn reports whether a person types r.
func isTerminalIn(r io.Reader) bool {
	file, ok := r.(*os.File)
	return ok && isTerminal(file)
}
