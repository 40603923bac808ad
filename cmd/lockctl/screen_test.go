package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/clients/go/lockdtest"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// on is what show shows on a screen so wide.
func on(t *testing.T, columns int, show func(*screen) error) string {
	t.Helper()
	var text strings.Builder
	if err := show(&screen{w: &text, columns: columns}); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// Where there is no room times become ages, then owners are cut, and names and tokens stay whole.
func TestTablesFitTheScreen(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	since := timestamppb.New(now.Add(-3*time.Hour - 5*time.Minute))
	leases := []inForce{
		{lease: &lockdv1.Lease{Name: "orders/42", Token: 1763704923123456, Owner: "me", Since: since, TtlLeft: durationpb.New(29 * time.Second)}},
		{lease: &lockdv1.Lease{Name: "a/name/of/thirty-one/characters", Token: 1763704923123457, Owner: "somebody@some-host.example.org:12345", Since: since}},
	}
	for columns, want := range map[int]string{
		0: `NAME                             TOKEN             SINCE                 LEFT  OWNER
orders/42                        1763704923123456  2026-01-02T08:55:00Z  29s   me
a/name/of/thirty-one/characters  1763704923123457  2026-01-02T08:55:00Z  0s    somebody@some-host.example.org:12345
`,
		100: `NAME                             TOKEN             SINCE  LEFT  OWNER
orders/42                        1763704923123456  3h     29s   me
a/name/of/thirty-one/characters  1763704923123457  3h     0s    somebody@some-host.example.org:12345
`,
		80: `NAME                             TOKEN             SINCE  LEFT  OWNER
orders/42                        1763704923123456  3h     29s   me
a/name/of/thirty-one/characters  1763704923123457  3h     0s    somebody@some-…
`,
		40: `NAME                             TOKEN             SINCE  LEFT  OWNER
orders/42                        1763704923123456  3h     29s   me
a/name/of/thirty-one/characters  1763704923123457  3h     0s    somebody@some-…
`,
	} {
		if got := on(t, columns, leasesView(leases, false, now).table); got != want {
			t.Errorf("on %d columns:\n%swant\n%s", columns, got, want)
		}
	}
	pairs := func(s *screen) error {
		return s.pairs([][2]cell{{{text: "warning"}, {text: "a text of many words that does not fit"}}, {{text: "x"}, {text: "ONE-LONG-WORD-THAT-STAYS-WHOLE"}}})
	}
	if got, want := on(t, 30, pairs), "warning  a text of many words\n         that does not fit\nx        ONE-LONG-WORD-THAT-STAYS-WHOLE\n"; got != want {
		t.Errorf("on 30 columns:\n%swant\n%s", got, want)
	}
}

func TestWatchFitsTheScreen(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	event := &lockdv1.Event{Kind: lockdv1.Event_ACQUIRED, Name: "orders/42", Token: 1763704923123456, Owner: "me@host:1", At: timestamppb.New(now), Ticket: 7}
	show := func(s *screen) error {
		titles := eventColumns(s.columns)
		return s.printf("%s%s", s.line(titles, headings(titles)), s.line(titles, eventCells(event, now)))
	}
	want := `TIME      EVENT     NAME              TOKEN             OWNER             DETAIL
03:04:05  acquired  orders/42         1763704923123456  me@host:1         ticket 7
`
	if got := on(t, 80, show); got != want {
		t.Errorf("on 80 columns:\n%swant\n%s", got, want)
	}
}

// Whatever prints data prints it in every format, with the same fields in each.
func TestEveryFormatSaysTheSame(t *testing.T) {
	server := lockdtest.Start(t)
	client := server.Client(t)
	acquire := func(name string) *lockd.Lease {
		lease, err := client.Acquire(t.Context(), name, lockd.WithoutKeepalive(), lockd.WithMetadata(map[string]string{"k": "v"}))
		if err != nil {
			t.Fatal(err)
		}
		return lease
	}
	acquire("shown")
	t.Setenv(variableID, acquire("renewed").ID())
	config := filepath.Join(t.TempDir(), "lockctl.yaml")
	t.Setenv(configVariable, config)
	if code, _, text := here(t, "localhost:1", "context", "set", "a"); code != exitOK {
		t.Fatal(text)
	}
	commands := map[string]func() []string{
		"ls": nil, "get shown": nil, "status": nil, "version": nil, "renew renewed": nil, "context ls": nil, "context show": nil,
		"acquire": func() []string { return []string{"acquire", fmt.Sprint(time.Now().UnixNano())} },
		"request-release": func() []string {
			name := fmt.Sprint("asked/", time.Now().UnixNano()) // nothing frees it
			return []string{"request-release", name, "--reason", "test", "--token", fmt.Sprint(acquire(name).Token())}
		},
		"force-release": func() []string {
			return []string{"force-release", "forced", "--reason", "test", "--token", fmt.Sprint(acquire("forced").Token())}
		},
	}
	lists := map[string]string{"ls": ".leases", "context ls": ".contexts"} // what json has the lines in
	page, err := os.ReadFile("../../docs/lockctl.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, command := range commands {
		if command == nil {
			command = func() []string { return strings.Fields(name) }
		}
		fields := make(map[string][]string)
		for _, format := range []string{asTable, asJSON, asLines, asYAML} {
			code, out, text := here(t, server.Addr(), append(command(), "-o", format)...)
			if code != exitOK || out == "" {
				t.Errorf("lockctl %s -o %s: %d, %q, %s", name, format, code, out, text)
			}
			if format != asTable {
				fields[format] = fieldsOf(t, out, format)
			}
		}
		for _, field := range fields[asJSON] {
			path, _, _ := strings.Cut(field, " ")
			parts := strings.Split(path, ".")[1:]
			if last := parts[len(parts)-1]; parts[0] != "store" && last != "k" && !strings.Contains(string(page), "`"+last+"`") {
				t.Errorf("docs/lockctl.md does not say that lockctl %s prints %s", name, last)
			}
		}
		if diff := cmp.Diff(fields[asJSON], fields[asYAML]); diff != "" {
			t.Errorf("lockctl %s: -o json and -o yaml have other fields:\n%s", name, diff)
		}
		for i, field := range fields[asLines] {
			fields[asLines][i] = lists[name] + field
		}
		if diff := cmp.Diff(fields[asJSON], fields[asLines]); diff != "" {
			t.Errorf("lockctl %s: -o json and -o jsonl have other fields:\n%s", name, diff)
		}
	}
}

// fieldsOf are the paths of all values in a text.
func fieldsOf(t *testing.T, text, format string) []string {
	t.Helper()
	found := make(map[string]bool)
	var walk func(path string, value any)
	walk = func(path string, value any) {
		switch value := value.(type) {
		case map[string]any:
			for key, below := range value {
				walk(path+"."+key, below)
			}
		case []any:
			for _, below := range value {
				walk(path, below)
			}
		case int: // what YAML makes of a number is a float64 in JSON
			found[path+" float64"] = true
		default:
			found[path+" "+fmt.Sprintf("%T", value)] = true
		}
	}
	in := func(into any) error { return json.Unmarshal([]byte(text), into) }
	switch format {
	case asYAML:
		in = func(into any) error { return yaml.Unmarshal([]byte(text), into) }
	case asLines:
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n") // of things that have the same fields
		in = func(into any) error { return json.Unmarshal([]byte("["+strings.Join(lines, ",")+"]"), into) }
	}
	var value any
	if err := in(&value); err != nil {
		t.Fatalf("-o %s: %v\n%s", format, err, text)
	}
	walk("", value)
	return slices.Sorted(maps.Keys(found))
}

// Whoever asks for help gets examples, and every format wherever there is a choice of them.
func TestEveryCommandExplainsItself(t *testing.T) {
	t.Parallel()
	n := 0
	eachCommand(newRoot(), func(cmd *cobra.Command) {
		n++
		if cmd.Short == "" || cmd.Long == "" || !strings.Contains(cmd.Example, "lockctl ") {
			t.Errorf("%s has no description or no example", cmd.CommandPath())
		}
		if flag := cmd.Flags().Lookup("output"); flag != nil && !strings.Contains(flag.Usage, "table, json, jsonl, yaml") {
			t.Errorf("%s -o: %s, want all formats", cmd.CommandPath(), flag.Usage)
		}
	})
	if n < 15 {
		t.Errorf("there are %d commands, want all of them", n)
	}
}
