package many

import "testing"

// Name and owner are the user's; the rest of what Redis grew by is the lease's.
func TestPerLease(t *testing.T) {
	if got, want := perLease(1000*(200+int64(len("bench/many/0000000")+len("bench"))), 1000), int64(200); got != want {
		t.Errorf("perLease = %d, want %d", got, want)
	}
}

// Every lease is asked for once, under a name and an id of its own, and for as long as it can be.
func TestRequests(t *testing.T) {
	names, ids := make(map[string]bool), make(map[string]bool)
	for _, r := range requests(5, 105) {
		names[r.GetName()], ids[r.GetLeaseId()] = true, true
		if r.GetTtl().AsDuration() != held || r.GetAttempt() != 1 || r.GetWait() != nil {
			t.Errorf("request = %v, want a first attempt for %s that does not wait", r, held)
		}
	}
	if len(names) != 100 || len(ids) != 100 || !names[name(5)] || !names[name(104)] {
		t.Errorf("%d names and %d ids, want 100 of each, from the fifth on", len(names), len(ids))
	}
}
