// Ledger moves money between accounts in a SQLite database, in several processes that keep out of
// each other's way with leases from lockd, and shows what the fencing token is for: a worker that was
// stopped past its ttl wakes up and writes late, and the database refuses it.
//
// It is an example of clients/go and clients/go/fence. worker.go and books.go are what a program of
// yours would have; the rest directs the demo.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	lockd "github.com/lockd/lockd/clients/go"
)

const usage = `Usage:
  ledger demo   --lockd PROGRAM       stop a worker past its ttl, and see its late write refused
  ledger worker --server ADDRESS ...  make transfers under leases
  ledger audit  --db FILE             list the accounts; do the books balance?

"ledger COMMAND --help" lists the flags.

Exit status: 0 all went well, 1 it did not, 64 usage, 130 interrupted.
`

// Exit codes, as lockd and lockctl use them.
const (
	exitFailed      = 1
	exitUsage       = 64
	exitInterrupted = 130
)

// errUsage says that the command line is wrong; what is wrong has been printed.
var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:])
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(exitUsage)
	default:
		fmt.Fprintln(os.Stderr, "ledger:", err)
		if interrupted {
			os.Exit(exitInterrupted)
		}
		os.Exit(exitFailed)
	}
}

func run(ctx context.Context, args []string) error {
	commands := map[string]func(context.Context, []string) error{"demo": demo, "worker": worker, "audit": audit}
	if len(args) > 0 {
		if command := commands[args[0]]; command != nil {
			return command(ctx, args[1:])
		}
		if strings.TrimLeft(args[0], "-") == "help" {
			fmt.Print(usage)
			return nil
		}
	}
	fmt.Fprint(os.Stderr, usage)
	return errUsage
}

// parse parses args, all of which must be flags and of which those named in need must not be empty.
func parse(flags *flag.FlagSet, args []string, need ...string) error {
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return err
	} else if err != nil {
		return errUsage // Parse has said what is wrong
	}
	if flags.NArg() > 0 {
		return misused(flags, fmt.Errorf("unexpected argument %q", flags.Arg(0)))
	}
	for _, name := range need {
		if flags.Lookup(name).Value.String() == "" {
			return misused(flags, fmt.Errorf("--%s is missing", name))
		}
	}
	return nil
}

// misused prints what is wrong with the command line.
func misused(flags *flag.FlagSet, wrong error) error {
	fmt.Fprintf(flags.Output(), "ledger %s: %v; see --help\n", flags.Name(), wrong)
	return errUsage
}

func demo(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	d := Demo{Out: os.Stdout}
	flags.StringVar(&d.Lockd, "lockd", "", "the lockd `program` to start")
	flags.DurationVar(&d.TTL, "ttl", 2*time.Second, "ttl of the workers' leases; lockd takes 1s and more")
	unfenced := flags.Bool("unfenced", false, "leave the check out of the first half: it must then fail")
	if err := parse(flags, args, "lockd"); err != nil {
		return err
	}
	d.Fenced = !*unfenced
	var err error
	if d.Ledger, err = os.Executable(); err != nil {
		return err
	}
	return d.Run(ctx)
}

func worker(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("worker", flag.ContinueOnError)
	var t Transfer
	flags.StringVar(&t.Payer, "from", "alice", "account to take from")
	flags.StringVar(&t.Payee, "to", "bob", "account to give to")
	flags.Int64Var(&t.Amount, "amount", 10, "how much to move")
	times := flags.Int("times", 1, "how many transfers to make")
	server := flags.String("server", "localhost:7420", "lockd's `address`")
	file := flags.String("db", "", "the books, a SQLite `file`; created if need be")
	name := flags.String("name", "worker", "who this is")
	ttl := flags.Duration("ttl", 2*time.Second, "ttl of the leases; lockd takes 1s and more")
	step := flags.Bool("step", false, "wait before each write for a line on standard input, or its end")
	unfenced := flags.Bool("unfenced", false, "write without a check of the token")
	asJSONLines := flags.Bool("json", false, "report in JSON, one event a line")
	if err := parse(flags, args, "db", "server", "name"); err != nil {
		return err
	}
	if err := t.Validate(); err != nil {
		return misused(flags, err)
	}
	books, err := OpenBooks(ctx, *file, !*unfenced)
	if err != nil {
		return err
	}
	defer books.Close()
	locks, err := lockd.Dial(*server, lockd.WithOwner(*name))
	if err != nil {
		return err
	}
	defer locks.Close()
	w := Worker{Name: *name, Locks: locks, Books: books, TTL: *ttl, Pause: noPause, Report: plainly(os.Stdout)}
	if *step {
		w.Pause = stepper(os.Stdin)
	}
	if *asJSONLines {
		w.Report = asJSON(os.Stdout)
	}
	return w.Run(ctx, t, *times)
}

func audit(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("audit", flag.ContinueOnError)
	file := flags.String("db", "", "the books, a SQLite `file`")
	if err := parse(flags, args, "db"); err != nil {
		return err
	}
	if _, err := os.Stat(*file); err != nil {
		return err // opening would create it
	}
	books, err := OpenBooks(ctx, *file, true)
	if err != nil {
		return err
	}
	defer books.Close()
	a, err := books.Audit(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%s, after %d transfers\n", a, len(a.Journal))
	if faults := a.Faults(); len(faults) > 0 {
		return fmt.Errorf("the books do not balance: %s", strings.Join(faults, ", "))
	}
	return nil
}

func noPause(context.Context) error { return nil }

// stepper returns a pause that lasts until there is a line to read, or no more lines. Its reader goes
// on until the program ends: nothing can interrupt a read from a terminal.
func stepper(r io.Reader) func(context.Context) error {
	lines := make(chan struct{})
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(r); s.Scan(); {
			lines <- struct{}{}
		}
	}()
	return func(ctx context.Context) error {
		select {
		case <-lines:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
