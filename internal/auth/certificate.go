package auth

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"
)

// TLS answers how a listener speaks these protocols of ALPN; nil if it speaks plaintext. Each connection gets what the
// files say at its beginning; those that stand go on as they are.
//
// The handshake asks a client for a certificate and has it prove that it has the key. Who signed it is asked later, for
// every call (see Caller), so that a client is told what is wrong with it, and so that an authority that is
// taken away counts for connections that stand.
func (g *Guard) TLS(protocols ...string) *tls.Config {
	if g == nil || g.settings.Cert == "" {
		return nil
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: protocols,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			now := g.current.Load()
			c := &tls.Config{
				MinVersion: tls.VersionTLS13, NextProtos: protocols, Certificates: []tls.Certificate{*now.serving},
				SessionTicketsDisabled: true, // connections last for days, and a ticket would outlive what it was given for
			}
			if now.clients != nil {
				c.ClientAuth, c.ClientCAs = tls.RequestClientCert, now.clients
			}
			return c, nil
		},
	}
}

// Expires answers when the certificate that listeners show runs out; the zero time without one.
func (g *Guard) Expires() time.Time {
	if now := g.current.Load(); now.serving != nil {
		return now.serving.Leaf.NotAfter
	}
	return time.Time{}
}

func readPair(cert, key string, now time.Time) (*tls.Certificate, error) {
	if cert == "" {
		return nil, nil
	}
	chain, err := readFile(cert, trusted)
	if err != nil {
		return nil, fmt.Errorf("tls-cert: %w", err)
	}
	private, err := readFile(key, secret)
	if err != nil {
		return nil, fmt.Errorf("tls-key: %w", err)
	}
	pair, err := tls.X509KeyPair(chain, private)
	if err != nil {
		return nil, fmt.Errorf("tls-cert %s and tls-key %s: %w; want a certificate and its key, both PEM", cert, key, err)
	}
	if problem := notNow(pair.Leaf, now); problem != "" {
		return nil, fmt.Errorf("tls-cert %s %s; want one that is valid now", cert, problem)
	}
	return &pair, nil
}

// notNow says why c is not valid now, "" if it is.
func notNow(c *x509.Certificate, now time.Time) string {
	switch {
	case now.After(c.NotAfter):
		return "expired on " + c.NotAfter.UTC().Format(time.RFC3339)
	case now.Before(c.NotBefore):
		return "is not valid before " + c.NotBefore.UTC().Format(time.RFC3339)
	}
	return ""
}

// readAuthorities reads certificates of authorities. While one is being replaced by another, one of them may be out of time.
func readAuthorities(path string, now time.Time) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	text, err := readFile(path, trusted)
	if err != nil {
		return nil, fmt.Errorf("tls-client-ca: %w", err)
	}
	pool, problem := x509.NewCertPool(), "has no certificate in it"
	valid := false
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("tls-client-ca %s: %w; want certificates in PEM", path, err)
		}
		if late := notNow(cert, now); late != "" {
			problem = late
			continue
		}
		pool.AddCert(cert)
		valid = true
	}
	if !valid {
		return nil, fmt.Errorf("tls-client-ca %s %s; want PEM, as in -----BEGIN CERTIFICATE-----, valid now", path, problem)
	}
	return pool, nil
}

// byCertificate answers whose certificate it is that a connection has shown and proven.
func (s *state) byCertificate(chain []*x509.Certificate, now time.Time) (identity, error) {
	leaf := chain[0]
	if known, ok := s.certificates.get(leaf); ok {
		return known, nil
	}
	if problem := notNow(leaf, now); problem != "" {
		return identity{}, unauthenticated("the client certificate %s", problem)
	}
	between := x509.NewCertPool()
	for _, cert := range chain[1:] {
		between.AddCert(cert)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots: s.clients, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return identity{}, unauthenticated("the client certificate: %s", refusedBecause(err))
	}
	name, err := nameOf(leaf)
	if err != nil {
		return identity{}, err
	}
	who := identity{name: name, until: endOf(chains)}
	s.certificates.put(leaf, who)
	return who, nil
}

// endOf is until when one of the chains is good.
func endOf(chains [][]*x509.Certificate) (end time.Time) {
	for _, chain := range chains {
		until := chain[0].NotAfter
		for _, cert := range chain {
			if cert.NotAfter.Before(until) {
				until = cert.NotAfter
			}
		}
		if until.After(end) {
			end = until
		}
	}
	return end
}

func refusedBecause(err error) string {
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return "no authority that is trusted here has signed it"
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return "it is not for clients (extended key usage)"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "it, or who signed it, has expired"
	}
	return "it cannot be verified"
}

// nameOf is who a certificate is: its only URI, or else its only DNS name. The common name is for people. An authority that
// vouches for names of one kind need not look at what is in the other: a DNS name that reads like a URI is none, nor a
// URI that reads like a DNS name.
func nameOf(c *x509.Certificate) (string, error) {
	switch {
	case len(c.URIs) == 1 && !c.URIs[0].IsAbs():
		return "", unauthenticated("the client certificate's URI name has no scheme; want one, as in spiffe://acme/ci")
	case len(c.URIs) == 1:
		return named("cert", c.URIs[0].String())
	case len(c.URIs) > 1:
		return "", unauthenticated("the client certificate has %d URI names; want one", len(c.URIs))
	case len(c.DNSNames) != 1:
		return "", unauthenticated("the client certificate has no URI name and %d DNS names; want one of either", len(c.DNSNames))
	case strings.Contains(c.DNSNames[0], "*"):
		return "", unauthenticated("the client certificate is for the wildcard %q; want a name", c.DNSNames[0])
	case c.DNSNames[0] == "" || strings.ContainsAny(c.DNSNames[0], ":/"):
		return "", unauthenticated("the client certificate's DNS name is none; want one, as in ci.internal")
	}
	return named("cert", c.DNSNames[0])
}
