// Package certs makes certificate authorities, and certificates that they sign, for tests. All are files in PEM, gone
// with the test, and good for an hour on loopback, for servers and clients alike.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority signs certificates.
type Authority struct {
	CA string // the path of its own certificate

	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Pair is a certificate and its key: their paths.
type Pair struct{ Cert, Key string }

// New makes an authority that nobody knows.
func New(t testing.TB, opts ...Option) *Authority {
	t.Helper()
	template := template("authority")
	for _, opt := range opts {
		opt(template)
	}
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	key := newKey(t)
	cert, err := x509.ParseCertificate(sign(t, template, template, key, key))
	if err != nil {
		t.Fatal(err)
	}
	a := &Authority{CA: filepath.Join(t.TempDir(), "ca.crt"), cert: cert, key: key}
	write(t, a.CA, "CERTIFICATE", cert.Raw)
	return a
}

// An Option changes what a certificate says.
type Option func(*x509.Certificate)

// Named has a certificate be for these alone: URIs have "://" in them, the others are DNS names.
func Named(names ...string) Option {
	return func(c *x509.Certificate) {
		c.IPAddresses, c.DNSNames = nil, nil
		for _, name := range names {
			if uri, err := url.Parse(name); err == nil && uri.Scheme != "" {
				c.URIs = append(c.URIs, uri)
			} else {
				c.DNSNames = append(c.DNSNames, name)
			}
		}
	}
}

// IP has a certificate be for this address alone.
func IP(address string) Option {
	return func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, []net.IP{net.ParseIP(address)} }
}

// Between has a certificate be good for that time.
func Between(from, until time.Time) Option {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = from, until }
}

// For has a certificate be good for these uses alone.
func For(uses ...x509.ExtKeyUsage) Option {
	return func(c *x509.Certificate) { c.ExtKeyUsage = uses }
}

// Sign makes a pair for 127.0.0.1 and localhost. The name is its common name.
func (a *Authority) Sign(t testing.TB, name string, opts ...Option) Pair {
	t.Helper()
	template := template(name)
	template.IPAddresses, template.DNSNames = []net.IP{net.IPv4(127, 0, 0, 1)}, []string{"localhost"}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	for _, opt := range opts {
		opt(template)
	}
	key := newKey(t)
	raw, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := Pair{Cert: filepath.Join(dir, "cert"), Key: filepath.Join(dir, "key")}
	write(t, p.Cert, "CERTIFICATE", sign(t, template, a.cert, key, a.key))
	write(t, p.Key, "EC PRIVATE KEY", raw)
	return p
}

// Config is that of who shows p and trusts a.
func (a *Authority) Config(t testing.TB, p Pair) *tls.Config {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(p.Cert, p.Key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}
}

func template(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t testing.TB, cert, by *x509.Certificate, key, byKey *ecdsa.PrivateKey) []byte {
	t.Helper()
	raw, err := x509.CreateCertificate(rand.Reader, cert, by, &key.PublicKey, byKey)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func write(t testing.TB, path, kind string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}), 0o600); err != nil {
		t.Fatal(err)
	}
}
