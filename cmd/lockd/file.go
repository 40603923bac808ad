package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds files that are read whole, in bytes.
const maxFile = 1 << 20

// readSettings reads the YAML file at path, unless that is "": a mapping of settings to single values, each
// once, and nothing else. What is wrong with a setting it adds, and answers the others. It reads the text of
// a value and not what YAML makes of it: a key prefix 007 is no number, and no is no false.
func readSettings(path string, settings []string, wrong *problems) (map[string]value, error) {
	found := make(map[string]value)
	if path == "" {
		return found, nil
	}
	text, err := readWhole(path)
	if err != nil {
		return nil, fmt.Errorf("config file: %w", err)
	}
	where := plain(path)
	top, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("config file %s: %w", where, err)
	}
	for i := 0; i+1 < len(top); i += 2 {
		key, node := top[i], top[i+1]
		origin := fmt.Sprintf("%s:%d", where, key.Line)
		if node.Kind == yaml.AliasNode {
			node = node.Alias
		}
		before, twice := found[key.Value]
		switch problem := problemOf(node); {
		case key.Kind != yaml.ScalarNode || !slices.Contains(settings, key.Value):
			wrong.addf("%s: there is no setting %q; did you mean %q?", origin, key.Value, nearest(key.Value, settings))
		case twice:
			wrong.addf("%s: %s was already set in %s; want it once", origin, key.Value, before.origin)
		case problem != "":
			wrong.add(key.Value, origin, fmt.Errorf("%s %s", key.Value, problem))
		default:
			found[key.Value] = value{node.Value, origin}
		}
	}
	return found, nil
}

// parse answers keys and values of the only mapping that text may have, by turns; none if it is empty.
func parse(text []byte) ([]*yaml.Node, error) {
	const want = "want a setting per line, such as listen: 127.0.0.1:7420"
	var document, another yaml.Node
	stream := yaml.NewDecoder(bytes.NewReader(text))
	if err := stream.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("%s; %s", syntax(err), want)
	}
	if err := stream.Decode(&another); !errors.Is(err, io.EOF) {
		return nil, errors.New("has more than one document; " + want)
	}
	top := document.Content[0]
	switch {
	case top.Kind == yaml.MappingNode:
		return top.Content, nil
	case top.Kind == yaml.ScalarNode && top.ShortTag() == "!!null":
		return nil, nil
	}
	return nil, errors.New("is no list of settings; " + want)
}

// lineOf finds the line that YAML speaks of.
var lineOf = regexp.MustCompile(`^yaml: (line [0-9]+):`)

// syntax is what YAML says, as far as it quotes nothing: a file of passwords may have been named instead.
func syntax(err error) string {
	const what = "it is not valid YAML"
	if !strings.Contains(err.Error(), "'") {
		return what + ": " + strings.TrimPrefix(err.Error(), "yaml: ")
	}
	if at := lineOf.FindStringSubmatch(err.Error()); at != nil {
		return what + ": " + at[1]
	}
	return what
}

// problemOf says what is wrong with a value for any setting, "" if nothing is.
func problemOf(node *yaml.Node) string {
	const want = `; want a single value, or "" for none`
	switch {
	case node.Kind == yaml.MappingNode:
		return "has settings of its own" + want
	case node.Kind == yaml.SequenceNode:
		return "is a list" + want
	case node.ShortTag() == "!!null":
		return "has no value" + want
	case !slices.Contains([]string{"!!str", "!!int", "!!float", "!!bool", "!!timestamp"}, node.ShortTag()):
		return "has the tag " + node.ShortTag() + "; want a plain value"
	}
	return ""
}

// readWhole reads a file of up to a mebibyte: a device might never end.
func readWhole(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s has more than %d bytes; want no more", plain(path), maxFile)
	}
	return text, err
}

// plain is a path on one line.
func plain(path string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return '?'
		}
		return r
	}, path)
}
