package lockd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/credentials"
)

// TLSFiles say whom a client takes for lockd, and what it shows of itself. They are read for each connection, so that
// what replaces them counts from the next one on. The zero value trusts whom the system trusts, and shows nothing.
type TLSFiles struct {
	CA         string // PEM: who may have signed lockd's certificate; "": whom the system trusts
	Cert, Key  string // PEM: the certificate that says who the client is, and its key; both or neither
	ServerName string // what lockd's certificate must be for; "": the host that is dialled
}

// WithTLS has connections encrypted, with TLS 1.3, and lockd prove who it is.
func WithTLS(files TLSFiles) DialOption {
	return func(c *config) { c.tls = &files }
}

// WithTokenFile says who the client is by a bearer token, a JWT for one: the first line of the file, which is read for
// each stream and call, so that another token counts from the next one on. Beyond loopback and unix sockets it
// needs [WithTLS].
func WithTokenFile(path string) DialOption {
	return func(c *config) { c.tokenFile = path }
}

// credentials returns how connections to t are made.
func (c *config) credentials(t target, plain credentials.TransportCredentials) ([]grpc.DialOption, error) {
	var opts []grpc.DialOption
	if c.tls == nil {
		if t.remote != "" && c.tokenFile != "" {
			return nil, fmt.Errorf("%w: %s is neither loopback nor a unix socket, and would be sent a token readable; use WithTLS", ErrInvalid, t.remote)
		}
		opts = append(opts, grpc.WithTransportCredentials(plain))
	} else {
		if _, err := c.tls.config(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		opts = append(opts, grpc.WithTransportCredentials(transport{*c.tls}))
	}
	if c.tokenFile != "" {
		token := tokenFile{c.tokenFile, t.remote != ""}
		if _, err := token.read(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		opts = append(opts, grpc.WithPerRPCCredentials(token))
	}
	return opts, nil
}

// config reads the files.
func (f TLSFiles) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS13}
	if f.CA != "" {
		pem, err := os.ReadFile(f.CA)
		if err != nil {
			return nil, err
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificate in it; want PEM, as in -----BEGIN CERTIFICATE-----", f.CA)
		}
	}
	if f.Cert == "" && f.Key == "" {
		return c, nil
	}
	if f.Cert == "" || f.Key == "" {
		return nil, errors.New("there is a certificate without its key, or a key without its certificate; want both or neither")
	}
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w; want a certificate and its key, both PEM", f.Cert, f.Key, err)
	}
	// Shown also to a lockd that names other authorities: it says what is wrong with it, and who shows none learns nothing.
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	return c, nil
}

// transport makes connections by what the files say at the time.
type transport struct{ files TLSFiles }

// hostKey is under what an address of a list has its host, since the authority is one for all of them.
type hostKey struct{}

func hostOf(host string) *attributes.Attributes { return attributes.New(hostKey{}, host) }

// ClientHandshake implements credentials.TransportCredentials.
func (t transport) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	c, err := t.files.config()
	if err != nil {
		return nil, nil, err
	}
	if host, ok := credentials.ClientHandshakeInfoFromContext(ctx).Attributes.Value(hostKey{}).(string); ok {
		authority = host
	}
	if t.files.ServerName != "" {
		authority = t.files.ServerName // the authority goes before what c says
	}
	return credentials.NewTLS(c).ClientHandshake(ctx, authority, conn)
}

// ServerHandshake implements credentials.TransportCredentials.
func (transport) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("this is a client")
}

// Info implements credentials.TransportCredentials.
func (transport) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

// Clone implements credentials.TransportCredentials.
func (t transport) Clone() credentials.TransportCredentials { return t }

// OverrideServerName implements credentials.TransportCredentials.
func (transport) OverrideServerName(string) error {
	return errors.New("TLSFiles has the server's name")
}

// tokenFile is a file with a bearer token.
type tokenFile struct {
	path      string
	encrypted bool // it must be
}

// read returns the token. No error shows any of it.
func (f tokenFile) read() (string, error) {
	text, err := os.ReadFile(f.path)
	if err != nil {
		return "", err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	first = strings.TrimSuffix(first, "\r")
	if first == "" || strings.ContainsFunc(first, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("the first line of %s is no token; want characters that can be printed, without spaces", f.path)
	}
	return first, nil
}

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (f tokenFile) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	token, err := f.read()
	if err != nil {
		return nil, err
	}
	return map[string]string{"authorization": "Bearer " + token}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (f tokenFile) RequireTransportSecurity() bool { return f.encrypted }
