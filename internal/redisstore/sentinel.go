package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// sentinelProblem answers why no sentinel could say where the primary is, if that is something that only the
// operator can mend; otherwise err, with which the store could not be reached.
func (s *Store) sentinelProblem(ctx context.Context, err error) error {
	if s.target.master == "" || errors.As(err, new(*RefusedError)) {
		return err
	}
	for _, address := range s.target.addrs {
		if refused := s.askSentinel(ctx, address); errors.As(refused, new(*RefusedError)) {
			return refused
		}
	}
	return err
}

// nodeAddress is where the primary is, as last known.
func (s *Store) nodeAddress() string {
	if s.target.master != "" {
		return s.conns.leadTo()
	}
	return s.address
}

// askSentinel answers what is wrong with a sentinel.
func (s *Store) askSentinel(ctx context.Context, address string) error {
	client := redis.NewSentinelClient(&redis.Options{
		Addr: address, Password: s.target.secrets.now().sentinelPassword, Protocol: 2, MaxRetries: -1, DialerRetries: 1,
		DialTimeout: callTimeout, ReadTimeout: callTimeout, WriteTimeout: callTimeout, DisableIdentity: true,
		Dialer: func(ctx context.Context, _, address string) (net.Conn, error) {
			conn, _, err := s.conns.reach(ctx, address, s.target.secrets.now())
			return conn, err
		},
	})
	defer client.Close()
	found, err := client.Masters(ctx).Result()
	switch {
	case redis.HasErrorPrefix(err, "NOAUTH"), redis.HasErrorPrefix(err, "WRONGPASS"):
		return &RefusedError{Address: address, Problem: fmt.Sprintf("is a sentinel and refuses us: %v; want its password in --redis-sentinel-password-file", err)}
	case redis.HasErrorPrefix(err, "unknown command"):
		return &RefusedError{Address: address, Problem: "is no sentinel; want the addresses of sentinels with ?master=NAME, or none of both"}
	case err != nil:
		return err
	}
	var names []string
	for _, master := range found {
		names = append(names, nameOf(master))
	}
	if slices.Contains(names, s.target.master) {
		return nil
	}
	return &RefusedError{Address: address, Problem: fmt.Sprintf(
		"is a sentinel that knows no %q; want ?master= to be one of %s", s.target.master, strings.Join(names, ", "))}
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
