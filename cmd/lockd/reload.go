package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/lockd/lockd/internal/audit"
	"github.com/lockd/lockd/internal/auth"
	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redisconn"
	"github.com/lockd/lockd/internal/rpc"
)

// live are the settings that SIGHUP changes while lockd serves. The others take a restart, and so does max-ttl with redlock:
// nodes that have forgotten what they held are out for as long as the longest lease may last, on all of which lockd and
// its peers agreed at the start.
var live = append([]string{"min-ttl", "max-ttl", "default-ttl", "max-wait", "log-level"}, limitSettings...)

func (r *reloader) isLive(setting string) bool {
	return slices.Contains(live, setting) && (setting != "max-ttl" || r.values["redlock"].text == "")
}

// prepareFor bounds the question whether Redis takes new secrets.
const prepareFor = 3 * time.Second

// reloader puts in force what has changed in the sources and can change while lockd serves. One
// goroutine uses it.
type reloader struct {
	host
	lessor  *lease.Lessor
	bounds  func(rpc.Bounds)   // puts them in force
	secrets *redisconn.Secrets // nil without files of them
	minTTL  time.Duration      // in force, as the next
	maxTTL  time.Duration
	guard   *auth.Guard      // nil: nobody is asked
	values  map[string]value // in force, which is not always what the sources say
}

func newReloader(h host, lessor *lease.Lessor, c config) *reloader {
	r := &reloader{host: h, lessor: lessor, guard: c.guard, bounds: func(rpc.Bounds) {}, minTTL: c.Limits.MinTTL, maxTTL: c.Limits.MaxTTL, values: maps.Clone(c.values)}
	if c.RedisFiles != (redisconn.SecretFiles{}) {
		r.secrets = cmp.Or(c.redis.Secrets, c.redlock.Secrets)
	}
	return r
}

// change is a setting that the sources set to something else than what is in force.
type change struct {
	setting  string
	from, to string // as they may be shown
	origin   string
}

// reload reads all sources anew, and the files of passwords and certificates. Is anything wrong in them,
// nothing changes, and the log says what and what would be right. Otherwise the settings that can change do,
// limits all in one step; of the others, which keep their values, the log says that they take a restart,
// each time. The audit log is opened anew in any case. It takes a second or so while Redis is asked, and no longer than ctx.
func (r *reloader) reload(ctx context.Context) {
	if err := r.audit.Reopen(); err != nil {
		r.log.Error("the record goes on in the file as it was", zap.Error(err))
	}
	next, err := r.sources.reload()
	var commit, commitGuard func()
	if err == nil {
		commitGuard, err = r.prepareGuard(next.values, next.Limits.MinTTL)
	}
	if err == nil {
		err = r.keepMaxTTL(&next)
	}
	if err == nil {
		commit, err = r.prepare(ctx, next.values)
	}
	if err != nil {
		r.refuse(err)
		return
	}
	changed, waiting := r.take(next.values)
	commit()
	commitGuard()
	level := levelOf(next.LogLevel)
	// Who turns the log down, and who turns it up, sees what has changed.
	r.level.SetLevel(min(level, r.level.Level()))
	r.lessor.SetLimits(next.Limits)
	r.bounds(next.Bounds)
	r.minTTL, r.maxTTL = next.Limits.MinTTL, next.Limits.MaxTTL
	recordReload(r.audit, changed)
	for _, c := range changed {
		r.log.Info("setting changed", c.fields()...)
	}
	for _, c := range waiting {
		r.log.Warn("setting changes at the next start of lockd, not before", c.fields()...)
	}
	r.log.Info("reloaded", zap.Int("changed", len(changed)), zap.Int("waiting", len(waiting)))
	r.level.SetLevel(level)
}

// keepMaxTTL leaves the largest ttl as it is where it takes a restart. The other limits have to fit to it.
func (r *reloader) keepMaxTTL(next *config) error {
	if r.isLive("max-ttl") || next.Limits.MaxTTL == r.maxTTL {
		return nil
	}
	next.Limits.MaxTTL = r.maxTTL
	if err := next.Limits.Validate(); err != nil {
		return fmt.Errorf("with redlock max-ttl takes a restart and is %s until then: %w", r.maxTTL, err)
	}
	return nil
}

// refuse says why nothing has changed.
func (r *reloader) refuse(err error) {
	for problem := range strings.SplitSeq(err.Error(), "\n") {
		r.log.Error("not reloaded, nothing has changed", zap.String("problem", problem))
		recordRefusal(r.audit, problem)
	}
}

// prepare reads the files of secrets again, sees whether Redis takes what they say, and answers what puts that
// in force. If it is another Redis that lockd is to use, or other files, what they say waits with that.
func (r *reloader) prepare(ctx context.Context, values map[string]value) (commit func(), err error) {
	nothing := func() {}
	for setting, is := range values {
		if (strings.HasPrefix(setting, "redis") || setting == "redlock") && is.text != r.values[setting].text {
			return nothing, nil
		}
	}
	if r.secrets == nil {
		return nothing, nil
	}
	ctx, cancel := context.WithTimeout(ctx, prepareFor)
	defer cancel()
	replace, err := r.secrets.Prepare(ctx)
	if err != nil {
		return nil, fmt.Errorf("passwords and certificates: %w", err)
	}
	return func() {
		replace()
		r.audit.Note(audit.Record{What: "redis-secrets", Outcome: "replaced", Who: itself, Why: "passwords and certificates of redis have been read again"})
		r.log.Info("passwords and certificates have been read again; new connections to redis use them")
	}, nil
}

// take puts in force, on paper, what of values can be, and answers that and what cannot.
func (r *reloader) take(values map[string]value) (changed, waiting []change) {
	for _, setting := range settingsOf(new(config).flags()) {
		was, is := r.values[setting], values[setting]
		c := change{setting, shownValue(setting, was.text), shownValue(setting, is.text), is.origin}
		switch {
		case was.text == is.text:
		case r.isLive(setting):
			changed = append(changed, c)
		default:
			if c.from == c.to {
				c.to += " with another password"
			}
			waiting = append(waiting, c)
			continue
		}
		r.values[setting] = is
	}
	return changed, waiting
}

func (c change) fields() []zap.Field {
	return []zap.Field{
		zap.String("setting", c.setting), zap.String("from", c.from), zap.String("to", c.to), zap.String("origin", c.origin),
	}
}
