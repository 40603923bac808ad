package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// screen is where people read: a terminal of so many columns, or a file or pipe, which has room for everything.
type screen struct {
	w         io.Writer
	columns   int // 0: as many as it takes
	colour    bool
	noHeaders bool
}

// cell is one field of a table.
type cell struct {
	text  string
	short string // says enough where text has no room; "" if there is nothing shorter
	style style
}

// column is what its cells have in common.
type column struct {
	title string
	least int // where there is no room the cells are cut to so many columns; 0: they are left whole
}

// gap separates columns.
const gap = "  "

// isTerminal reports whether a person reads w.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// terminalColumns is how wide the terminal is that w is; 0 if it is none or does not say.
func terminalColumns(w io.Writer) int {
	if !isTerminal(w) {
		return 0
	}
	width, _, err := term.GetSize(int(w.(*os.File).Fd()))
	if err != nil {
		return 0
	}
	return width
}

// printf prints as fmt does.
func (s *screen) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(s.w, format, args...)
	return err
}

// table prints aligned columns with their titles. What is too wide for the screen says its short
// forms, and then has cells cut; what is still too wide is for the terminal to wrap, since half a name or
// token is worse than a second line.
func (s *screen) table(titles []column, rows [][]cell) error {
	if !s.noHeaders {
		head := make([]cell, len(titles))
		for i, c := range titles {
			head[i] = cell{text: c.title, style: bold}
		}
		rows = append([][]cell{head}, rows...)
	}
	widths := widthsOf(titles, rows)
	if s.tooWide(widths) {
		rows = shortened(rows)
		widths = widthsOf(titles, rows)
	}
	s.cut(titles, widths)
	var text strings.Builder
	for _, row := range rows {
		s.row(&text, row, widths)
	}
	_, err := io.WriteString(s.w, text.String())
	return err
}

// row writes cells, each in its column.
func (s *screen) row(text *strings.Builder, row []cell, widths []int) {
	blanks := 0 // that nothing may follow
	for i, c := range row {
		shown := c.text
		if columns(shown) > widths[i] {
			shown = clip(shown, widths[i]-columns("…")) + "…"
		}
		if shown != "" {
			text.WriteString(strings.Repeat(" ", blanks))
			text.WriteString(s.paint(shown, c.style))
			blanks = 0
		}
		blanks += max(0, widths[i]-columns(shown)) + len(gap)
	}
	text.WriteByte('\n')
}

func widthsOf(titles []column, rows [][]cell) []int {
	widths := make([]int, len(titles))
	for _, row := range rows {
		for i, c := range row {
			widths[i] = max(widths[i], columns(c.text))
		}
	}
	return widths
}

func shortened(rows [][]cell) [][]cell {
	out := make([][]cell, len(rows))
	for i, row := range rows {
		out[i] = append([]cell(nil), row...)
		for j, c := range row {
			if c.short != "" {
				out[i][j].text = c.short
			}
		}
	}
	return out
}

// excess is by how much a table is too wide.
func (s *screen) excess(widths []int) int {
	if s.columns == 0 {
		return 0
	}
	all := len(gap) * (len(widths) - 1)
	for _, width := range widths {
		all += width
	}
	return max(0, all-s.columns)
}

func (s *screen) tooWide(widths []int) bool { return s.excess(widths) > 0 }

// cut takes the excess from those columns that may be cut, the last one first.
func (s *screen) cut(titles []column, widths []int) {
	excess := s.excess(widths)
	for i := len(titles) - 1; i >= 0 && excess > 0; i-- {
		if least := titles[i].least; least > 0 && widths[i] > least {
			taken := min(excess, widths[i]-least)
			widths[i] -= taken
			excess -= taken
		}
	}
}

// pairs prints what is known of one thing, a line each, with values that are too long for the screen broken
// between words.
func (s *screen) pairs(rows [][2]cell) error {
	indent := 0
	for _, row := range rows {
		indent = max(indent, columns(row[0].text)+len(gap))
	}
	var text strings.Builder
	for _, row := range rows {
		text.WriteString(row[0].text + strings.Repeat(" ", indent-columns(row[0].text)))
		for i, line := range s.broken(row[1].text, indent) {
			if i > 0 {
				text.WriteString("\n" + strings.Repeat(" ", indent))
			}
			text.WriteString(s.paint(line, row[1].style))
		}
		text.WriteByte('\n')
	}
	_, err := io.WriteString(s.w, text.String())
	return err
}

// broken is text in lines that fit beside the indent, if the words do and there is room worth speaking of.
func (s *screen) broken(text string, indent int) []string {
	room := s.columns - indent
	if s.columns == 0 || room < s.columns/2 || columns(text) <= room {
		return []string{text}
	}
	var lines []string
	line := ""
	for word := range strings.SplitSeq(text, " ") {
		switch {
		case line == "":
			line = word
		case columns(line)+1+columns(word) <= room:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}

// leastOwner is how much of an owner tells it from others: user@host:pid, as a rule.
const leastOwner = 16

// moment is a time in a table; where there is no room, how long ago it was.
func moment(t *timestamppb.Timestamp, now time.Time) cell {
	return cell{text: t.AsTime().Format(time.RFC3339), short: age(now.Sub(t.AsTime()))}
}

// number is a whole number in a table.
func number(n int64) cell { return cell{text: strconv.FormatInt(n, 10)} }
