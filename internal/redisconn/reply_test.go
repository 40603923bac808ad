package redisconn

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A value alone is a reply of one field, and touches no other's.
func TestRepliesAreListsOrValuesAlone(t *testing.T) {
	list := []any{[]any{"HELD", int64(5)}, int64(7), "alone"}
	got := Replies(list)
	if diff := cmp.Diff([]Reply{{"HELD", int64(5)}, {int64(7)}, {"alone"}}, got); diff != "" {
		t.Errorf("Replies (-want +got):\n%s", diff)
	}
	if _ = append(got[1], "more"); list[2] != "alone" {
		t.Errorf("the reply after one that was added to is %v", list[2])
	}
}

// A field that is of another kind, or is not there, reads as nothing.
func TestAFieldOfAReply(t *testing.T) {
	r := Reply{"WORD", int64(1500), "9007199254740991", nil}
	for i, want := range []struct {
		text    string
		number  int64
		decimal int64
		millis  time.Duration
	}{{text: "WORD"}, {number: 1500, millis: 1500 * time.Millisecond}, {text: "9007199254740991", decimal: 9007199254740991}, {}, {}} {
		if r.Text(i) != want.text || r.Number(i) != want.number || r.Decimal(i) != want.decimal || r.Millis(i) != want.millis {
			t.Errorf("field %d is %q, %d, %d, %s; want %+v", i, r.Text(i), r.Number(i), r.Decimal(i), r.Millis(i), want)
		}
	}
	if got := r.Kind(); got != "WORD" {
		t.Errorf("kind %q, want WORD", got)
	}
	if got := (Reply{}).Kind(); got != "" {
		t.Errorf("kind of nothing %q, want none", got)
	}
}
