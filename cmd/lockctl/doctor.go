package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

const doctorHelp = `Doctor has the lockd that answers look at itself, at its store and at each server behind that, now, and prints
what it finds: how grave it is, what it endangers and how to mend it. It changes nothing.

  note      it costs something, or may surprise somebody
  warning   a failure, or time, is enough to break a promise
  critical  leases are not granted, or a promise does not hold, now

What could not be looked at is said as well: nothing is known of it. docs/doctor.md has every check.

It ends with 0 if nothing was found and with 78 if anything was, as far as --least asks for it.`

func newDoctor(to *server) *cobra.Command {
	var out output
	least := severity(lockdv1.Finding_NOTE)
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what endangers leases, and say how to mend it",
		Long:  doctorHelp,
		Example: `  lockctl doctor
  lockctl doctor --least warning -o json | jq -r '.findings[].check'`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().Var(&least, "least", "print and count only what is at least so grave: "+strings.Join(severities, ", "))
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("least", cobra.FixedCompletions(severities, cobra.ShellCompDirectiveNoFileComp))
	out.register(cmd, asTable, asJSON, asLines, asYAML)
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		var resp *lockdv1.DiagnoseResponse
		_, err := to.ask(cmd.Context(), func(ctx context.Context, conn grpc.ClientConnInterface, opts ...grpc.CallOption) (err error) {
			resp, err = lockdv1.NewAdminServiceClient(conn).Diagnose(ctx, &lockdv1.DiagnoseRequest{}, opts...)
			return err
		})
		if err != nil {
			return err
		}
		resp.Findings = slices.DeleteFunc(resp.GetFindings(), func(f *lockdv1.Finding) bool { return f.GetSeverity() < least.value() })
		err = out.print(cmd, diagnosisView(resp))
		if err == nil && len(resp.GetFindings()) > 0 {
			return &exitError{code: exitFound}
		}
		return err
	})
	return cmd
}

// severities are the values of --least, from the least grave on.
var severities = []string{"note", "warning", "critical"}

// severity is the value of --least.
type severity lockdv1.Finding_Severity

// Set implements pflag.Value.
func (s *severity) Set(name string) error {
	i := slices.Index(severities, name)
	if i < 0 {
		return fmt.Errorf("want one of %s", strings.Join(severities, ", "))
	}
	*s = severity(i) + severity(lockdv1.Finding_NOTE)
	return nil
}

// String implements pflag.Value.
func (s *severity) String() string { return nameOf(s.value()) }

// Type implements pflag.Value.
func (s *severity) Type() string { return "severity" }

func (s *severity) value() lockdv1.Finding_Severity { return lockdv1.Finding_Severity(*s) }

func nameOf(s lockdv1.Finding_Severity) string { return strings.ToLower(s.String()) }

// severityStyles are how findings stand out.
var severityStyles = map[lockdv1.Finding_Severity]style{
	lockdv1.Finding_WARNING:  warned,
	lockdv1.Finding_CRITICAL: bad,
}

// diagnosisView has a finding on three lines, the gravest first, and then what was not looked at.
func diagnosisView(resp *lockdv1.DiagnoseResponse) view {
	lines := make([]any, len(resp.GetFindings()))
	for i, f := range resp.GetFindings() {
		lines[i] = f
	}
	return view{value: resp, lines: lines, table: func(s *screen) error {
		for _, f := range resp.GetFindings() {
			what := fmt.Sprintf("%s: %s %s", plain(f.GetCheck()), plain(f.GetSubject()), plain(f.GetProblem()))
			if err := s.pairs([][2]cell{
				{{text: nameOf(f.GetSeverity())}, {text: what, style: severityStyles[f.GetSeverity()]}},
				{{text: "endangers"}, {text: plain(f.GetEndangers())}},
				{{text: "mend"}, {text: plain(f.GetRemedy())}},
			}); err != nil {
				return err
			}
			if err := s.printf("\n"); err != nil {
				return err
			}
		}
		if err := s.pairs(uncheckedRows(resp.GetUnchecked())); err != nil {
			return err
		}
		return s.printf("%s\n", summary(resp))
	}}
}

// uncheckedRows say what could not be looked at, a row for each reason.
func uncheckedRows(all []*lockdv1.Unchecked) (rows [][2]cell) {
	type reason struct{ subject, why string }
	var reasons []reason
	checks := make(map[reason][]string)
	for _, u := range all {
		r := reason{u.GetSubject(), u.GetWhy()}
		if checks[r] == nil {
			reasons = append(reasons, r)
		}
		checks[r] = append(checks[r], plain(u.GetCheck()))
	}
	for _, r := range reasons {
		rows = append(rows, [2]cell{{text: "not known"}, {text: fmt.Sprintf("%s: %s: %s", plain(r.subject), strings.Join(checks[r], ", "), plain(r.why))}})
	}
	return rows
}

// summary counts what was found.
func summary(resp *lockdv1.DiagnoseResponse) string {
	count := make(map[string]int)
	for _, f := range resp.GetFindings() {
		count[nameOf(f.GetSeverity())]++
	}
	var parts []string
	for _, name := range slices.Backward(severities) {
		if n := count[name]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, name))
		}
	}
	found := "nothing found"
	if len(parts) > 0 {
		found = "found: " + strings.Join(parts, ", ")
	}
	text := fmt.Sprintf("%s; %d checks made", found, resp.GetMade())
	if n := len(resp.GetUnchecked()); n > 0 {
		text += fmt.Sprintf(", %d could not be", n)
	}
	return text
}
