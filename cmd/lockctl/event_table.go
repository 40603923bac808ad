package main

import (
	"fmt"
	"strings"
	"time"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// eventColumn is a column of a table whose later rows are not known yet: its width is guessed.
type eventColumn struct {
	title  string
	width  int // what is wider is shown all the same
	narrow bool
}

// wideEnough is how many columns a terminal must have for the whole table.
const wideEnough = 120

// eventColumns are those of watch's table on a screen so wide. On a narrow one the time is a clock's.
func eventColumns(screen int) []eventColumn {
	if screen == 0 || screen >= wideEnough {
		return []eventColumn{{"TIME", 20, false}, {"EVENT", 8, false}, {"NAME", 24, false}, {"TOKEN", 16, false}, {"OWNER", 24, false}, {"DETAIL", 0, false}}
	}
	return []eventColumn{{"TIME", 8, true}, {"EVENT", 8, false}, {"NAME", 16, false}, {"TOKEN", 16, false}, {"OWNER", 16, false}, {"DETAIL", 0, false}}
}

func headings(columns []eventColumn) []cell {
	cells := make([]cell, len(columns))
	for i, c := range columns {
		cells[i] = cell{text: c.title, style: bold}
	}
	return cells
}

// line is a row of such a table.
func (s *screen) line(titles []eventColumn, cells []cell) string {
	widths := make([]int, len(titles))
	row := make([]cell, len(titles))
	for i, c := range cells {
		if titles[i].narrow && c.short != "" {
			c.text = c.short
		}
		row[i], widths[i] = c, max(titles[i].width, columns(c.text))
	}
	var text strings.Builder
	s.row(&text, row, widths)
	return text.String()
}

// eventCells is an event for people.
func eventCells(event *lockdv1.Event, now time.Time) []cell {
	at, token, detail := cell{text: "-"}, cell{text: "-"}, ""
	if event.GetAt() != nil {
		at = cell{text: event.GetAt().AsTime().Format(time.RFC3339), short: clock(event.GetAt().AsTime(), now)}
	}
	if event.GetToken() != 0 {
		token = number(event.GetToken())
	}
	switch {
	case event.GetKind() == lockdv1.Event_FORCED:
		detail = fmt.Sprintf("by %s: %s", plain(event.GetBy()), plain(event.GetReason()))
	case event.GetKind() == lockdv1.Event_MISSED && event.GetMissed() > 0:
		detail = fmt.Sprintf("%d events are missing here", event.GetMissed())
	case event.GetKind() == lockdv1.Event_MISSED:
		detail = "events are missing here"
	case event.GetTicket() != 0:
		detail = fmt.Sprintf("ticket %d", event.GetTicket())
	}
	kind := cell{text: strings.ToLower(event.GetKind().String()), style: eventStyles[event.GetKind()]}
	return []cell{at, kind, {text: plain(event.GetName())}, token, {text: plain(event.GetOwner())}, {text: detail}}
}

var eventStyles = map[lockdv1.Event_Kind]style{
	lockdv1.Event_ACQUIRED: good,
	lockdv1.Event_EXPIRED:  warned,
	lockdv1.Event_FORCED:   bad,
	lockdv1.Event_MISSED:   warned,
}
