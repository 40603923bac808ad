package redlock

import (
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redlock/ballot"
	"github.com/lockd/lockd/test/redisproc"
)

// A1, A2: an execution that failed is overtaken, on another connection to the node, by the next one for the same caller,
// which is granted. When its copy arrives after all, and then what undoes it, the grant stands: others may have counted it.
func TestALateCopyDoesNotTakeTheNextExecutionsTag(t *testing.T) {
	s := opening(t, redisproc.SharedNodes(t, 3), callTimeout)
	a := leaseOf("job")
	until := time.Now().Add(20 * time.Second)
	execution := func(flags string) (lease.Acquisition, ask) {
		as := a
		as.Tag = s.executed(a.Tag)
		asked, err := acquiring(as, flags, wants{}, until)
		if err != nil {
			t.Fatal(err)
		}
		return as, asked
	}
	for _, flags := range []string{"", "G"} { // FREE or held elsewhere, and so tried again
		failed, late := execution(flags)
		_, next := execution("G")
		if said, _ := s.asks(t, 0, next); said.Kind != ballot.Stands || !said.Fresh {
			t.Fatalf("the next execution = %+v, want a grant", said)
		}
		if said, _ := s.asks(t, 0, late); said.Kind != ballot.Stands {
			t.Fatalf("the late copy = %+v, want what stands", said)
		}
		_, undone := s.asks(t, 0, undoing(lease.Undoing{Name: a.Name, ID: a.ID, Tag: failed.Tag}, a.TTL))
		if v := s.at(t, 0, "job"); undone.Kind() != "NONE" || v == nil {
			t.Fatalf("UNDO of the late copy = %v, and %+v stands, want NONE and the grant", undone, v)
		}
		// Nobody but the caller's own undo, or a release, ends it.
		if _, undone = s.asks(t, 0, undoing(lease.Undoing{Name: a.Name, ID: a.ID, Tag: a.Tag}, a.TTL)); undone.Kind() != "UNDONE" {
			t.Fatalf("UNDO of all executions = %v, want UNDONE", undone)
		}
	}
}
