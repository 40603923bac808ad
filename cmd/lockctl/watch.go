package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

const watchHelp = `Watch prints what happens to names from now on, as it happens: all of them, or those on PREFIX and below it
("a/b" selects "a/b" and "a/b/c", not "a/bc"). The events are acquired, released, expired, forced, queued,
left, and missed: some are missing here, since lockd could not learn of them or they were not read in time.

With -o jsonl, each is a JSON object on a line of its own, as soon as it is known; -o json is the same, as
there is no end to wait for; with -o yaml, each is a document. The first one is SYNCED: what happens after it
is there.

When the server goes away it goes on at the next one that answers, after an event missed, and gives up with
69 when none has for --unavailable-for. Otherwise it goes on until it is interrupted, or nobody reads what it
prints, which is its ordinary end: 0.`

func newWatch(to *server) *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:   "watch [PREFIX]",
		Short: "Print what happens to names as it happens",
		Long:  watchHelp,
		Example: `  lockctl watch orders
  lockctl watch -o jsonl | jq -r 'select(.kind == "FORCED") | .name + ": " + .reason'`,
		Args: cobra.MaximumNArgs(1),
	}
	out.register(cmd, asTable, asJSON, asLines, asYAML)
	out.registerHeaders(cmd)
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		prefix, err := prefixOf(args)
		if err != nil {
			return err
		}
		dropPipeSignal()
		return watch(cmd, to, prefix, newEventPrinter(out.screen(cmd), out.name))
	})
	return cmd
}

// watch prints events until that ends, and says on standard error how it goes.
func watch(cmd *cobra.Command, to *server, prefix string, out *eventPrinter) error {
	caller, err := to.connect(cmd.Context())
	if err != nil {
		return err
	}
	defer caller.close()
	for {
		why := caller.watch(prefix, func(events *eventStream) error {
			if out.format == asTable {
				fmt.Fprintf(cmd.ErrOrStderr(), "lockctl: watching %s at %s\n", described(prefix), to.target)
			}
			return out.printAll(events)
		})
		var gone *streamEnd
		if !errors.As(why, &gone) {
			return out.ended(why)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "lockctl: the server went away (%s): events may be missing\n", plain(gone.Error()))
		if err := caller.pause(askAgain); err != nil {
			return out.ended(err)
		}
	}
}

// described is a prefix for people.
func described(prefix string) string {
	if prefix == "" {
		return "all names"
	}
	return plain(prefix)
}

// eventStream is a watch under way. Its first event is SYNCED.
type eventStream struct {
	ctx    context.Context        // ends when the user interrupts
	first  *lockdv1.WatchResponse // nil when it has been taken
	stream grpc.ServerStreamingClient[lockdv1.WatchResponse]
}

// streamEnd is why a watch has ended that another one can take the place of.
type streamEnd struct{ error }

// watch begins a watch, has take read it, and returns take's error.
func (c *caller) watch(prefix string, take func(*eventStream) error) error {
	streaming, cancel := context.WithCancel(c.ctx)
	defer cancel()
	events := eventStream{ctx: c.ctx}
	_, err := c.ask(func(ctx context.Context, conn grpc.ClientConnInterface, opts ...grpc.CallOption) (err error) {
		// The stream outlives the request for it, unless the request is given up.
		begun, giveUp := context.WithCancel(streaming)
		keep := context.AfterFunc(ctx, giveUp)
		events.stream, err = lockdv1.NewLeaseServiceClient(conn).Watch(begun, &lockdv1.WatchRequest{Prefix: prefix}, opts...)
		if err == nil {
			events.first, err = events.stream.Recv()
		}
		if !keep() {
			return status.FromContextError(ctx.Err()).Err()
		}
		if err != nil {
			giveUp()
		}
		return err
	})
	if err != nil {
		return err
	}
	return take(&events)
}

// next returns at least one event. Its error is a *streamEnd if watching anew may help.
func (s *eventStream) next() ([]*lockdv1.Event, error) {
	resp := s.first
	s.first = nil
	for len(resp.GetEvents()) == 0 {
		var err error
		resp, err = s.stream.Recv()
		switch {
		case err == nil:
		case s.ctx.Err() != nil:
			return nil, context.Cause(s.ctx)
		case unserved(err):
			return nil, &streamEnd{errors.New(status.Convert(err).Message())}
		case errors.Is(err, io.EOF):
			return nil, &streamEnd{errors.New("it ended the stream")}
		default:
			return nil, err
		}
	}
	return resp.GetEvents(), nil
}

// eventPrinter prints the events of one stream after another as if they were one: SYNCED once, and MISSED
// where the next one begins.
type eventPrinter struct {
	*screen
	format string
	synced bool
}

func newEventPrinter(s *screen, format string) *eventPrinter {
	return &eventPrinter{screen: s, format: format}
}

// ended is how lockctl ends: that it was told to, once it had begun, or that the reader has gone, is its
// ordinary end.
func (p *eventPrinter) ended(why error) error {
	var by *interrupted
	if errors.Is(why, syscall.EPIPE) || p.synced && errors.As(why, &by) {
		return nil
	}
	return why
}

// printAll prints events as they come, those that come together by one write, until the stream ends.
func (p *eventPrinter) printAll(stream *eventStream) error {
	for {
		events, err := stream.next()
		if err != nil {
			return err
		}
		var text bytes.Buffer
		for _, event := range events {
			if err := p.print(&text, event); err != nil {
				return err
			}
		}
		if _, err := p.w.Write(text.Bytes()); err != nil {
			return err
		}
	}
}

func (p *eventPrinter) print(w *bytes.Buffer, event *lockdv1.Event) error {
	began := event.GetKind() == lockdv1.Event_SYNCED
	if began && p.synced {
		event = &lockdv1.Event{Kind: lockdv1.Event_MISSED, At: event.GetAt()}
		began = false
	}
	p.synced = p.synced || began
	switch {
	case p.format == asYAML:
		w.WriteString("---\n")
		return printValue(w, event, asYAML)
	case p.format != asTable:
		return printValue(w, event, asLines)
	}
	columns := eventColumns(p.columns)
	if !began {
		w.WriteString(p.line(columns, eventCells(event, time.Now())))
	} else if !p.noHeaders {
		w.WriteString(p.line(columns, headings(columns)))
	}
	return nil
}
