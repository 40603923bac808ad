package main

import "strings"

// classRules are the rules of a metrics class each, PREFIX=CLASS.
type classRules []string

// Set adds those of text. A comma ends a rule only where it has named its class: one in a prefix does not tear it apart.
func (c *classRules) Set(text string) error {
	begun := ""
	for part := range strings.SplitSeq(strings.TrimRight(text, ", \t\n"), ",") {
		if begun += part; strings.Contains(begun, "=") {
			*c = append(*c, strings.TrimSpace(begun))
			begun = ""
		} else {
			begun += ","
		}
	}
	if begun = strings.TrimRight(begun, ","); begun != "" {
		*c = append(*c, begun) // what is wrong with it is said where all is looked at
	}
	return nil
}

// String is what Set would take again.
func (c *classRules) String() string { return strings.Join(*c, ",") }

// Type implements pflag.Value.
func (c *classRules) Type() string { return "rules" }
