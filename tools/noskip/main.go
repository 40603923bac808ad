// noskip runs `go test -json` with its arguments and passes on what a person wants to see: a line for each
// package, and the output of what failed. It exits with 1 if anything failed, did not build, or was
// skipped, or if no test ran at all: a test that did not run is no test that passed.
//
// A package whose process the race detector itself brought down, by a failed check of its own and not by
// a race, is run once more, and the report says so.
//
//	noskip -race ./...
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

func main() {
	good, err := verdict(os.Stdout, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "noskip:", err)
	}
	if !good || err != nil {
		os.Exit(1)
	}
}

// verdict runs the tests that args name, and once more what fell.
func verdict(w io.Writer, args []string) (good bool, err error) {
	r := newReport(w)
	if err := r.run(args); err != nil {
		return false, err
	}
	if len(r.fallen) > 0 {
		r.again = true
		flags := slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return !strings.HasPrefix(arg, "-") })
		if err := r.run(append(flags, r.fallen...)); err != nil {
			return false, err
		}
	}
	return r.finish(), nil
}

// run runs go test and takes what it says. That it exits with an error is no news if the report knows why.
func (r *report) run(args []string) error {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	read := r.read(out)
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(r.failed)+len(r.fallen) > 0 {
		err = nil
	}
	return cmp.Or(read, err)
}

// event is a line of test2json, as `go doc test2json` describes it.
type event struct {
	Action     string
	Package    string
	ImportPath string // in place of Package, of a build's output
	Test       string
	Output     string
	Elapsed    float64
}

type report struct {
	w       io.Writer
	output  map[string]*strings.Builder // of each package and each test that has not ended well
	passed  int
	skipped []string
	failed  []string
	fallen  []string // packages that the race detector brought down, to be run again
	again   bool     // they are
}

func newReport(w io.Writer) *report {
	return &report{w: w, output: make(map[string]*strings.Builder)}
}

// read takes events until the end of in. A line that is none is passed on as it is.
func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				fmt.Fprintf(r.w, "%s", line)
			} else {
				r.take(e)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) take(e event) {
	what := strings.TrimSpace(e.Package + " " + e.Test)
	switch e.Action {
	case "output":
		r.of(what).WriteString(e.Output)
	case "build-output":
		fmt.Fprint(r.w, e.Output)
	case "build-fail":
		r.failed = append(r.failed, e.ImportPath+" (build)")
	case "pass":
		delete(r.output, what)
		if e.Test == "" {
			fmt.Fprintf(r.w, "ok    %s %.1fs\n", e.Package, e.Elapsed)
		} else {
			r.passed++
		}
	case "skip":
		if e.Test != "" { // a package is "skipped" when it has no tests
			r.skipped = append(r.skipped, what)
			fmt.Fprint(r.w, r.of(what))
		}
		delete(r.output, what)
	case "fail":
		if e.Test == "" && !r.again && r.fell(e.Package) {
			return
		}
		r.failed = append(r.failed, what)
		fmt.Fprint(r.w, r.of(what))
		delete(r.output, what)
	}
}

// detectorFell is what the race detector writes when it fails itself.
const detectorFell = "ThreadSanitizer: CHECK failed"

// fell reports whether the race detector brought a package's process down; then what did not end there
// is forgotten, for it is run again.
func (r *report) fell(pkg string) bool {
	is := func(what string) bool { return what == pkg || strings.HasPrefix(what, pkg+" ") }
	fell := false
	for what, output := range r.output {
		fell = fell || is(what) && strings.Contains(output.String(), detectorFell)
	}
	if !fell {
		return false
	}
	for what := range r.output {
		if is(what) {
			delete(r.output, what)
		}
	}
	r.fallen = append(r.fallen, pkg)
	fmt.Fprintf(r.w, "again %s: the race detector failed a check of its own\n", pkg)
	return true
}

func (r *report) of(what string) *strings.Builder {
	if r.output[what] == nil {
		r.output[what] = new(strings.Builder)
	}
	return r.output[what]
}

// finish writes the verdict and answers whether it is good. What never ended, because its process
// died, is shown as well; its package has failed.
func (r *report) finish() bool {
	for what, output := range r.output {
		fmt.Fprintf(r.w, "did not end: %s\n%s", what, output)
	}
	for _, what := range r.failed {
		fmt.Fprintln(r.w, "FAIL ", what)
	}
	for _, what := range r.skipped {
		fmt.Fprintln(r.w, "SKIP ", what, "(a skipped test is a failure)")
	}
	ok := len(r.failed) == 0 && len(r.skipped) == 0 && len(r.output) == 0 && (len(r.fallen) == 0 || r.again)
	if r.passed == 0 {
		fmt.Fprintln(r.w, "no test ran")
		ok = false
	}
	if ok {
		fmt.Fprintf(r.w, "%d passed, 0 failed, 0 skipped\n", r.passed)
	}
	return ok
}
