package metrics_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/metrics"
)

// classOf is the class under which a name is counted.
func classOf(t *testing.T, rules []string, name string) string {
	t.Helper()
	classes, err := metrics.ParseClasses(rules)
	if err != nil {
		t.Fatal(err)
	}
	m := metrics.New("", classes)
	m.Forced(name)
	h := m.Handler(metrics.Sources{Count: func() (int, int) { return 0, 0 }, Status: func() lease.Status { return lease.Status{} }})
	for line := range strings.Lines(shown(t, h)) {
		if class, found := strings.CutPrefix(line, "lockd_leases_forced_total{class=\""); found && strings.HasSuffix(line, "} 1\n") {
			return class[:strings.IndexByte(class, '"')]
		}
	}
	return ""
}

// The longest prefix counts, segment by segment, in whichever order the rules stand.
func TestTheLongestPrefixSaysTheClass(t *testing.T) {
	rules := []string{"a=one", "a/b/c=three", "a/b=two", "z=one", "q=other"}
	for name, want := range map[string]string{
		"a": "one", "a/x": "one", "ab": "other", "a/b": "two", "a/bb": "one", "a/b/c": "three", "a/b/c/d": "three", "z/1": "one", "q": "other", "": "other",
	} {
		if got := classOf(t, rules, name); got != want {
			t.Errorf("the class of %q is %q, want %q", name, got, want)
		}
	}
	if got := classOf(t, nil, "a"); got != metrics.Other {
		t.Errorf("without a table the class is %q, want %q", got, metrics.Other)
	}
}

// A table says what is wrong with it, and is bounded: each class costs whoever keeps the metrics.
func TestATableOfClassesIsChecked(t *testing.T) {
	many := func(n int, form string) (rules []string) {
		for i := range n {
			rules = append(rules, fmt.Sprintf(form, i))
		}
		return rules
	}
	for want, rules := range map[string][]string{
		"want PREFIX=CLASS":   {"orders"},
		"want 1 to 32 of a-z": {"orders=Orders!"},
		"which no name":       {"orders/=shop"},
		"whole segments":      {"=shop"},
		"twice":               {"a=x", "a=y"},
		"at most 20":          many(21, "p%[1]d=c%[1]d"),
		"at most 200":         many(201, "p%d=one"),
	} {
		if _, err := metrics.ParseClasses(rules); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseClasses(%.40q) = %v, want one that says %q", rules, err, want)
		}
	}
	if _, err := metrics.ParseClasses(append(many(20, "p%[1]d=c%[1]d"), "more=other")); err != nil {
		t.Errorf("ParseClasses of 20 classes and other = %v, want nil", err)
	}
}
