package redisstore

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockd/lockd/internal/lease"
)

// What is said for short is what JSON would say, in both directions, whatever the owner is.
func FuzzPayload(f *testing.F) {
	for _, owner := range []string{"", "tester", "a b", `"`, `\`, `"}`, `x","metadata":{"a":"b"}`, "\x00", "é", "\xff", "~", "\x7f", "<>&"} {
		f.Add(owner, "", "")
		f.Add(owner, owner, "")
		f.Add("x", owner, "v")
	}
	f.Fuzz(func(t *testing.T, owner, principal, value string) {
		var metadata map[string]string
		if value != "" {
			metadata = map[string]string{"k": value}
		}
		want, err := json.Marshal(payload{Owner: owner, Principal: principal, Metadata: metadata})
		if err != nil {
			t.Fatal(err)
		}
		text, err := encodePayload(lease.Acquisition{Owner: owner, Principal: principal, Metadata: metadata})
		var meant, said, short payload
		if err != nil || json.Unmarshal([]byte(text), &said) != nil || json.Unmarshal(want, &meant) != nil || short.decode(text) != nil {
			t.Fatalf("payload of %q, %q is %q, which cannot be read", owner, principal, text)
		}
		if diff := cmp.Diff(meant, said, cmp.AllowUnexported(payload{})); diff != "" {
			t.Errorf("encoded (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(meant, short, cmp.AllowUnexported(payload{})); diff != "" {
			t.Errorf("decoded (-want +got):\n%s", diff)
		}
	})
}
