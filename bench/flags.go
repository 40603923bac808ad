package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
)

const usage = `usage: make bench ARGS='[flags]'     (on Linux; redis-server must be installed, etcd may be)

Measures lockd beside its peers and prints tables, and what is promised with "ok", "MISSED", or "-" for what
could not be measured. Rounds of all contestants are interleaved; figures are medians over the rounds. The
machine should do nothing else. The exit code is 1 if anything failed or broke (two holders, tokens or grants
out of order), not if it was slow.

Parts:
`

// settings is what the flags set.
type settings struct {
	short  bool
	rounds int
	parts  []string // empty: all
	json   string
	svg    string
	lockd  string
	check  bool
}

func (s settings) only(name string) bool { return len(s.parts) == 0 || slices.Contains(s.parts, name) }

// parse ends the program if args are wrong.
func parse(args []string) (s settings) {
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	flags.BoolVar(&s.short, "short", false, "about 2 min in all, one round: does it work at all?")
	flags.IntVar(&s.rounds, "rounds", 5, "how often each contestant has its turn")
	flags.StringVar(&s.json, "json", "", "write the figures to this `file`, too")
	flags.StringVar(&s.svg, "svg", "", "draw the pairs to this `file`")
	flags.BoolVar(&s.check, "check", false, "measure only what bench/check guards, and exit with 1 if a limit is broken; a minute (make bench-check)")
	flags.StringVar(&s.lockd, "lockd", "", "measure this `command` instead of the lockd of this tree; what it allocates is not known then")
	flags.Func("only", "measure only these `parts`, separated by commas", func(text string) error {
		for name := range strings.SplitSeq(text, ",") {
			if !slices.ContainsFunc(parts, func(p part) bool { return p.name == name }) {
				return fmt.Errorf("no part is called %q", name)
			}
			s.parts = append(s.parts, name)
		}
		return nil
	})
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		for _, p := range parts {
			fmt.Fprintf(flags.Output(), "  %-10s %s\n", p.name, p.about)
		}
		fmt.Fprintln(flags.Output(), "\nFlags:")
		flags.PrintDefaults()
	}
	_ = flags.Parse(args) // it exits
	if s.rounds < 1 || flags.NArg() > 0 {
		flags.Usage()
		os.Exit(2)
	}
	return s
}
