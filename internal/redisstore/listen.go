package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/redisconn"
)

const (
	// quietFor is how long nothing need be heard before Redis is asked whether it is there; after as long
	// again without an answer the connection is given up.
	quietFor = 2 * time.Second
	// listenAgain is how long a lost subscription is left alone at most; at first it is less. Others wait for
	// who does not listen, see comeBack.
	listenAgain = 80 * time.Millisecond
	listenSoon  = 10 * time.Millisecond
)

// keepListening passes on what is published, over a connection of its own, until ctx ends. Messages can
// be lost, with the connection and while there is none: they are hints.
func (s *Store) keepListening(ctx context.Context) {
	told, pause := "", listenSoon
	for {
		began := time.Now()
		err := s.listen(ctx)
		if time.Since(began) > comeBack {
			pause = listenSoon
		}
		var answered redis.Error
		if errors.As(err, &answered) && err.Error() != told {
			told = err.Error()
			s.notice(fmt.Sprintf("redis at %s does not let this server listen: %v; what is handed over between servers takes up to a second longer, and watching shows nothing", s.address, err))
		}
		if !sleep(ctx, pause) {
			return
		}
		pause = min(2*pause, listenAgain)
	}
}

// listen is one subscription, and answers what ended it.
func (s *Store) listen(ctx context.Context) error {
	mine := s.keys.channels() + s.instance
	sub := s.client.Subscribe(ctx, mine, s.keys.events())
	defer context.AfterFunc(ctx, func() { _ = sub.Close() })() // ends a read under way
	defer sub.Close()
	quiet, with := false, s.target.Secrets.Now()
	for {
		if s.target.Secrets.Now() != with {
			return redisconn.ErrReplaced
		}
		message, err := sub.ReceiveTimeout(ctx, quietFor)
		var timeout net.Error
		switch {
		case err == nil:
			quiet = false
		case errors.As(err, &timeout) && timeout.Timeout() && !quiet && ctx.Err() == nil:
			quiet = true
			err = sub.Ping(ctx)
		}
		if err != nil {
			return err
		}
		switch m := message.(type) {
		case *redis.Subscription:
			if m.Channel == s.keys.events() { // the second of two
				s.hub.gap()
				s.lookAtAll()
				select {
				case s.listens <- struct{}{}:
				default: // it is told already
				}
			}
		case *redis.Message:
			if m.Channel == mine {
				s.told(m.Payload)
			} else {
				s.hub.take(m.Payload)
			}
		}
	}
}
