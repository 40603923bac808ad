// Command bench measures lockd beside its peers, on this machine and in one run, and holds the figures against
// what is promised. It starts what it needs: redis-server, lockd from this tree, etcd if it is installed,
// and itself as the client processes.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/lockd/lockd/bench/check"
	"github.com/lockd/lockd/bench/child"
	"github.com/lockd/lockd/bench/floor"
	"github.com/lockd/lockd/bench/goal"
	"github.com/lockd/lockd/bench/keepalive"
	"github.com/lockd/lockd/bench/line/contest"
	"github.com/lockd/lockd/bench/machine"
	"github.com/lockd/lockd/bench/pairs"
)

// roles are the client processes.
var roles = map[string]child.Role{pairs.Role: pairs.Client, contest.Role: contest.Client, keepalive.Role: keepalive.Client, floor.Role: floor.Serve}

func main() {
	if child.Main(roles) {
		return
	}
	s := parse(os.Args[1:])
	work := compare
	if s.check {
		work = guard
	}
	if err := work(s); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// compare measures, prints and saves; it fails if anything could not be measured, or broke.
func compare(s settings) error {
	r, err := run(s)
	r.print(os.Stdout)
	if r.Broken != nil {
		err = errors.Join(err, errors.New("what must never be, was: see BROKEN"))
	}
	return errors.Join(err, r.save(s))
}

// guard fails if a limit is broken.
func guard(s settings) error {
	m, err := machine.New(s.lockd)
	if err != nil {
		return err
	}
	defer m.Close()
	broken, err := check.Run(m, os.Stdout)
	if err == nil && broken > 0 {
		err = fmt.Errorf("%d limits are broken (bench/check/limits.go)", broken)
	}
	return err
}

// report is all that was measured. Durations are ns in JSON.
type report struct {
	Parts  map[string]result
	Goals  goal.List
	Broken []string // what must never be

	order []string
}

// run measures each part that is asked for, and goes on where something cannot be measured.
func run(s settings) (r report, err error) {
	m, err := machine.New(s.lockd)
	if err != nil {
		return r, err
	}
	defer m.Close()
	r.Parts = make(map[string]result)
	for _, p := range parts {
		if !s.only(p.name) {
			continue
		}
		measured, failed := p.measure(m, s)
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", p.name, failed))
			continue
		}
		r.Parts[p.name] = measured
		r.order = append(r.order, p.name)
		r.Goals = append(r.Goals, measured.Goals()...)
		if b, ok := measured.(interface{ Broken() []string }); ok {
			r.Broken = append(r.Broken, b.Broken()...)
		}
	}
	return r, err
}

// maxBroken is how much of what went wrong is worth printing.
const maxBroken = 5

const caution = `
A promise counts on a quiet machine, over all rounds: a -short run, or one beside other work, proves
nothing either way. Ratios within one run mean more than figures of different runs.
`

func (r report) print(to io.Writer) {
	for _, name := range r.order {
		r.Parts[name].Print(to)
		fmt.Fprintln(to)
	}
	if len(r.order) == 0 {
		return
	}
	fmt.Fprintln(to, "Goals")
	r.Goals.Print(to)
	for i, broken := range r.Broken {
		if i == maxBroken {
			fmt.Fprintf(to, "... and %d more\n", len(r.Broken)-i)
			break
		}
		fmt.Fprintln(to, "BROKEN:", broken)
	}
	fmt.Fprint(to, caution)
}

// save writes the files that are asked for.
func (r report) save(s settings) error {
	var failed error
	if s.json != "" {
		text, err := json.MarshalIndent(r, "", "  ")
		if err == nil {
			err = os.WriteFile(s.json, append(text, '\n'), 0o644)
		}
		failed = errors.Join(failed, err)
	}
	if measured, ok := r.Parts["pairs"].(pairs.Result); ok && s.svg != "" {
		var text bytes.Buffer
		err := measured.Chart().Write(&text)
		if err == nil {
			err = os.WriteFile(s.svg, text.Bytes(), 0o644)
		}
		failed = errors.Join(failed, err)
	}
	return failed
}
