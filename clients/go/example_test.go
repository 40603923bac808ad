package lockd_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/clients/go/lockdtest"
)

// These examples run against a real lockd in this process; yours listens on localhost:7420.
func serve() (addr string, stop func()) {
	server, err := lockdtest.New()
	if err != nil {
		log.Fatal(err)
	}
	return server.Addr(), func() { server.Close() }
}

// store is what the examples protect: it refuses a token smaller than one it has seen.
type store struct{ seen int64 }

func (s *store) Write(ctx context.Context, what string, token int64) error {
	if token < s.seen {
		return errors.New("refused: a newer holder has been here")
	}
	s.seen = token
	fmt.Println("wrote", what)
	return ctx.Err()
}

// Take a lease, work under its context, pass its token to what you protect, give it back.
func Example() {
	addr, stop := serve()
	defer stop()
	ctx, store := context.Background(), new(store)

	client, err := lockd.Dial(addr)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	lease, err := client.Acquire(ctx, "orders/42", lockd.WithTTL(15*time.Second)) // waits until ctx ends
	if err != nil {
		log.Fatal(err)
	}
	defer lease.Release(ctx)

	// From here on the lease is renewed in the background; its context ends when it is lost.
	if err := store.Write(lease.Context(), "order 42", lease.Token()); err != nil {
		log.Fatal(err)
	}
	// Output: wrote order 42
}

// TryAcquire answers at once, and says who is in the way.
func ExampleClient_TryAcquire() {
	addr, stop := serve()
	defer stop()
	ctx := context.Background()

	alice, err := lockd.Dial(addr, lockd.WithOwner("alice"))
	if err != nil {
		log.Fatal(err)
	}
	defer alice.Close()
	if _, err := alice.Acquire(ctx, "reports/daily"); err != nil {
		log.Fatal(err)
	}

	bob, err := lockd.Dial(addr, lockd.WithOwner("bob"))
	if err != nil {
		log.Fatal(err)
	}
	defer bob.Close()
	lease, err := bob.TryAcquire(ctx, "reports/daily")
	var held *lockd.HeldError
	switch {
	case errors.As(err, &held):
		fmt.Printf("%s has it, %s is not for me today\n", held.Owner, held.Name)
	case err != nil:
		log.Fatal(err)
	default:
		defer lease.Release(ctx)
	}
	// Output: alice has it, reports/daily is not for me today
}

// Do acquires, runs a function and releases.
func ExampleClient_Do() {
	addr, stop := serve()
	defer stop()
	ctx, store := context.Background(), new(store)

	client, err := lockd.Dial(addr)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	err = client.Do(ctx, "orders/42", func(ctx context.Context, lease *lockd.Lease) error {
		return store.Write(ctx, "order 42", lease.Token())
	})
	if err != nil { // the function's error, joined with the loss of the lease if there was one
		log.Fatal(err)
	}
	// Output: wrote order 42
}

// A lease that is lost ends its context, with the cause; the late write is refused by its token.
func ExampleLease_Context() {
	server, err := lockdtest.New()
	if err != nil {
		log.Fatal(err)
	}
	store := new(store)
	client, err := lockd.Dial(server.Addr())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	lease, err := client.Acquire(context.Background(), "orders/42", lockd.WithTTL(300*time.Millisecond))
	if err != nil {
		log.Fatal(err)
	}
	if err := server.Close(); err != nil { // lockd is gone, and nobody renews the lease
		log.Fatal(err)
	}
	<-lease.Context().Done()
	fmt.Println(context.Cause(lease.Context()))

	store.seen = lease.Token() + 1 // meanwhile, another holder has written
	fmt.Println(store.Write(context.Background(), "order 42", lease.Token()))
	// Output:
	// lockd: the lease has expired
	// refused: a newer holder has been here
}
