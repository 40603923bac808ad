package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// style is how a text stands out on a terminal that can show it: an SGR parameter.
type style string

const (
	normal style = ""
	bold   style = "1"
	good   style = "32"
	warned style = "33"
	bad    style = "31"
)

// When there is colour. auto is on a terminal, unless NO_COLOR is set or TERM is dumb or not set.
const (
	colourAuto   = "auto"
	colourAlways = "always"
	colourNever  = "never"
)

var colours = []string{colourAuto, colourAlways, colourNever}

// colourMode is the value of --color.
type colourMode string

func registerColour(root *cobra.Command) {
	mode := colourMode(colourAuto)
	root.PersistentFlags().Var(&mode, "color", "colour: "+strings.Join(colours, ", "))
	// It fails only for a flag that does not exist.
	_ = root.RegisterFlagCompletionFunc("color", cobra.FixedCompletions(colours, cobra.ShellCompDirectiveNoFileComp))
}

// Set implements pflag.Value.
func (m *colourMode) Set(name string) error {
	if !slices.Contains(colours, name) {
		return fmt.Errorf("want one of %s", strings.Join(colours, ", "))
	}
	*m = colourMode(name)
	return nil
}

// String implements pflag.Value.
func (m *colourMode) String() string { return string(*m) }

// Type implements pflag.Value.
func (m *colourMode) Type() string { return "when" }

// colourOf is what a command line says of colour.
func colourOf(cmd *cobra.Command) string { return cmd.Flag("color").Value.String() }

// coloured reports whether w shows colours. Where they are asked for always, that is for what a command
// prints: errors go into logs beside it.
func coloured(mode string, w io.Writer, prints bool) bool {
	switch mode {
	case colourNever:
		return false
	case colourAlways:
		return prints || isTerminal(w)
	}
	term := os.Getenv("TERM")
	return isTerminal(w) && os.Getenv("NO_COLOR") == "" && term != "" && term != "dumb"
}

// paint is text in a style.
func (s *screen) paint(text string, in style) string {
	if !s.colour {
		return text
	}
	return paint(text, in)
}

func paint(text string, in style) string {
	if in == normal || text == "" {
		return text
	}
	return "\x1b[" + string(in) + "m" + text + "\x1b[0m"
}
