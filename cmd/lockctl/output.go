package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
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
	asLines = "jsonl"
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

// printMessage prints a message as indented JSON.
func printMessage(w io.Writer, m proto.Message) error {
	raw, err := compactJSON(m)
	if err != nil {
		return err
	}
	return printJSON(w, raw)
}

// printJSON prints a value as indented JSON, and "<" as it is.
func printJSON(w io.Writer, value any) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(value)
}

// table prints rows of cells in aligned columns.
func table(w io.Writer, rows [][]string) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(out, strings.Join(row, "\t")) // its errors come with Flush
	}
	return out.Flush()
}
