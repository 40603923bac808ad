package auth

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// reader reads YAML by its nodes, so that whatever is wrong has a line, and notes everything that is.
type reader struct{ wrong []error }

func (in *reader) add(n *yaml.Node, format string, args ...any) {
	in.wrong = append(in.wrong, fmt.Errorf("line %d: %s", n.Line, fmt.Sprintf(format, args...)))
}

// pairs hands each value of a mapping to whom its key names, and takes no other key, none twice.
func (in *reader) pairs(n *yaml.Node, what string, to map[string]func(*yaml.Node)) {
	var keys []string
	for key := range to {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	if n.Kind != yaml.MappingNode {
		in.add(n, "%s is no mapping; want %q as its keys", what, keys)
		return
	}
	seen := make(map[string]bool)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		take := to[key.Value]
		switch {
		case take == nil:
			in.add(key, "%s has no %q; want %q", what, key.Value, keys)
		case seen[key.Value]:
			in.add(key, "%q is there twice; want it once", key.Value)
		default:
			take(value)
		}
		seen[key.Value] = true
	}
}

// items answers what is in a list.
func (in *reader) items(n *yaml.Node, what string) []*yaml.Node {
	if n.Kind != yaml.SequenceNode {
		in.add(n, "%s is no list; want lines that begin with -", what)
		return nil
	}
	return n.Content
}

// texts answers the texts of a list, or of one that stands alone.
func (in *reader) texts(n *yaml.Node, what string) []*yaml.Node {
	list := []*yaml.Node{n}
	if n.Kind != yaml.ScalarNode {
		list = in.items(n, what)
	}
	for _, item := range list {
		if item.Kind != yaml.ScalarNode || item.ShortTag() == "!!null" || item.Value == "" {
			in.add(item, "%s has something else than text in it; want text", what)
			return nil
		}
	}
	return list
}
