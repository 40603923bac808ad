package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// The formats; each command says which it offers.
const (
	asTable = "table"
	asJSON  = "json"
	asLines = "jsonl" // JSON, one line a thing
	asYAML  = "yaml"  // what asJSON says, as YAML
)

// output is what -o and --no-headers ask for. Whatever a command prints, it prints through here.
type output struct {
	format
	noHeaders bool
}

// register adds -o with the first of the formats as its default.
func (o *output) register(cmd *cobra.Command, allowed ...string) {
	o.name, o.allowed = allowed[0], allowed
	cmd.Flags().VarP(&o.format, "output", "o", "output format: "+strings.Join(allowed, ", "))
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(allowed, cobra.ShellCompDirectiveNoFileComp))
}

// registerHeaders adds --no-headers, for a command whose tables have them.
func (o *output) registerHeaders(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.noHeaders, "no-headers", false, "leave the headings of tables out")
}

// view is what a command has to show: to programs, and to people.
type view struct {
	value any                 // what json and yaml say: something that JSON can, or a proto.Message
	lines []any               // what jsonl says, a line each; nil: value, on one
	table func(*screen) error // what people get
}

// print shows v as was asked.
func (o *output) print(cmd *cobra.Command, v view) error {
	w := cmd.OutOrStdout()
	switch {
	case o.name == asTable:
		return v.table(o.screen(cmd))
	case o.name == asLines && v.lines != nil:
		for _, line := range v.lines {
			if err := printValue(w, line, asLines); err != nil {
				return err
			}
		}
		return nil
	}
	return printValue(w, v.value, o.name)
}

// screen is where people read what cmd prints.
func (o *output) screen(cmd *cobra.Command) *screen {
	w := cmd.OutOrStdout()
	return &screen{w: w, columns: terminalColumns(w), colour: coloured(colourOf(cmd), w, true), noHeaders: o.noHeaders}
}

// format is the value of -o.
type format struct {
	name    string
	allowed []string
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

// printValue prints a value in a format other than asTable, and "<" as it is.
func printValue(w io.Writer, value any, format string) error {
	if m, ok := value.(proto.Message); ok {
		raw, err := compactJSON(m)
		if err != nil {
			return err
		}
		value = raw
	}
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

// seconds is a duration as protojson writes it.
func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s" }

// marshaler has encoding/json write a message as protojson does.
type marshaler struct{ proto.Message }

// MarshalJSON implements json.Marshaler.
func (m marshaler) MarshalJSON() ([]byte, error) { return compactJSON(m.Message) }
