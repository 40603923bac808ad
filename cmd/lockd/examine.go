package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"os"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/lockd/lockd/internal/auth"
	"github.com/lockd/lockd/internal/diagnosis"
	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redisconn"
	"github.com/lockd/lockd/internal/rpc"
)

// examineFor bounds what the servers behind the store are asked, so that the answer is there within 2.5 s.
const examineFor = 2 * time.Second

// examined is a store that can be looked at more closely than by its Status.
type examined interface {
	Examine(ctx context.Context) (diagnosis.Store, []diagnosis.Redis)
}

// diagnose looks at this lockd and at its store.
func (p *process) diagnose(ctx context.Context) diagnosis.Report {
	ctx, cancel := context.WithTimeout(ctx, examineFor)
	defer cancel()
	is := p.lessor.Status()
	facts := diagnosis.Facts{Store: diagnosis.Store{Kind: is.Kind, Refusal: is.Refusal}, Lockd: p.self.facts(p.level, p.lessor.Limits())}
	if store, ok := p.store.(examined); ok {
		facts.Store, facts.Servers = store.Examine(ctx)
	}
	facts.Store.Cleanups = is.PendingCleanups
	return diagnosis.Judge(facts)
}

// self is what of this lockd's settings a diagnosis looks at and that stays as it was at the start.
type self struct {
	reached []string // see diagnosis.Lockd
	guard   *auth.Guard
	auth    auth.Settings
	redis   redisconn.SecretFiles
	bounds  func() rpc.Bounds
}

func newSelf(c config, bounds func() rpc.Bounds) self {
	s := self{guard: c.guard, auth: c.Auth, redis: c.RedisFiles, bounds: bounds}
	if !c.grpcAt.local() {
		s.reached = []string{c.Listen}
	}
	return s
}

func (s self) facts(level zap.AtomicLevel, limits lease.Limits) diagnosis.Lockd {
	l := diagnosis.Lockd{
		At: time.Now(), Reached: s.reached, TLS: s.auth.Cert != "", Asks: s.guard.Identifies(), WideRules: s.guard.WideRules(),
		MaxTTL: limits.MaxTTL, DefaultTTL: limits.DefaultTTL, Connections: s.bounds().Connections, DebugLog: level.Enabled(zap.DebugLevel),
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err == nil {
		l.Descriptors = uint64(files.Cur)
	}
	for _, f := range []struct {
		setting, path string
		authorities   bool
	}{
		{"tls-cert", s.auth.Cert, false}, {"tls-client-ca", s.auth.ClientCA, true}, {"redis-cert", s.redis.Cert, false}, {"redis-ca", s.redis.CA, true},
	} {
		if c := certificateIn(f.path, f.authorities); !c.Until.IsZero() {
			c.What = f.setting + " " + f.path
			l.Certificates = append(l.Certificates, c)
		}
	}
	return l
}

// certificateIn is the certificate in a file that decides until when the file is of use: of a chain the first that ends, of
// authorities the last, since one may be there to be replaced by another. What cannot be read is for the log to say.
func certificateIn(path string, authorities bool) (decides diagnosis.Certificate) {
	if path == "" {
		return decides
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return decides
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if block.Type != "CERTIFICATE" || err != nil {
			continue
		}
		if decides.Until.IsZero() || cert.NotAfter.After(decides.Until) == authorities {
			decides.From, decides.Until = cert.NotBefore, cert.NotAfter
		}
	}
	return decides
}
