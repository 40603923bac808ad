package ballot

import "testing"

// What answers say, for short.
var (
	silent  = Answer{}
	refused = Answer{Kind: Refused}
)

func fresh(token int64) Answer { return Answer{Kind: Stands, Token: token, Fresh: true} }
func stood(token int64) Answer { return Answer{Kind: Stands, Token: token} }
func committed(token int64) Answer {
	return Answer{Kind: Stands, Token: token, Committed: true}
}

func TestGranted(t *testing.T) {
	for _, test := range []struct {
		name    string
		answers []Answer
		want    Verdict
		token   int64
	}{
		{"a whole quorum gave the same", []Answer{fresh(7), fresh(7), silent}, Decided, 7},
		{"the same, whatever else was given", []Answer{fresh(7), fresh(7), fresh(9)}, Decided, 7},
		{"merely granted by a quorum", []Answer{fresh(6), fresh(10), silent}, Commit2, 10},
		{"no quorum of five gave the same", []Answer{fresh(6), fresh(6), fresh(10), silent, silent}, Commit2, 10},
		{"one is no quorum", []Answer{fresh(7), silent, silent}, Open, 0},
		{"the silent may still decide", []Answer{fresh(7), refused, silent}, Open, 0},
		{"refused by a majority", []Answer{fresh(7), refused, refused}, Failed, 0},
		{"replayed, and committed by a quorum", []Answer{committed(7), committed(7), stood(9)}, Decided, 7},
		{"replayed, and not known to be committed", []Answer{stood(7), stood(7), silent}, Commit2, 7},
		{"replayed: what a quorum has stays", []Answer{stood(7), stood(7), stood(9)}, Commit2, 7},
		{"replayed, undecided", []Answer{committed(12), stood(10), silent}, Commit2, 12},
		{"committed by one is not decided", []Answer{committed(7), stood(7), refused}, Commit2, 7},
		{"the same, fresh and committed", []Answer{committed(7), fresh(7), silent}, Decided, 7},
	} {
		if got, token := Granted(test.answers); got != test.want || token != test.token {
			t.Errorf("%s: Granted = %d, %d, want %d, %d", test.name, got, token, test.want, test.token)
		}
	}
}

func TestCommitted(t *testing.T) {
	for _, test := range []struct {
		name    string
		answers []Answer
		want    Verdict
	}{
		{"a quorum did it", []Answer{committed(7), committed(7), silent}, Decided},
		{"another token is none of ours", []Answer{committed(7), committed(9), refused}, Failed},
		{"uncommitted does not count", []Answer{committed(7), stood(7), refused}, Failed},
		{"open", []Answer{committed(7), refused, silent}, Open},
	} {
		if got := Committed(test.answers, 7); got != test.want {
			t.Errorf("%s: Committed = %d, want %d", test.name, got, test.want)
		}
	}
}

func TestRenewed(t *testing.T) {
	for _, test := range []struct {
		name    string
		answers []Answer
		told    int64
		want    Verdict
		token   int64
	}{
		{"a quorum has it", []Answer{stood(7), stood(7), silent}, 0, Decided, 7},
		{"what a quorum has, not the largest", []Answer{stood(7), stood(7), stood(9)}, 0, Decided, 7},
		{"another token does not count", []Answer{stood(7), committed(9), refused}, 7, Failed, 7},
		{"uncommitted with another token: first commit", []Answer{stood(7), stood(5), refused}, 7, Commit2, 7},
		{"what was committed before what was given", []Answer{committed(7), stood(5), refused}, 0, Commit2, 7},
		{"a node that gave more is not brought down", []Answer{committed(7), stood(9), refused}, 0, Failed, 7},
		{"granted anew under the old id", []Answer{stood(9), stood(9), stood(9)}, 7, Failed, 7},
		{"lost", []Answer{refused, refused, stood(7)}, 0, Failed, 7},
		{"the silent may have it", []Answer{refused, silent, stood(7)}, 0, Open, 7},
		{"nobody answers", []Answer{silent, silent, silent}, 0, Open, 0},
	} {
		if got, token := Renewed(test.answers, test.told); got != test.want || token != test.token {
			t.Errorf("%s: Renewed = %d, %d, want %d, %d", test.name, got, token, test.want, test.token)
		}
	}
}

func TestStanding(t *testing.T) {
	for _, test := range []struct {
		name    string
		answers []Answer
		want    Verdict
	}{
		{"a quorum", []Answer{stood(7), committed(7), refused}, Decided},
		{"an orphan", []Answer{stood(7), refused, refused}, Failed},
		{"perhaps", []Answer{stood(7), silent, refused}, Open},
		{"two tokens", []Answer{stood(7), stood(9), refused}, Failed},
	} {
		if got, _ := Standing(test.answers); got != test.want {
			t.Errorf("%s: Standing = %d, want %d", test.name, got, test.want)
		}
	}
}

// The second round writes only where the very value stands that the first round reported, and raises the fence.
func TestCommitComparesTheWholeValue(t *testing.T) {
	reported := Value{ID: "x", Token: 6}
	for _, test := range []struct {
		name  string
		now   Value
		fence int64
		want  Value
		after int64
		did   bool
	}{
		{"stands", reported, 6, Value{"x", 10, true}, 10, true},
		{"the fence never goes back", reported, 12, Value{"x", 10, true}, 12, true},
		{"free", Value{}, 6, Value{}, 6, false},
		{"another's", Value{ID: "y", Token: 6}, 6, Value{ID: "y", Token: 6}, 6, false},
		{"granted anew to the same id", Value{ID: "x", Token: 8}, 8, Value{ID: "x", Token: 8}, 8, false},
	} {
		got, fence, did := Commit(test.now, reported, test.fence, 10)
		if got != test.want || fence != test.after || did != test.did {
			t.Errorf("%s: Commit = %v, %d, %t, want %v, %d, %t", test.name, got, fence, did, test.want, test.after, test.did)
		}
	}
}

func TestMayPlantOnlyWhereNothingHappened(t *testing.T) {
	if !MayPlant(Value{}, 6, 6, "run", "run") {
		t.Error("MayPlant(nothing happened) = false, want true")
	}
	for name, may := range map[string]bool{
		"held":        MayPlant(Value{ID: "y", Token: 6}, 6, 6, "run", "run"),
		"granted":     MayPlant(Value{}, 7, 6, "run", "run"),
		"another run": MayPlant(Value{}, 6, 6, "run", "before"),
	} {
		if may {
			t.Errorf("MayPlant(%s) = true, want false", name)
		}
	}
}

func TestProposalsGrow(t *testing.T) {
	for _, test := range [][4]int64{{100, 5, 7, 100}, {100, 100, 7, 101}, {100, 5, 200, 201}} {
		if got := Propose(test[0], test[1], test[2]); got != test[3] {
			t.Errorf("Propose(%v) = %d, want %d", test[:3], got, test[3])
		}
	}
	if got := Grant(9, 7); got != 10 {
		t.Errorf("Grant(9, 7) = %d, want 10", got)
	}
	if got := Grant(5, 7); got != 7 {
		t.Errorf("Grant(5, 7) = %d, want 7", got)
	}
}
