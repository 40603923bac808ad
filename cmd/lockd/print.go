package main

import (
	"fmt"
	"io"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// print writes every setting as YAML that lockd reads, with where it was set. Passwords are hidden, and
// what is printed instead lockd refuses: it would be one more wrong password.
func (c config) print(w io.Writer) error {
	settings := &yaml.Node{Kind: yaml.MappingNode}
	new(config).flags().VisitAll(func(flag *pflag.Flag) {
		set, ok := c.values[flag.Name]
		if !ok {
			return // no setting
		}
		text := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: shownValue(flag.Name, set.text), LineComment: set.origin}
		switch flag.Value.Type() {
		case "bool", "int":
			text.Tag = "!!" + flag.Value.Type() // else it would be quoted
		}
		if text.Value != set.text {
			text.LineComment += "; the password is hidden"
		}
		settings.Content = append(settings.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: flag.Name}, text)
	})
	file := "no file is read"
	if c.File != "" {
		file = "the file is " + plain(c.File)
	}
	if _, err := fmt.Fprintf(w, "# What lockd would start with, and where each setting comes from; %s.\n", file); err != nil {
		return err
	}
	encoder := yaml.NewEncoder(w)
	if err := encoder.Encode(settings); err != nil {
		return err
	}
	return encoder.Close()
}

// shownValue is a setting's text as it may be shown.
func shownValue(setting, text string) string {
	switch setting {
	case "redis":
		return redacted(text)
	case "redlock":
		return redactedURLs(text)
	}
	return text
}
