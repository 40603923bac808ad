package main

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/lockd/lockd/internal/auth"
)

// authSettings are those that say who clients are, what they may do, and what they are shown.
var authSettings = []string{"tls-cert", "tls-key", "tls-client-ca", "token-file", "jwt-keys", "jwt-issuer", "jwt-audience", "policy"}

// openGuard reads what s names; nil if that is nothing.
func openGuard(s auth.Settings, minTTL time.Duration) (*auth.Guard, error) {
	if s == (auth.Settings{}) {
		return nil, nil
	}
	return auth.Open(s, minTTL)
}

// mayBeReached reports whether other machines may reach what lockd listens on. Plaintext is allowed to who says so,
// but not where clients send what others could use again.
func (c *config) mayBeReached() bool {
	return c.Auth.Cert != "" || c.Insecure && !c.Auth.Identifies()
}

// lookEvery is how often files are looked at. A change is in force when two looks have found the same.
const lookEvery = 2 * time.Second

// followFiles says on changed that the guard's files have changed and stayed so for a look, since several of them may be
// replaced one after the other; once for each change, until ctx ends.
func followFiles(ctx context.Context, guard *auth.Guard, every time.Duration, changed chan<- struct{}) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var seen, told [32]byte
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		print, stale := guard.Stale()
		if stale && print == seen && print != told {
			told = print
			select {
			case changed <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
		seen = print
	}
}

// prepareGuard reads the guard's files again and answers what puts them in force. If lockd is to use other files, what they say
// waits with that.
func (r *reloader) prepareGuard(values map[string]value, minTTL time.Duration) (commit func(), err error) {
	nothing := func() {}
	for _, setting := range authSettings {
		if values[setting].text != r.values[setting].text {
			return nothing, nil
		}
	}
	if r.guard == nil {
		return nothing, nil
	}
	replace, err := r.guard.Prepare(minTTL)
	if err != nil {
		return nil, err
	}
	return func() {
		recordFiles(r.audit, replace())
		fields := []zap.Field{}
		if until := r.guard.Expires(); !until.IsZero() {
			fields = append(fields, zap.String("certificate_until", until.UTC().Format(time.RFC3339)))
		}
		r.log.Info("certificates, tokens and policy have been read again", fields...)
	}, nil
}

// reloadFiles puts in force what the guard's files say by now, or says what is wrong with them.
func (r *reloader) reloadFiles() {
	commit, err := r.prepareGuard(r.values, r.minTTL)
	if err != nil {
		r.refuse(err)
		return
	}
	commit()
}
