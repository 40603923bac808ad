package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// The file with the contexts:
//
//	current: prod
//	contexts:
//	  prod:
//	    server: lockd-1:7420,lockd-2:7420
//	    insecure: true
//
// The keys of a context are the names of flags, so that one for a certificate or a token fits in beside
// these. What lockctl does not know is an error: a setting misspelt is not one left out.
const (
	keyCurrent  = "current"
	keyContexts = "contexts"

	// contextsLimit is more than any such file has, contextNameLimit more than any name needs.
	contextsLimit    = 1 << 20
	contextNameLimit = 256
)

// contexts is what that file says.
type contexts struct {
	path    string
	text    *yaml.Node // the document, with its comments
	current string     // "" if none
	named   map[string]map[string]string
}

// configPath is where the contexts are, "" if this user has no place for them.
func (s *server) configPath() string {
	if s.config != "" {
		return s.config
	}
	if path := os.Getenv(configVariable); path != "" {
		return path
	}
	dir := os.Getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(dir) { // then it does not count, says the specification
		home := os.Getenv("HOME")
		if home == "" {
			return ""
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "lockd", "lockctl.yaml")
}

// readContexts reads the file. That there is none is an error only where it was named.
func (s *server) readContexts() (*contexts, error) {
	path := s.configPath()
	if path == "" {
		return parseContexts("", nil)
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) && s.config == "" && os.Getenv(configVariable) == "" {
		return parseContexts(path, nil)
	}
	if err != nil {
		return nil, usagef("the contexts: %w", err)
	}
	defer file.Close()
	return loadContexts(path, file)
}

func loadContexts(path string, r io.Reader) (*contexts, error) {
	text, err := io.ReadAll(io.LimitReader(r, contextsLimit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the contexts: %w", err)
	case len(text) > contextsLimit:
		return nil, usagef("%s has more than %d bytes; want a file with contexts", path, contextsLimit)
	}
	return parseContexts(path, text)
}

// parseContexts takes a file as it stands, or refuses it with the line that is wrong.
func parseContexts(path string, text []byte) (*contexts, error) {
	c := &contexts{path: path, text: new(yaml.Node), named: make(map[string]map[string]string)}
	if err := c.parse(text); err != nil {
		return nil, usagef("%s: %w", path, err)
	}
	return c, nil
}

func (c *contexts) parse(text []byte) error {
	in := yaml.NewDecoder(bytes.NewReader(text))
	err := in.Decode(c.text)
	if errors.Is(err, io.EOF) { // nothing, or comments only
		c.text = &yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.MappingNode}}}
		return nil
	}
	if err == nil && !errors.Is(in.Decode(new(yaml.Node)), io.EOF) {
		err = errors.New("there is more than one document; want one")
	}
	if err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	err = eachPair(c.text.Content[0], "the file", []string{keyCurrent, keyContexts}, func(key, value *yaml.Node) (err error) {
		if key.Value == keyCurrent {
			c.current, err = plainValue(key, value)
			return err
		}
		return eachPair(value, keyContexts, nil, c.parseContext)
	})
	if err != nil || c.current == "" {
		return err
	}
	if err := c.has(c.current); err != nil {
		return fmt.Errorf("%s: %w", keyCurrent, err)
	}
	return nil
}

func (c *contexts) parseContext(key, value *yaml.Node) error {
	if err := checkContextName(key.Value); err != nil {
		return fmt.Errorf("line %d: %w", key.Line, err)
	}
	found := make(map[string]string)
	err := eachPair(value, "context "+key.Value, settings, func(key, value *yaml.Node) (err error) {
		text, err := plainValue(key, value)
		if err != nil {
			return err
		}
		if err := checkSetting(key.Value, text); err != nil {
			return fmt.Errorf("line %d: %s is %q; want %w", value.Line, key.Value, text, err)
		}
		found[key.Value] = text
		return nil
	})
	if err == nil && found[settingServer] == "" {
		err = fmt.Errorf("line %d: context %s has no %s; want where its lockd is", key.Line, key.Value, settingServer)
	}
	c.named[key.Value] = found
	return err
}

// eachPair goes through a mapping, each key of which is one of those known, unless that is nil. An empty value
// is an empty mapping.
func eachPair(mapping *yaml.Node, what string, known []string, do func(key, value *yaml.Node) error) error {
	if mapping.Kind == yaml.ScalarNode && mapping.ShortTag() == "!!null" {
		return nil
	}
	if mapping.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: %s: want lines of the form KEY: VALUE", mapping.Line, what)
	}
	seen := make(map[string]bool)
	for i := 0; i < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode:
			return fmt.Errorf("line %d: %s: want lines of the form KEY: VALUE", key.Line, what)
		case seen[key.Value]:
			return fmt.Errorf("line %d: %s says %q a second time; want it once", key.Line, what, key.Value)
		case known != nil && !slices.Contains(known, key.Value):
			return fmt.Errorf("line %d: %s: there is no %q; want %s", key.Line, what, key.Value, strings.Join(known, ", ")+meant(key.Value, known))
		}
		seen[key.Value] = true
		if err := do(key, value); err != nil {
			return err
		}
	}
	return nil
}

func plainValue(key, value *yaml.Node) (string, error) {
	if value.Kind != yaml.ScalarNode {
		return "", fmt.Errorf("line %d: %s has no single value; want one", key.Line, key.Value)
	}
	if value.ShortTag() == "!!null" {
		return "", nil
	}
	return value.Value, nil
}

// checkContextName refuses what would be taken for a flag or could not be read on a terminal.
func checkContextName(name string) error {
	unfit := func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }
	if name == "" || len(name) > contextNameLimit || name[0] == '-' || !utf8.ValidString(name) || strings.IndexFunc(name, unfit) >= 0 {
		return fmt.Errorf("a context cannot be named %q; want up to %d printable bytes without spaces, the first no -", name, contextNameLimit)
	}
	return nil
}

// names are those of all contexts, in order.
func (c *contexts) names() []string { return slices.Sorted(maps.Keys(c.named)) }

// has refuses a name that no context has.
func (c *contexts) has(name string) error {
	if c.named[name] != nil {
		return nil
	}
	if len(c.named) == 0 {
		return fmt.Errorf("there is no context %q, nor any other; want `lockctl context set NAME --server ADDR` first", name)
	}
	return fmt.Errorf("there is no context %q; want one of %s%s", name, strings.Join(c.names(), ", "), meant(name, c.names()))
}
