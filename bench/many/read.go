package many

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/lockd/lockd/bench/child"
	"github.com/lockd/lockd/bench/figure"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/test/history"
)

// How often each is asked.
const getEvery, listEvery = 2 * time.Millisecond, 20 * time.Millisecond

// reader asks for single leases at random and for pages of all, beside whatever else goes on.
type reader struct {
	leases    lockdv1.LeaseServiceClient
	held      int
	page      string
	get, list figure.Times
}

// read asks until the window is over.
func (r *reader) read(addr string, w child.Window) error {
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	r.leases = lockdv1.NewLeaseServiceClient(conn)
	var gets, lists []time.Duration
	var err1, err2 error
	var reading sync.WaitGroup
	reading.Go(func() { gets, err1 = repeat(w, getEvery, r.getOne) })
	reading.Go(func() { lists, err2 = repeat(w, listEvery, r.nextPage) })
	reading.Wait()
	r.get, r.list = figure.Of(gets), figure.Of(lists)
	return errors.Join(err1, err2)
}

// repeat does it again and again, one at a time, and returns how long each took within the window.
func repeat(w child.Window, every time.Duration, do func() error) (took []time.Duration, err error) {
	child.SleepUntil(w.Begin)
	for {
		began := history.Now()
		if began >= w.To {
			return took, nil
		}
		if err := do(); err != nil {
			return took, err
		}
		if ended := history.Now(); w.Contains(began) {
			took = append(took, time.Duration(ended-began))
		}
		child.SleepUntil(began + int64(every))
	}
}

func (r *reader) getOne() error {
	n := name(rand.N(r.held))
	g, err := r.leases.Get(context.Background(), &lockdv1.GetRequest{Name: n})
	if err == nil && !g.GetHeld() {
		err = fmt.Errorf("%s is not held", n)
	}
	return err
}

func (r *reader) nextPage() error {
	p, err := r.leases.List(context.Background(), &lockdv1.ListRequest{PageToken: r.page})
	if err == nil {
		r.page = p.GetNextPageToken()
	}
	return err
}
