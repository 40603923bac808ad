package child

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if !Main(map[string]Role{"echo": echo}) {
		os.Exit(m.Run())
	}
}

// echo tells what it was ordered and when it was to work.
func echo(order []byte, await Await) (any, error) {
	if string(order) == `"fail"` {
		return nil, os.ErrInvalid
	}
	w, err := await()
	return []string{string(order), strconv.FormatInt(w.To, 10)}, err
}

// A child is told its order, then its window, and what it returns comes back.
func TestChild(t *testing.T) {
	p, err := Start("echo", 42)
	if err != nil {
		t.Fatal(err)
	}
	defer p.End()
	if err := p.Ready(); err != nil {
		t.Fatal(err)
	}
	w := NewWindow(time.Millisecond, time.Millisecond)
	if err := p.Tell(w); err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := p.Result(&got); err != nil {
		t.Fatal(err)
	}
	if want := "42 " + strconv.FormatInt(w.To, 10); strings.Join(got, " ") != want {
		t.Errorf("the child told %q, want %q", got, want)
	}
}

// One that cannot prepare, or has no such role, does not become ready.
func TestChildFails(t *testing.T) {
	for role, order := range map[string]string{"echo": "fail", "nobody": ""} {
		p, err := Start(role, order)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Ready(); err == nil {
			t.Errorf("Ready() of %q ordered %q = nil, want an error", role, order)
		}
		p.End()
	}
}
