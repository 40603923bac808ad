package redisconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/diagnosis"
)

// probes is how often something is measured: the quickest counts, which has least of this machine's own business in it.
const probes = 5

// probedSettings are what a diagnosis asks CONFIG GET for, one by one: Redis 6.2 takes no list. None of them is a secret.
var probedSettings = []string{
	"appendfsync", "no-appendfsync-on-rewrite", "save", "timeout", "tcp-keepalive", "maxclients", "min-replicas-to-write", "disable-thp",
}

// Probe gathers what a diagnosis wants to know of the server that a Visitor leads to, but for its Address. write, if not nil,
// makes a write that changes nothing. Of who does not answer only the Error is known.
func (c *Connections) Probe(ctx context.Context, visitor *redis.Client, write func(context.Context) error) diagnosis.Redis {
	p := probe{diagnosis.Redis{At: time.Now(), Settings: map[string]string{}, Denied: map[string]string{}}}
	err := p.measure(ctx, visitor, write)
	if err == nil {
		err = p.ask(ctx, visitor)
	}
	if err == nil {
		err = p.askUser(ctx, visitor)
	}
	if err != nil {
		return diagnosis.Redis{At: p.At, Error: err.Error()}
	}
	p.Certificate = c.certificate(ctx, visitor.Options().Addr)
	return p.Redis
}

type probe struct{ diagnosis.Redis }

// measure takes the quickest of several round trips, which tells its clock best, too, and of several writes.
func (p *probe) measure(ctx context.Context, c *redis.Client, write func(context.Context) error) error {
	for i := range probes {
		sent := time.Now()
		at, err := c.Time(ctx).Result()
		if err != nil {
			return err
		}
		if took := time.Since(sent); i == 0 || took < p.Ping {
			p.Ping, p.Skew = took, at.Sub(sent.Round(0))-took/2
		}
	}
	for i := 0; write != nil && i < probes; i++ {
		sent := time.Now()
		err := write(ctx)
		if errors.As(err, new(redis.Error)) {
			p.Write = 0 // it was refused, which says nothing of the disk
			return nil
		}
		if err != nil {
			return err
		}
		if took := time.Since(sent); i == 0 || took < p.Write {
			p.Write = took
		}
	}
	return nil
}

// ask asks for what a server says of itself, each for itself: what one user may ask, another may not.
func (p *probe) ask(ctx context.Context, c *redis.Client) error {
	var info *redis.StringCmd
	var slow *redis.SlowLogCmd
	var latency *redis.Cmd
	settings := make([]*redis.MapStringStringCmd, len(probedSettings))
	_, err := c.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		info = pipe.Info(ctx)
		for i, name := range probedSettings {
			settings[i] = pipe.ConfigGet(ctx, name)
		}
		slow = pipe.SlowLogGet(ctx, 32)
		latency = pipe.Do(ctx, "latency", "latest")
		return nil
	})
	if err != nil && !errors.As(err, new(redis.Error)) {
		return err
	}
	if info.Err() != nil {
		return info.Err()
	}
	p.Info = Info(info.Val())
	p.TooOld = VersionProblem(p.Info["redis_version"])
	for i, name := range probedSettings {
		if p.refused("config", settings[i].Err()) {
			break
		}
		if value, told := settings[i].Val()[name]; told {
			p.Settings[name] = value
		}
	}
	if !p.refused("slowlog", slow.Err()) {
		for _, call := range slow.Val() {
			p.Slow = append(p.Slow, diagnosis.Stall{What: first(call.Args), At: call.Time, Took: call.Duration})
		}
	}
	if !p.refused("latency", latency.Err()) {
		p.Stalls = stalls(latency)
	}
	return nil
}

// refused notes why a question was not answered, and reports whether it was not.
func (p *probe) refused(need string, err error) bool {
	if err != nil {
		p.Denied[need] = err.Error()
	}
	return err != nil
}

// askUser asks whom Redis takes us for. Who may ask for anybody's rights may change them.
func (p *probe) askUser(ctx context.Context, c *redis.Client) error {
	user, err := c.Do(ctx, "acl", "whoami").Text()
	if err == nil {
		var rights any
		p.User = user
		if rights, err = c.Do(ctx, "acl", "getuser", user).Result(); err == nil {
			p.MayAll, p.NoPassword = true, strings.Contains(fmt.Sprint(rights), "nopass")
		}
	}
	if err != nil && !errors.As(err, new(redis.Error)) {
		return err
	}
	return nil
}

// first is a call's command alone: its arguments may be anybody's secrets.
func first(args []string) string {
	if len(args) == 0 {
		return "a call"
	}
	return strings.ToUpper(args[0])
}

// stalls reads what LATENCY LATEST answers: of each event its name, when it was last, and for how many ms then.
func stalls(latency *redis.Cmd) (all []diagnosis.Stall) {
	events, _ := latency.Slice()
	for _, event := range events {
		of, _ := event.([]any)
		if len(of) < 3 {
			continue
		}
		name, _ := of[0].(string)
		at, _ := of[1].(int64)
		took, _ := of[2].(int64)
		all = append(all, diagnosis.Stall{What: name, At: time.Unix(at, 0), Took: time.Duration(took) * time.Millisecond})
	}
	return all
}

// certificate answers what the server at address shows of itself; the zero value where no TLS is spoken, or if it does not answer.
func (c *Connections) certificate(ctx context.Context, address string) diagnosis.Certificate {
	if !c.target.TLS {
		return diagnosis.Certificate{}
	}
	outer, _, err := c.Reach(ctx, address, c.target.Secrets.Now())
	if err != nil {
		return diagnosis.Certificate{}
	}
	defer outer.Close()
	shown := outer.(*tls.Conn).ConnectionState().PeerCertificates[0]
	return diagnosis.Certificate{What: "shows a certificate that", From: shown.NotBefore, Until: shown.NotAfter}
}
