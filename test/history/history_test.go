package history_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockd/lockd/test/history"
)

// What is written is read again, each record with one write, and what a kill cut short is left out.
func TestReadsWhatWasWritten(t *testing.T) {
	want := []history.Record{
		{Kind: history.Asked, Client: "a", Worker: 1, Name: "job", Call: 1},
		{Kind: history.Granted, Client: "a", Worker: 1, Name: "job", Call: 1, Return: 1 << 60, Token: 1<<53 - 1, Until: 9},
		{Kind: history.Released, Client: "a", Worker: 1, Name: "job", Call: 5, Return: 6, Token: 1<<53 - 1, Error: "late"},
	}
	path := filepath.Join(t.TempDir(), "a")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := history.NewWriter(f)
	for _, r := range want {
		w.Add(r)
	}
	if _, err := f.WriteString(`{"kind":"asked","client":"a`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := w.Err(); err != nil {
		t.Errorf("Err() = %v", err)
	}
	got, err := history.ReadFiles(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
}

func TestAWriterThatFailsSaysSo(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "a"))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	w := history.NewWriter(f)
	w.Add(history.Record{Kind: history.Asked})
	if w.Err() == nil {
		t.Error("Err() after a write to a closed file = nil")
	}
}

func TestALineThatIsNoRecordIsAnError(t *testing.T) {
	if _, err := history.Read(strings.NewReader("{}\nnonsense\n")); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("Read = %v, want an error that names line 2", err)
	}
}

// The clock goes on, and at the pace of time.
func TestNow(t *testing.T) {
	began, from := time.Now(), history.Now()
	for within := time.Now(); time.Since(within) < 2*time.Millisecond; {
	}
	to := history.Now()
	if outside := time.Since(began); to-from < int64(2*time.Millisecond) || to-from > int64(outside) {
		t.Errorf("Now went on by %s while %s passed", time.Duration(to-from), outside)
	}
}

// lease is what a well-behaved worker tells of one lease.
func lease(client string, token, asked, from, to int64) []history.Record {
	return []history.Record{
		{Kind: history.Asked, Client: client, Name: "job", Call: asked},
		{Kind: history.Granted, Client: client, Name: "job", Call: asked, Return: from, Token: token, Until: from + 1000},
		{Kind: history.Released, Client: client, Name: "job", Call: to, Token: token},
	}
}

func told(parts ...[]history.Record) (all []history.Record) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func one(r history.Record) []history.Record {
	if r.Name == "" && r.Client == "" {
		r.Name = "job"
	}
	return []history.Record{r}
}

func TestCheckExclusive(t *testing.T) {
	unreleased := func(client string, token, from, until int64) []history.Record {
		return lease(client, token, from-1, from, 0)[:2:2]
	}
	for name, c := range map[string]struct {
		records []history.Record
		wrong   string // "" for a history that is right
	}{
		"one after the other":    {told(lease("a", 1, 0, 10, 20), lease("b", 2, 0, 20, 30)), ""},
		"both at once":           {told(lease("a", 1, 0, 10, 20), lease("b", 2, 0, 19, 30)), "two holders"},
		"one within the other":   {told(lease("a", 1, 0, 10, 90), lease("b", 2, 0, 20, 30)), "two holders"},
		"within one before last": {told(lease("a", 1, 0, 10, 90), lease("b", 2, 0, 20, 30), lease("c", 3, 0, 40, 50)), "token 3"},
		"one token for two":      {told(lease("a", 1, 0, 10, 20), lease("b", 1, 0, 30, 40)), "one token"},
		"one token twice":        {told(lease("a", 1, 0, 10, 20), lease("a", 1, 21, 30, 40)), "one token"},
		"other names do not matter": {told(lease("a", 1, 0, 10, 20),
			[]history.Record{{Kind: history.Granted, Client: "b", Name: "other", Call: 0, Return: 15, Token: 1}}), ""},
		"killed, and another has it before the deadline": {told(
			unreleased("a", 1, 10, 1010), one(history.Record{Kind: history.Killed, Client: "a", Call: 500}), lease("b", 2, 0, 400, 450)), "two holders"},
		"killed, and another has it after": {told(
			unreleased("a", 1, 10, 1010), one(history.Record{Kind: history.Killed, Client: "a", Call: 500}), lease("b", 2, 0, 501, 550)), ""},
		"killed after the deadline": {told(
			unreleased("a", 1, 10, 1010), one(history.Record{Kind: history.Killed, Client: "a", Call: 5000}), lease("b", 2, 0, 1011, 1020)), ""},
		"lost, and another had it at the last look": {told(
			unreleased("a", 1, 10, 1010), one(history.Record{Kind: history.Holding, Client: "a", Name: "job", Token: 1, Call: 70}),
			one(history.Record{Kind: history.Lost, Client: "a", Name: "job", Token: 1, Call: 90}), lease("b", 2, 0, 60, 100)), "two holders"},
		"lost, and another had it after the last look": {told(
			unreleased("a", 1, 10, 1010), one(history.Record{Kind: history.Holding, Client: "a", Name: "job", Token: 1, Call: 70}),
			one(history.Record{Kind: history.Lost, Client: "a", Name: "job", Token: 1, Call: 90}), lease("b", 2, 0, 80, 100)), ""},
		"forced": {told(lease("a", 1, 0, 10, 90), one(history.Record{Kind: history.Forced, Token: 1, Call: 30, Return: 31}), lease("b", 2, 0, 30, 40)), ""},
	} {
		t.Run(name, func(t *testing.T) { want(t, history.CheckExclusive(history.Holds(c.records)), c.wrong) })
	}
}

func TestCheckTokens(t *testing.T) {
	for name, c := range map[string]struct {
		records []history.Record
		wrong   string
	}{
		"in order":                            {told(lease("a", 1, 0, 10, 20), lease("b", 2, 15, 25, 30)), ""},
		"smaller, asked for after the grant":  {told(lease("a", 2, 0, 10, 20), lease("b", 1, 15, 25, 30)), "granted before"},
		"equal, asked for after the grant":    {told(lease("a", 2, 0, 10, 20), lease("b", 2, 15, 25, 30)), "granted before"},
		"smaller, asked for before the grant": {told(lease("a", 2, 0, 10, 20), lease("b", 1, 9, 25, 30)), ""},
		"smaller than one long ago":           {told(lease("a", 9, 0, 10, 20), lease("b", 3, 5, 25, 30), lease("c", 4, 40, 45, 50)), "token 9"},
	} {
		t.Run(name, func(t *testing.T) { want(t, history.CheckTokens(history.Holds(c.records)), c.wrong) })
	}
}

func TestLongestStall(t *testing.T) {
	asked := func(client string, at int64) []history.Record {
		return []history.Record{{Kind: history.Asked, Client: client, Name: "job", Call: at}}
	}
	for name, c := range map[string]struct {
		records []history.Record
		want    time.Duration
	}{
		"nobody waits":                 {told(lease("a", 1, 0, 0, 20), lease("b", 2, 500, 500, 520)), 0},
		"one waits while it is free":   {told(lease("a", 1, 0, 0, 20), lease("b", 2, 100, 500, 520)), 400},
		"two in turn wait":             {told(lease("a", 1, 0, 0, 20), lease("b", 2, 300, 500, 520), asked("c", 100), one(history.Record{Kind: history.Refused, Client: "c", Name: "job", Call: 100, Return: 350})), 400},
		"who waits is killed":          {told(lease("a", 1, 0, 0, 20), asked("b", 100), one(history.Record{Kind: history.Killed, Client: "b", Call: 130}), lease("c", 2, 900, 900, 950)), 30},
		"never granted":                {told(lease("a", 1, 0, 0, 20), asked("b", 100), one(history.Record{Kind: history.Killed, Client: "z", Call: 700})), 600},
		"the holder is killed":         {told(lease("a", 1, 0, 0, 20)[:2], one(history.Record{Kind: history.Killed, Client: "a", Call: 10}), lease("b", 2, 5, 310, 320)), 300},
		"the store is away meanwhile":  {told(lease("a", 1, 0, 0, 20), lease("b", 2, 100, 500, 520), one(history.Record{Kind: history.Down, Client: "redis", Call: 50, Return: 350})), 150},
		"another name is given away":   {told(lease("a", 1, 0, 0, 20), lease("b", 2, 100, 500, 520), []history.Record{{Kind: history.Granted, Client: "c", Name: "other", Call: 0, Return: 300, Token: 7}}), 400},
		"one held all the time is not": {told(lease("a", 1, 0, 0, 900), lease("b", 2, 100, 900, 920)), 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := history.LongestStall(c.records, "job").Length(); got != c.want {
				t.Errorf("longest stall = %d ns, want %d", got, c.want)
			}
		})
	}
}

// want fails the test unless a complaint contains text, or there is none for "".
func want(t *testing.T, wrong []error, text string) {
	t.Helper()
	if all := fmt.Sprint(wrong); (text == "") != (len(wrong) == 0) || !strings.Contains(all, text) {
		t.Errorf("found %v, want %q", wrong, text)
	}
}
