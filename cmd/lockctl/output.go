package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
	"golang.org/x/term"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// format is the value of -o.
type format struct {
	name    string
	allowed []string
}

// The formats; each command says which it offers.
const (
	asTable = "table"
	asJSON  = "json"
	asLines = "jsonl" // JSON, one line a thing
	asYAML  = "yaml"  // what asJSON says, as YAML
)

// register adds -o with the first of the formats as its default.
func (f *format) register(cmd *cobra.Command, allowed ...string) {
	f.name, f.allowed = allowed[0], allowed
	cmd.Flags().VarP(f, "output", "o", "output format: "+strings.Join(allowed, ", "))
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(allowed, cobra.ShellCompDirectiveNoFileComp))
}

// Set implements pflag.Value.
func (f *format) Set(name string) error {
	if !slices.Contains(f.allowed, name) {
		return fmt.Errorf("want one of %s", strings.Join(f.allowed, ", "))
	}
	f.name = name
	return nil
}

// String implements pflag.Value.
func (f *format) String() string { return f.name }

// Type implements pflag.Value.
func (f *format) Type() string { return "format" }

// isTerminal reports whether a person reads w.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// compactJSON is a message in protojson's names, zero values included, without the spaces that
// protojson adds at random so that nobody compares its bytes.
func compactJSON(m proto.Message) (json.RawMessage, error) {
	raw, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = json.Compact(&out, raw)
	return out.Bytes(), err
}

// printMessage prints a message in a format other than asTable.
func printMessage(w io.Writer, m proto.Message, format string) error {
	raw, err := compactJSON(m)
	if err != nil {
		return err
	}
	return printValue(w, raw, format)
}

// printValue prints a value that JSON can say in a format other than asTable, and "<" as it is.
func printValue(w io.Writer, value any, format string) error {
	var text bytes.Buffer
	out := json.NewEncoder(&text)
	out.SetEscapeHTML(false)
	if format == asJSON {
		out.SetIndent("", "  ")
	}
	if err := out.Encode(value); err != nil {
		return err
	}
	if format == asYAML {
		return printYAML(w, text.Bytes())
	}
	_, err := w.Write(text.Bytes())
	return err
}

// printYAML prints JSON, which is YAML in a style of its own, in the usual style and the same order.
func printYAML(w io.Writer, text []byte) error {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return err
	}
	if err := usualStyle(&document); err != nil {
		return err
	}
	out := yaml.NewEncoder(w)
	out.SetIndent(2)
	if err := out.Encode(&document); err != nil {
		return err
	}
	return out.Close()
}

// usualStyle takes JSON's style from a node and all below it. What is a string stays one: a token is
// quoted, since a number that large is not safe with every reader, and so are "yes" and "1:20", which
// readers of YAML 1.1 take for something else.
func usualStyle(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode && node.ShortTag() == "!!str" {
		return node.Encode(node.Value) // in the style that its value needs
	}
	node.Style = 0
	for _, below := range node.Content {
		if err := usualStyle(below); err != nil {
			return err
		}
	}
	return nil
}

// table prints rows of cells in aligned columns.
func table(w io.Writer, rows [][]string) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(out, strings.Join(row, "\t")) // its errors come with Flush
	}
	return out.Flush()
}
