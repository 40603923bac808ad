package contest

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/test/history"
)

// watcher follows what lockd tells of the name.
type watcher struct {
	conn   *grpc.ClientConn
	cancel context.CancelFunc
	line   history.Line
	err    error
	done   chan struct{}
}

// startWatch returns when the watch has begun.
func startWatch(addr string) (*watcher, error) {
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &watcher{conn: conn, cancel: cancel, done: make(chan struct{})}
	stream, err := lockdv1.NewLeaseServiceClient(conn).Watch(ctx, &lockdv1.WatchRequest{Prefix: name})
	if err == nil {
		_, err = stream.Recv() // SYNCED
	}
	if err != nil {
		cancel()
		conn.Close()
		return nil, fmt.Errorf("watch: %w", err)
	}
	go func() {
		defer close(w.done)
		for {
			m, err := stream.Recv()
			if err != nil {
				w.err = err
				return
			}
			w.line.Add(m.GetEvents()...)
		}
	}()
	return w, nil
}

// stop ends the watch and says what was wrong with the order of grants. A watch that was told nothing, or
// not all, has proven nothing.
func (w *watcher) stop() (wrong []error) {
	select {
	case <-w.done:
		wrong = append(wrong, fmt.Errorf("the watch ended: %w", w.err))
	default:
	}
	w.cancel()
	<-w.done
	w.conn.Close()
	wrong = append(wrong, w.line.Wrong()...)
	switch {
	case w.line.Missed > 0:
		wrong = append(wrong, fmt.Errorf("the watch missed events %d times: the order is not known", w.line.Missed))
	case w.line.Granted == 0:
		wrong = append(wrong, errors.New("the watch saw nobody come to his turn"))
	}
	return wrong
}
