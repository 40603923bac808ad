package pages

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const prometheus = root + "/deploy/prometheus"

// alert is a rule of deploy/prometheus/lockd.rules.yml.
type alert struct {
	Alert       string
	Expr        string
	Labels      map[string]string
	Annotations map[string]string
}

func alerts(t *testing.T) (all []alert) {
	t.Helper()
	var file struct{ Groups []struct{ Rules []alert } }
	if err := yaml.Unmarshal([]byte(read(t, prometheus+"/lockd.rules.yml")), &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) < 10 {
		t.Fatalf("found %d alerts, want 10 or more", len(all))
	}
	return all
}

// The rules are valid, and each alert fires when its cause is there and is silent when it nearly is.
func TestPromtoolPasses(t *testing.T) {
	for _, args := range [][]string{{"check", "rules", "lockd.rules.yml"}, {"test", "rules", "lockd.test.yml"}} {
		cmd := exec.CommandContext(bounded(t), "promtool", args...)
		cmd.Dir = prometheus
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v (tools/need promtool installs it)\n%s", args, err, out)
		}
	}
}

// Each alert has a test in which it fires and one in which it does not, a severity, and a page that says what it means.
func TestEveryAlertIsTestedAndExplained(t *testing.T) {
	var file struct {
		Tests []struct {
			Cases []struct {
				Name string      `yaml:"alertname"`
				Want []yaml.Node `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, prometheus+"/lockd.test.yml")), &file); err != nil {
		t.Fatal(err)
	}
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		for _, c := range test.Cases {
			if len(c.Want) > 0 {
				fires[c.Name] = true
			} else {
				silent[c.Name] = true
			}
		}
	}
	page := read(t, root+"/docs/alerts.md")
	for _, a := range alerts(t) {
		if !fires[a.Alert] || !silent[a.Alert] {
			t.Errorf("lockd.test.yml has %s fire %t and be silent %t, want both", a.Alert, fires[a.Alert], silent[a.Alert])
		}
		if !slices.Contains([]string{"critical", "warning"}, a.Labels["severity"]) || a.Annotations["summary"] == "" {
			t.Errorf("%s has the severity %q and the summary %q", a.Alert, a.Labels["severity"], a.Annotations["summary"])
		}
		if want := "/docs/alerts.md#" + strings.ToLower(a.Alert); !strings.HasSuffix(a.Annotations["runbook_url"], want) || !strings.Contains(page, "\n## "+a.Alert+"\n") {
			t.Errorf("%s leads to %q, want a section of its own at %s", a.Alert, a.Annotations["runbook_url"], want)
		}
	}
	for _, section := range regexp.MustCompile(`(?m)^## (\w+)$`).FindAllStringSubmatch(page, -1) {
		if !slices.ContainsFunc(alerts(t), func(a alert) bool { return a.Alert == section[1] }) {
			t.Errorf("docs/alerts.md explains %s, which is no alert", section[1])
		}
	}
}

// Rules and dashboard use metrics that there are; that docs/metrics.md has just those is tested beside the metrics.
func TestRulesAndDashboardUseMetricsThatThereAre(t *testing.T) {
	kinds := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(lockd_\\w+)` \\| (\\w+) \\|").FindAllStringSubmatch(read(t, root+"/docs/metrics.md"), -1) {
		kinds[m[1]] = m[2]
	}
	dashboard := read(t, root+"/deploy/grafana/lockd.json")
	if !json.Valid([]byte(dashboard)) {
		t.Fatal("the dashboard is no JSON")
	}
	for page, text := range map[string]string{"the dashboard": dashboard, "the rules": read(t, prometheus+"/lockd.rules.yml")} {
		used := regexp.MustCompile(`\blockd_\w+`).FindAllString(text, -1)
		if len(used) < 10 {
			t.Errorf("%s uses %q only", page, used)
		}
		for _, name := range used {
			base := regexp.MustCompile(`_(bucket|count|sum)$`).ReplaceAllString(name, "")
			if kinds[name] == "" && kinds[base] != "histogram" || kinds[name] == "histogram" {
				t.Errorf("%s uses %s, which docs/metrics.md does not have", page, name)
			}
		}
	}
}

// A link into a page leads to one of its sections.
func TestAlertsLeadToSections(t *testing.T) {
	for _, name := range []string{"alerts.md", "metrics.md"} {
		for _, link := range regexp.MustCompile(`\]\(([^)#:]*)#([^)]+)\)`).FindAllStringSubmatch(read(t, filepath.Join(root, "docs", name)), -1) {
			to := link[1]
			if to == "" {
				to = name
			}
			sections := map[string]bool{}
			for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(read(t, filepath.Join(root, "docs", to)), -1) {
				plain := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(heading[1]), "")
				sections[strings.ReplaceAll(plain, " ", "-")] = true
			}
			if !sections[link[2]] {
				t.Errorf("docs/%s links to %s#%s, which has no such section", name, to, link[2])
			}
		}
	}
}
