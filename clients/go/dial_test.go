package lockd

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A list of addresses gets the default port; a gRPC target stays as it is. What is neither loopback
// nor a unix socket is remote.
func TestParseTarget(t *testing.T) {
	for _, test := range []struct {
		target    string
		addresses string // of a list
		remote    string
	}{
		{target: "localhost", addresses: "localhost:7420"},
		{target: "localhost:1", addresses: "localhost:1"},
		{target: ":1", addresses: "localhost:1"},
		{target: "127.0.0.9", addresses: "127.0.0.9:7420"},
		{target: "::1", addresses: "[::1]:7420"},
		{target: "[::1]", addresses: "[::1]:7420"},
		{target: "[::1]:1", addresses: "[::1]:1"},
		{target: "::ffff:127.0.0.1", addresses: "[::ffff:127.0.0.1]:7420"},
		{target: "localhost:1, 127.0.0.1:2", addresses: "localhost:1 127.0.0.1:2"},
		{target: "a.localhost:1", addresses: "a.localhost:1", remote: "a.localhost:1"}, // Go asks DNS for it
		{target: "10.0.0.1:2,localhost:1", addresses: "10.0.0.1:2 localhost:1", remote: "10.0.0.1:2"},
		{target: "localhost:1,10.0.0.1:2", addresses: "localhost:1 10.0.0.1:2", remote: "10.0.0.1:2"},
		{target: "0.0.0.0:1", addresses: "0.0.0.0:1", remote: "0.0.0.0:1"},
		{target: "lockd.internal", addresses: "lockd.internal:7420", remote: "lockd.internal:7420"},
		{target: "localhost.example.com:1", addresses: "localhost.example.com:1", remote: "localhost.example.com:1"},
		{target: "dns:7420", addresses: "dns:7420", remote: "dns:7420"}, // a host may be called so
		{target: "unix:///run/lockd.sock"},
		{target: "unix:run/lockd.sock"},
		{target: "unix-abstract:lockd"},
		{target: "dns:///localhost:1"},
		{target: "dns:localhost:1"},
		{target: "passthrough:///127.0.0.1:1"},
		{target: "dns:///lockd:1", remote: "lockd:1"},
		{target: "dns://8.8.8.8/lockd:1", remote: "lockd:1"},
	} {
		got, err := parseTarget(test.target)
		if err != nil {
			t.Errorf("parseTarget(%q) = %v", test.target, err)
			continue
		}
		var addresses []string
		for _, a := range got.addresses {
			addresses = append(addresses, a.Addr)
		}
		if d := cmp.Diff([]string{test.addresses, test.remote}, []string{strings.Join(addresses, " "), got.remote}); d != "" {
			t.Errorf("parseTarget(%q) (-want +got):\n%s", test.target, d)
		}
		if test.addresses == "" && got.grpc != test.target {
			t.Errorf("parseTarget(%q) goes to gRPC as %q, want unchanged", test.target, got.grpc)
		}
	}
}

// Dial refuses what cannot be meant, and says what would be right.
func TestDialRefuses(t *testing.T) {
	for target, want := range map[string]string{
		"":                      "want host:port",
		"localhost:1,":          "want host:port",
		"localhost:http":        "want 1 to 65535",
		"localhost:0":           "want 1 to 65535",
		"localhost:65536":       "want 1 to 65535",
		"a:b:1":                 "want host:port",
		"https://localhost:1":   `no scheme "https"`,
		"10.0.0.1:7420":         "WithInsecure",
		"localhost:1,lockd:2":   "WithInsecure",
		"dns:///lockd.internal": "WithInsecure",
	} {
		c, err := Dial(target)
		if err == nil {
			_ = c.Close()
			t.Errorf("Dial(%q) succeeded, want an error", target)
			continue
		}
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("Dial(%q) = %v, want ErrInvalid with %q", target, err, want)
		}
	}
	if _, err := Dial("localhost", WithUnavailableFor(0)); !errors.Is(err, ErrInvalid) {
		t.Errorf("Dial with WithUnavailableFor(0) = %v, want ErrInvalid", err)
	}
}

// WithInsecure allows plaintext anywhere; Dial does not wait for a connection.
func TestDialInsecure(t *testing.T) {
	begun := time.Now()
	c, err := Dial("192.0.2.1:7420", WithInsecure()) // an address nobody has
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if took := time.Since(begun); took > time.Second {
		t.Errorf("Dial took %s, want it not to wait", took)
	}
}

// Refused by every address, Acquire fails at once, saying where and why, and Close has nothing to wait
// for.
func TestRefusedByEveryAddress(t *testing.T) {
	c, err := Dial(refusing(t) + "," + refusing(t))
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	_, err = c.Acquire(t.Context(), "job")
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "refused") || !strings.Contains(err.Error(), c.target) {
		t.Errorf("Acquire = %v, want ErrUnavailable with the address and the refusal", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	if took := time.Since(begun); took > releaseFor/2 {
		t.Errorf("it took %s, want it at once", took)
	}
}

// refusing returns an address on loopback where nobody listens.
func refusing(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
