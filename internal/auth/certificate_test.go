package auth

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lockd/lockd/test/certs"
)

func leaf(t *testing.T, p certs.Pair) []*x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(p.Cert)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return []*x509.Certificate{cert}
}

// Who a certificate is, and what makes it nobody's.
func TestCertificates(t *testing.T) {
	by, other := certs.New(t), certs.New(t)
	server := by.Sign(t, "lockd")
	ca := put(t, "ca", string(contents(t, by.CA)))
	g := open(t, Settings{Cert: server.Cert, Key: server.Key, ClientCA: ca, Policy: put(t, "policy", everything)})
	show := func(by *certs.Authority, opts ...certs.Option) Shown {
		return Shown{Certificates: leaf(t, by.Sign(t, "token:ci", opts...))}
	}
	now := time.Now()
	wantWho(t, g, show(by, certs.Named("spiffe://acme/ci")), "cert:spiffe://acme/ci")
	wantWho(t, g, show(by, certs.Named("spiffe://acme/ci", "ci.internal", "ci")), "cert:spiffe://acme/ci")
	wantWho(t, g, show(by, certs.Named("ci.internal")), "cert:ci.internal")
	wantNobody(t, g, show(by, certs.Named()), "no URI name and 0 DNS names")
	wantNobody(t, g, show(by, certs.Named("a", "b")), "2 DNS names")
	wantNobody(t, g, show(by, certs.Named("spiffe://acme/a", "spiffe://acme/b")), "2 URI names")
	wantNobody(t, g, show(by, certs.Named("*.internal")), "wildcard")
	wantNobody(t, g, show(other, certs.Named("spiffe://acme/ci")), "no authority that is trusted here")
	wantNobody(t, g, show(by, certs.Named("ci"), certs.Between(now.Add(-time.Hour), now.Add(-time.Minute))), "expired on")
	wantNobody(t, g, show(by, certs.Named("ci"), certs.Between(now.Add(time.Hour), now.Add(2*time.Hour))), "not valid before")
	wantNobody(t, g, show(by, certs.Named("ci"), certs.For(x509.ExtKeyUsageServerAuth)), "not for clients")
	wantNobody(t, g, Shown{}, "want a client certificate")
	wantNobody(t, g, Shown{Certificates: leaf(t, by.Sign(t, "x", certs.Named("ci"))), Authorization: []string{"Bearer x"}}, "not known")

	for because, names := range map[string]certs.Option{
		"'s DNS name is none":        func(c *x509.Certificate) { c.DNSNames = []string{"spiffe://acme/ci"} },
		"DNS name is none; want one": func(c *x509.Certificate) { c.DNSNames = []string{""} },
		"'s URI name has no scheme":  func(c *x509.Certificate) { c.URIs = []*url.URL{{Path: "ci.internal"}} },
		"URI name has no scheme":     func(c *x509.Certificate) { c.URIs = []*url.URL{{}} },
	} {
		wantNobody(t, g, show(by, certs.Named(), names), because)
	}

	// On a connection that stands, its time and its authority run out.
	c := g.Caller(show(by, certs.Named("spiffe://acme/ci")))
	if _, err := c.May(Force, "a", now); err != nil {
		t.Fatal(err)
	}
	if _, err := c.May(Force, "a", now.Add(2*time.Hour)); !errors.As(err, new(*UnauthenticatedError)) {
		t.Errorf("after its certificate has run out: %v, want nobody", err)
	}
	if _, err := c.May(Force, "a", now); err != nil {
		t.Fatal(err)
	}
	if err := rewrite(t, g, ca, string(contents(t, other.CA))); err != nil {
		t.Fatal(err)
	}
	if _, err := c.May(Force, "a", now); !errors.As(err, new(*UnauthenticatedError)) {
		t.Errorf("after its authority has been taken away: %v, want nobody", err)
	}
}

// A certificate is good no longer than who signed it.
func TestACertificateEndsWithItsAuthority(t *testing.T) {
	now := time.Now()
	by := certs.New(t, certs.Between(now.Add(-time.Minute), now.Add(10*time.Minute)))
	server := by.Sign(t, "lockd")
	g := open(t, Settings{Cert: server.Cert, Key: server.Key, ClientCA: by.CA, Policy: put(t, "policy", everything)})
	c := g.Caller(Shown{Certificates: leaf(t, by.Sign(t, "x", certs.Named("spiffe://acme/ci")))})
	if _, err := c.Check(now); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Check(now.Add(11 * time.Minute)); err == nil || !strings.Contains(err.Error(), "was good until") {
		t.Errorf("after its authority has run out: %v, want nobody", err)
	}
}

func contents(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// What listeners show must be good now, and be a pair; authorities must be some.
func TestCertificateFilesAreChecked(t *testing.T) {
	by, now := certs.New(t), time.Now()
	good, another := by.Sign(t, "a"), by.Sign(t, "b")
	late := by.Sign(t, "c", certs.Between(now.Add(-time.Hour), now.Add(-time.Minute)))
	early := by.Sign(t, "d", certs.Between(now.Add(time.Hour), now.Add(2*time.Hour)))
	old := certs.New(t, certs.Between(now.Add(-time.Hour), now.Add(-time.Minute)))
	policy := put(t, "policy", everything)
	for want, s := range map[string]Settings{
		"private key does not match":              {Cert: good.Cert, Key: another.Key},
		"expired on":                              {Cert: late.Cert, Key: late.Key},
		"is not valid before":                     {Cert: early.Cert, Key: early.Key},
		"no such file":                            {Cert: "/none", Key: "/none"},
		"has no certificate in it":                {Cert: good.Cert, Key: good.Key, ClientCA: put(t, "x", "x"), Policy: policy},
		"tls-client-ca " + old.CA + " expired on": {Cert: good.Cert, Key: good.Key, ClientCA: old.CA, Policy: policy},
	} {
		if _, err := Open(s, 0); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("Open(%+v) = %v, want %q", s, err, want)
		}
	}
	both := put(t, "both", string(contents(t, old.CA))+string(contents(t, by.CA)))
	open(t, Settings{Cert: good.Cert, Key: good.Key, ClientCA: both, Policy: policy})
}
