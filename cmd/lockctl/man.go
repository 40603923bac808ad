package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const manHelp = `Man writes a manual page for lockctl and one for each of its commands into DIR, which is made if need be:
lockctl.1, lockctl-run.1 and so on. They say what --help says.`

func newMan() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the manual pages",
		Long:   manHelp,
		Hidden: true, // it is for whoever installs lockctl
		Example: `  lockctl man ~/.local/share/man/man1
  lockctl man /tmp/man && man -l /tmp/man/lockctl-run.1`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("want one DIR, got %d arguments", len(args))
			}
			return nil
		},
		RunE: action(func(cmd *cobra.Command, args []string) error { return writePages(cmd.Root(), args[0]) }),
	}
}

func writePages(root *cobra.Command, dir string) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	eachCommand(root, func(cmd *cobra.Command) {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, pageName(cmd)+".1"), []byte(manPage(cmd)), 0o644)
		}
	})
	return err
}

// pageName is how a command's page is found: lockctl-context-use.
func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// page is a manual page in the making, in the language of man(7).
type page struct{ strings.Builder }

// manPage is the page of one command. The same version makes the same page, so it bears no date.
func manPage(cmd *cobra.Command) string {
	cmd.InitDefaultHelpFlag() // listed, too
	var p page
	p.macro("TH", strings.ToUpper(pageName(cmd)), "1", "", "lockctl "+versionText(), "lockctl manual")
	p.WriteString(".nh\n.ad l\n") // a flag is not to be hyphenated
	p.macro("SH", "NAME")
	p.WriteString(roff(pageName(cmd)) + ` \- ` + roff(cmd.Short) + "\n")
	p.macro("SH", "SYNOPSIS")
	p.text(cmd.UseLine())
	p.macro("SH", "DESCRIPTION")
	long := cmd.Long
	if !cmd.HasParent() {
		long = rootIntro // what follows it in --help has sections of its own
	}
	p.prose(long)
	var below []entry
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			below = append(below, entry{sub.Name(), sub.Short + "; see " + pageName(sub) + "(1)"})
		}
	}
	p.entries("COMMANDS", below)
	p.entries("OPTIONS", flagEntries(cmd.LocalFlags()))
	p.entries("OPTIONS OF EVERY COMMAND", flagEntries(cmd.InheritedFlags()))
	p.entries("EXIT STATUS", exitCodes)
	p.macro("PP")
	p.text(exitCodesEnd)
	p.entries("ENVIRONMENT", environment)
	p.entries("FILES", files)
	p.macro("SH", "EXAMPLES")
	p.verbatim(strings.Split(cmd.Example, "\n"))
	p.macro("SH", "SEE ALSO")
	p.text(strings.Join(related(cmd), ", "))
	return p.String()
}

// related are the pages beside this one: those of the command above it and of what is below that, or it.
func related(cmd *cobra.Command) (pages []string) {
	among := cmd
	if cmd.HasParent() {
		among = cmd.Parent()
		pages = append(pages, pageName(among)+"(1)")
	}
	for _, sub := range among.Commands() {
		if sub.IsAvailableCommand() && sub != cmd {
			pages = append(pages, pageName(sub)+"(1)")
		}
	}
	return pages
}

// flagEntries explains flags as --help does.
func flagEntries(flags *pflag.FlagSet) (entries []entry) {
	flags.VisitAll(func(flag *pflag.Flag) {
		if flag.Hidden {
			return
		}
		word := "--" + flag.Name
		if flag.Shorthand != "" {
			word = "-" + flag.Shorthand + ", " + word
		}
		kind, usage := pflag.UnquoteUsage(flag)
		if kind != "" {
			word += " " + kind
		}
		if value := flag.DefValue; value != "" && value != "false" && value != "[]" {
			usage += " (default " + value + ")"
		}
		entries = append(entries, entry{word, usage})
	})
	return entries
}

// macro writes a macro of man(7) and its arguments.
func (p *page) macro(name string, args ...string) {
	p.WriteString("." + name)
	for _, arg := range args {
		p.WriteString(` "` + roff(arg) + `"`)
	}
	p.WriteByte('\n')
}

// text writes a line of text.
func (p *page) text(line string) { p.WriteString(roff(line) + "\n") }

// entries writes a section of words and what they mean; none if there are none.
func (p *page) entries(title string, entries []entry) {
	if len(entries) == 0 {
		return
	}
	p.macro("SH", title)
	for _, e := range entries {
		p.macro("TP")
		p.macro("B", e.word)
		p.text(e.text)
	}
}

// prose writes paragraphs. Lines that are indented stay as they are.
func (p *page) prose(text string) {
	var block []string
	end := func() {
		switch {
		case len(block) == 0:
		case strings.HasPrefix(block[0], " "):
			p.verbatim(block)
		default:
			p.macro("PP")
			for _, line := range block {
				p.text(line)
			}
		}
		block = nil
	}
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" || len(block) > 0 && strings.HasPrefix(line, " ") != strings.HasPrefix(block[0], " ") {
			end()
		}
		if line != "" {
			block = append(block, line)
		}
	}
	end()
}

func (p *page) verbatim(lines []string) {
	p.macro("PP")
	p.WriteString(".nf\n")
	for _, line := range lines {
		p.text(line)
	}
	p.WriteString(".fi\n")
}

// What means something to roff, and the characters that it would make nicer: what is typed must stay as it is.
var roffed = strings.NewReplacer(`\`, `\e`, `-`, `\-`, `'`, `\(aq`, "`", `\(ga`, `"`, `\(dq`, `^`, `\(ha`, `~`, `\(ti`)

// roff is text that roff shows as it stands.
func roff(text string) string {
	var out strings.Builder
	if strings.HasPrefix(text, ".") {
		out.WriteString(`\&`)
	}
	for _, r := range roffed.Replace(text) {
		if r < utf8.RuneSelf {
			out.WriteRune(r)
		} else {
			fmt.Fprintf(&out, `\[u%04X]`, r)
		}
	}
	return out.String()
}
