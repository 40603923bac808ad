// Package lockd_test holds the house in order: which room may import which (docs and the README's
// code have tests of their own in test/).
package lockd_test

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/lockd/lockd/"

// A room is a directory with everything below it that has no rule of its own.
type room struct {
	dir string
	may []string // import paths and what is below them, without module; the standard library always
	why string   // printed to whoever crosses the line
}

var (
	grpcAPI = []string{"google.golang.org/grpc", "google.golang.org/protobuf", "google.golang.org/genproto/googleapis/rpc"}
	testAid = []string{"github.com/prometheus/client_golang", "github.com/google/go-cmp", "github.com/rogpeppe/go-internal/testscript", "go.uber.org/goleak"}
)

// rooms is the floor plan. lockctl ─► clients/go ─► proto ◄─ rpc ─► lease ◄─ memstore, redisstore, redlock; cmd/lockd ─► all.
var rooms = []room{
	{"proto", grpcAPI, "the specification stands on nothing of ours"},
	{"internal/due", nil, "the order of times knows nothing of what has them: standard library only"},
	{"internal/lease", []string{"internal/due"}, "what a lease is knows neither wire nor database: standard library only"},
	{"internal/lease/leasetest", []string{"internal/lease", "github.com/google/go-cmp"}, "what a store means is said without knowing any store"},
	{"internal/line", []string{"internal/due", "internal/lease"}, "who stands in line is kept without knowing which store grants"},
	{"internal/memstore", []string{"internal/due", "internal/lease", "internal/line"}, "a store knows the contract, not how it is spoken and no other store"},
	{"internal/diagnosis", nil, "what is found out about a server is judged without asking it anything: standard library only"},
	{"internal/redisconn", []string{"internal/diagnosis", "internal/lease", "github.com/redis/go-redis/v9"}, "how one Redis is reached knows none of the stores that keep leases there"},
	{"internal/redisstore", []string{"internal/diagnosis", "internal/due", "internal/lease", "internal/redisconn", "github.com/redis/go-redis/v9"}, "a store knows the contract, not how it is spoken and no other store"},
	{"internal/redlock", []string{"internal/diagnosis", "internal/lease", "internal/line", "internal/redisconn", "internal/redlock/ballot", "github.com/redis/go-redis/v9", "github.com/go-redsync/redsync/v4"},
		"a store knows the contract, not how it is spoken and no other store"},
	{"internal/redlock/ballot", nil, "how answers become a token is decided without asking anybody: the model decides by the same lines"},
	{"internal/redlock/model", []string{"internal/redlock/ballot"}, "the model knows the rules and nothing that runs"},
	{"internal/metrics", []string{"internal/lease", "internal/redisconn", "github.com/prometheus/client_golang", "google.golang.org/grpc/codes"}, "what is counted is told by those who do it: it knows no store and no wire"},
	{"internal/audit", nil, "a record is kept of whatever it is told: standard library only"},
	{"internal/auth", []string{"internal/lease", "github.com/golang-jwt/jwt/v5", "go.yaml.in/yaml/v3"}, "who somebody is and may do is said without the wire, and without a store"},
	{"internal/rpc", with(grpcAPI, "internal/audit", "internal/auth", "internal/diagnosis", "internal/lease", "proto/lockd/v1", "go.uber.org/zap", "github.com/grpc-ecosystem/go-grpc-middleware/v2", "golang.org/x/net/http2"),
		"how it is spoken knows no store, or every store would have its own wire"},
	{"clients/go", with(grpcAPI, "proto/lockd/v1", "golang.org/x/sys"), "importers of the client get the wire and nothing of the server"},
	{"clients/go/fence", nil, "the check on the resource's side is for everybody: standard library only"},
	{"clients/go/lockdtest", with(grpcAPI, "clients/go", "proto/lockd/v1", "internal/lease", "internal/memstore", "internal/rpc", "go.uber.org/zap"),
		"the in-process server for users' tests: docs/decisions/0003-lockdtest-imports-internal-rooms.md"},
	{"cmd/lockd", with(grpcAPI, "internal/audit", "internal/auth", "internal/diagnosis", "internal/lease", "internal/memstore", "internal/metrics", "internal/redisconn", "internal/redisstore", "internal/redlock", "internal/rpc", "proto/lockd/v1", "go.uber.org/zap", "go.yaml.in/yaml/v3", "github.com/spf13/cobra", "github.com/spf13/pflag", "golang.org/x/sys"),
		"the server wires every room together and is no client"},
	{"cmd/lockctl", with(grpcAPI, "clients/go", "proto/lockd/v1", "github.com/spf13/cobra", "github.com/spf13/pflag", "go.yaml.in/yaml/v3", "golang.org/x/sys", "golang.org/x/term"),
		"the first user of the client: what it needs, others need too"},
	{"test", with(grpcAPI, "test", "clients/go", "proto/lockd/v1", "github.com/redis/go-redis/v9", "golang.org/x/net/http2", "golang.org/x/sys"),
		"test looks at whole processes from outside"},
	{"test/compose", []string{"github.com/compose-spec/compose-go/v2"}, "docker-compose.yml as Compose reads it: the reader's dependencies stay in this module"},
	{"bench", with(grpcAPI, "bench", "test", "clients/go", "proto/lockd/v1", "github.com/redis/go-redis/v9", "github.com/redis/rueidis", "github.com/go-redsync/redsync/v4", "github.com/bsm/redislock", "go.etcd.io/etcd/client/v3", "golang.org/x/sys"),
		"lockd beside its peers, seen from outside: their dependencies stay in this module"},
	{"examples", []string{"clients/go", "clients/go/fence", "clients/go/lockdtest", "modernc.org/sqlite"}, "an example uses what a user can use"},
	{"tools", nil, "a tool is no part of the product"},
}

// forTests is what a _test.go file may import beyond its room; nobody but tests imports test/.
var forTests = with(slices.Concat(grpcAPI, testAid), "test", "internal/lease/leasetest", "internal/memstore", "clients/go", "clients/go/lockdtest", "proto/lockd/v1",
	"github.com/redis/go-redis/v9", "go.uber.org/zap", "golang.org/x/sys", "go.yaml.in/yaml/v3")

func with(common []string, more ...string) []string { return slices.Concat(common, more) }

func TestImportsPointOneWay(t *testing.T) {
	for _, f := range sources(t) {
		if !strings.Contains(f.path, "/") {
			continue // this file's neighbours: tests of the whole
		}
		r := roomOf(f.path)
		if r == nil {
			t.Errorf("%s: no room of the floor plan; give it a rule in arch_test.go and a line in CONTRIBUTING.md", f.path)
			continue
		}
		for _, spec := range f.tree.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value) // it has been parsed
			ours := strings.TrimPrefix(imported, module)
			switch {
			case isStandard(imported), allowed(ours, r.may), f.isTest() && allowed(ours, forTests):
			case ours != imported && roomOf(ours) == r: // within the room
			default:
				t.Errorf("%s imports %s, which %s may not: %s", f.path, imported, r.dir, r.why)
			}
		}
	}
}

func TestFilesAreShort(t *testing.T) {
	const limit = 400
	for _, f := range sources(t) {
		if n := f.set.File(f.tree.Pos()).LineCount(); n > limit && !f.isTest() {
			t.Errorf("%s has %d lines, want at most %d: does it still hold one noun?", f.path, n, limit)
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	documented := make(map[string]bool)
	for _, f := range sources(t) {
		if dir := filepath.Dir(f.path); !f.isTest() {
			documented[dir] = documented[dir] || f.tree.Doc != nil
		}
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s has no package comment", dir)
		}
	}
}

// A room is named after its duty. These names are kinds: everything fits in, so everything goes in.
func TestRoomsAreDuties(t *testing.T) {
	kinds := []string{"util", "utils", "common", "helpers", "models", "types", "misc", "shared", "base", "core", "pkg"}
	for _, f := range sources(t) {
		for dir := range strings.SplitSeq(filepath.Dir(f.path), "/") {
			if slices.Contains(kinds, dir) {
				t.Errorf("%s: %q says a kind, want a duty", f.path, dir)
			}
		}
	}
}

// sleepers are the files in which time.Sleep is no waiting for something.
var sleepers = map[string]string{
	"clients/go/deadlinetest/pause_test.go": "how long a process is stopped is the fault itself",
}

func TestNoTestIsSkippedOrSleeps(t *testing.T) {
	all := sources(t)
	for _, f := range all {
		if !f.isTest() && !strings.HasPrefix(f.path, "test/") && !strings.Contains(f.path, "leasetest/") {
			continue
		}
		// In a synctest bubble a sleep takes no time and waits for everything else.
		bubble := slices.ContainsFunc(all, func(g source) bool {
			return filepath.Dir(g.path) == filepath.Dir(f.path) && g.imports("testing/synctest")
		})
		ast.Inspect(f.tree, func(n ast.Node) bool {
			call, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			at := f.set.Position(call.Pos())
			switch x, _ := call.X.(*ast.Ident); {
			case slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, call.Sel.Name):
				t.Errorf("%s:%d: %s: a test that cannot run fails and says what is missing", f.path, at.Line, call.Sel.Name)
			case x != nil && x.Name == "testing" && call.Sel.Name == "Short":
				t.Errorf("%s:%d: testing.Short: there is one set of tests", f.path, at.Line)
			case x != nil && x.Name == "time" && call.Sel.Name == "Sleep" && !bubble && sleepers[f.path] == "":
				t.Errorf("%s:%d: time.Sleep: wait for what happens, or use testing/synctest", f.path, at.Line)
			}
			return true
		})
	}
}

func TestNothingIsLeftForLater(t *testing.T) {
	for _, f := range sources(t) {
		for _, group := range f.tree.Comments {
			for _, word := range []string{"TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"} {
				if strings.Contains(group.Text(), word) {
					t.Errorf("%s:%d: %s: finish it, or write an issue", f.path, f.set.Position(group.Pos()).Line, word)
				}
			}
		}
	}
}

// source is a Go file of this repository, in whichever module, for whichever platform.
type source struct {
	path string // with slashes, from the root
	set  *token.FileSet
	tree *ast.File
}

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

func (s source) imports(path string) bool {
	return slices.ContainsFunc(s.tree.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == strconv.Quote(path) })
}

// sources parses every Go file but generated ones.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != "." && (strings.HasPrefix(entry.Name(), ".") || slices.Contains([]string{"bin", "dist", "testdata"}, entry.Name())) {
			return fs.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		s := source{path: filepath.ToSlash(path), set: token.NewFileSet()}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		s.tree, err = parser.ParseFile(s.set, path, text, parser.ParseComments)
		if err == nil && !ast.IsGenerated(s.tree) {
			all = append(all, s)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// roomOf finds the innermost room that path is in; nil if none.
func roomOf(path string) *room {
	var found []*room
	for i := range rooms {
		if under(path, rooms[i].dir) {
			found = append(found, &rooms[i])
		}
	}
	if len(found) == 0 {
		return nil
	}
	return slices.MaxFunc(found, func(a, b *room) int { return cmp.Compare(len(a.dir), len(b.dir)) })
}

func allowed(imported string, may []string) bool {
	return slices.ContainsFunc(may, func(path string) bool {
		// A room that may be imported does not bring the rooms within it that have rules of their own.
		if inner := roomOf(imported); inner != nil && inner.dir != path && under(inner.dir, path) {
			return false
		}
		return under(imported, path)
	})
}

func under(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// isStandard: the first element of every other import path has a dot.
func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}
