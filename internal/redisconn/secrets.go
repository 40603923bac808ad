package redisconn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
)

// SecretFiles are where secrets are read from, by the files' paths; "" is none.
type SecretFiles struct {
	Password         string // its first line is Redis's password
	SentinelPassword string // its first line is the sentinels'
	CA               string // PEM: who may have signed Redis's certificate; none: whom the system trusts
	Cert, Key        string // PEM: what we show Redis of ourselves; both or neither
}

// Secrets are what lets us in, and whom we take for Redis. Their files may change while a Store uses them:
// after Prepare and its commit the next connection uses what they say now, and those made before are
// closed before their next use.
type Secrets struct {
	files   SecretFiles
	current atomic.Pointer[Secret]

	mu  sync.Mutex
	try func(context.Context, *Secret) error // the Store's; nil while there is none
}

// Secret is what the files said. It is not changed any more.
type Secret struct {
	Password, SentinelPassword string
	roots                      *x509.CertPool // nil: the system's
	certificates               []tls.Certificate
}

func noSecrets() *Secrets {
	s := new(Secrets)
	s.current.Store(new(Secret))
	return s
}

// ReadSecrets reads and checks the files. Its errors, a line each, name the file and what it should be, and show no secret.
func ReadSecrets(files SecretFiles) (*Secrets, error) {
	s := &Secrets{files: files}
	read, err := files.read()
	if err != nil {
		return nil, err
	}
	s.current.Store(read)
	return s, nil
}

// Prepare reads the files again, checks them and, if a Store is open, sees whether Redis, and each sentinel, lets us in
// with them. Nothing has changed until commit is called, which cannot fail. Who does not answer is no reason to
// refuse them.
func (s *Secrets) Prepare(ctx context.Context) (commit func(), err error) {
	next, err := s.files.read()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	try := s.try
	s.mu.Unlock()
	if try != nil {
		var refused *RefusedError
		if err := try(ctx, next); errors.As(err, &refused) {
			return nil, err
		}
	}
	return func() { s.current.Store(next) }, nil
}

// Now answers what they are at this moment.
func (s *Secrets) Now() *Secret { return s.current.Load() }

// TryWith has Prepare ask try, until nil is set, whether secrets would let us in.
func (s *Secrets) TryWith(try func(context.Context, *Secret) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.try = try
}

func (f SecretFiles) read() (*Secret, error) {
	read := new(Secret)
	var wrong [4]error
	read.Password, wrong[0] = firstLine(f.Password)
	read.SentinelPassword, wrong[1] = firstLine(f.SentinelPassword)
	read.roots, wrong[2] = rootsIn(f.CA)
	read.certificates, wrong[3] = pairIn(f.Cert, f.Key)
	if err := errors.Join(wrong[:]...); err != nil {
		return nil, err
	}
	return read, nil
}

func rootsIn(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate in it; want PEM, as in -----BEGIN CERTIFICATE-----", path)
	}
	return roots, nil
}

func pairIn(cert, key string) ([]tls.Certificate, error) {
	if (cert == "") != (key == "") {
		return nil, errors.New("there is a certificate without its key, or a key without its certificate; want both or neither")
	}
	if cert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w; want a certificate and its key, both PEM", cert, key, err)
	}
	return []tls.Certificate{pair}, nil
}

func firstLine(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	if first = strings.TrimSuffix(first, "\r"); first == "" {
		return "", fmt.Errorf("the first line of %s is empty; want the password", path)
	}
	return first, nil
}

// forTLS reports whether any of it is of use for TLS alone.
func (s *Secret) forTLS() bool { return s.roots != nil || s.certificates != nil }

// config is that of a connection to host.
func (s *Secret) config(host string) *tls.Config {
	return &tls.Config{ServerName: host, RootCAs: s.roots, Certificates: s.certificates, MinVersion: tls.VersionTLS12}
}
