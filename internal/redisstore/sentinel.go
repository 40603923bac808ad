package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/redisconn"
)

// sentinelProblem answers why no sentinel could say where the primary is, if that is something that only the
// operator can mend; otherwise err, with which the store could not be reached.
func (s *Store) sentinelProblem(ctx context.Context, err error) error {
	if s.target.Master == "" || errors.As(err, new(*redisconn.RefusedError)) {
		return err
	}
	for _, address := range s.target.Addrs {
		if refused := s.askSentinel(ctx, address); errors.As(refused, new(*redisconn.RefusedError)) {
			return refused
		}
	}
	if errors.Is(err, errPassword) { // so it is not a sentinel that wants one
		return s.refused("wants a password; want it in --redis-password-file or the URL")
	}
	return err
}

var errPassword = errors.New("want redis's password in --redis-password-file or the URL, and " + inSentinelFile)

const inSentinelFile = "the sentinels' in --redis-sentinel-password-file"

// enterSentinel shows the sentinels' password, as it is now, to who wants one, and err is how that was said: go-redis would go
// on with the first that it was given. A Redis that wants one has none of its own, and is not entered. The error is no
// *redisconn.RefusedError: one of several sentinels may be behind while the Redis that we have goes on.
func (s *Store) enterSentinel(ctx context.Context, cn *redis.Conn, err error) error {
	if password := s.target.Secrets.Now().SentinelPassword; password != "" {
		var role *redis.Cmd
		_, err = cn.Pipelined(ctx, func(p redis.Pipeliner) error {
			p.Auth(ctx, password)
			role = p.Do(ctx, "ROLE")
			return nil
		})
		if is, _ := redisconn.RoleOf(role); err == nil && is != "sentinel" {
			err = fmt.Errorf("a %s wants a password", is)
		}
	}
	if err != nil {
		return redisconn.ConnectProblem(fmt.Errorf("%v; %w", err, errPassword)) // err is not wrapped: it would be taken for the primary's word
	}
	return nil
}

// trySentinels answers whether one of them would refuse secret.
func (s *Store) trySentinels(ctx context.Context, secret *redisconn.Secret) error {
	for _, address := range s.target.Addrs {
		client := s.sentinelAt(address, secret)
		err := sentinelRefusal(address, client.Ping(ctx).Err())
		_ = client.Close()
		if errors.As(err, new(*redisconn.RefusedError)) {
			return err
		}
	}
	return nil
}

// sentinelRefusal makes a sentinel's refusal of our password a *redisconn.RefusedError.
func sentinelRefusal(address string, err error) error {
	if redis.HasErrorPrefix(err, "NOAUTH") || redis.HasErrorPrefix(err, "WRONGPASS") {
		return &redisconn.RefusedError{Address: address, Problem: fmt.Sprintf("is a sentinel and refuses us: %v; want %s", err, inSentinelFile)}
	}
	return err
}

// sentinelAt is a client for one question.
func (s *Store) sentinelAt(address string, secret *redisconn.Secret) *redis.SentinelClient {
	return redis.NewSentinelClient(&redis.Options{
		Addr: address, Password: secret.SentinelPassword, Protocol: 2, MaxRetries: -1, DialerRetries: 1,
		DialTimeout: callTimeout, ReadTimeout: callTimeout, WriteTimeout: callTimeout, DisableIdentity: true,
		Dialer: func(ctx context.Context, _, address string) (net.Conn, error) {
			conn, _, err := s.conns.Reach(ctx, address, secret)
			return conn, err
		},
	})
}

// nodeAddress is where the primary is, as last known.
func (s *Store) nodeAddress() string {
	if s.target.Master != "" {
		return s.conns.LeadTo()
	}
	return s.address
}

// askSentinel answers what is wrong with a sentinel.
func (s *Store) askSentinel(ctx context.Context, address string) error {
	client := s.sentinelAt(address, s.target.Secrets.Now())
	defer client.Close()
	found, err := client.Masters(ctx).Result()
	switch {
	case redis.HasErrorPrefix(err, "unknown command"):
		return &redisconn.RefusedError{Address: address, Problem: "is no sentinel; want the addresses of sentinels with ?master=NAME, or none of both"}
	case err != nil:
		return sentinelRefusal(address, err)
	}
	var names []string
	for _, master := range found {
		names = append(names, nameOf(master))
	}
	if slices.Contains(names, s.target.Master) {
		return nil
	}
	return &redisconn.RefusedError{Address: address, Problem: fmt.Sprintf(
		"is a sentinel that knows no %q; want ?master= to be one of %s", s.target.Master, strings.Join(names, ", "))}
}

// nameOf reads the name of one of those that SENTINEL MASTERS answers: a list of keys and values.
func nameOf(master any) string {
	fields, _ := master.([]any)
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i] == "name" {
			name, _ := fields[i+1].(string)
			return name
		}
	}
	return ""
}

// trySecret answers whether Redis and its sentinels let us in with another secret, as far as they answer at all.
func (s *Store) trySecret(ctx context.Context, with *redisconn.Secret) error {
	err := s.connectError(s.conns.Try(ctx, with))
	if s.target.Master == "" || errors.As(err, new(*redisconn.RefusedError)) {
		return err
	}
	return s.trySentinels(ctx, with)
}
