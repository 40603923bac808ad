package rpc

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// onWire is holder as clients see it.
var onWire = &lockdv1.Lease{
	Name: "orders/42", Token: 7, Owner: "ana@host:1", Since: &timestamppb.Timestamp{Seconds: 1_700_000_000},
	Ttl: durationpb.New(30 * time.Second), TtlLeft: durationpb.New(200 * time.Millisecond),
	Metadata: map[string]string{"job": "nightly"},
}

// reply fails the test if a call failed or answered anything but want.
func reply[M any](t *testing.T, got M, err error, want M) {
	t.Helper()
	if err != nil {
		t.Errorf("got error %v, want %v", err, want)
		return
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestAcquirePassesEverythingOn(t *testing.T) {
	var got lease.Acquisition
	s := serve(t, &fakeStore{acquire: func(_ context.Context, a lease.Acquisition) (lease.Lease, error) {
		got = a
		return holder, nil
	}})
	answer, err := s.leases.Acquire(t.Context(), &lockdv1.AcquireRequest{
		Name: "orders/42", LeaseId: id1, Attempt: 3, Owner: "ana", Ttl: durationpb.New(10 * time.Second),
		Metadata: map[string]string{"k": "v"}, Token: 7,
	})
	waited := answer.GetWaited().AsDuration()
	if waited < 0 || waited > 5*time.Second {
		t.Errorf("waited = %s, want next to nothing", waited)
	}
	answer.Waited = nil
	reply(t, answer, err, &lockdv1.AcquireResponse{Lease: onWire})

	got.Tag.Exec = "" // random
	want := lease.Acquisition{
		Name: "orders/42", ID: id1, Tag: lease.Tag{Attempt: 3}, Told: 7, TTL: 10 * time.Second, Owner: "ana",
		Metadata: map[string]string{"k": "v"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the store is asked for: -want +got\n%s", diff)
	}
}

func TestAnAbsentTTLIsADefaultAndAPresentZeroIsRefused(t *testing.T) {
	var acquired, renewed time.Duration
	s := serve(t, &fakeStore{
		acquire: func(_ context.Context, a lease.Acquisition) (lease.Lease, error) {
			acquired = a.TTL
			return holder, nil
		},
		renew: func(_ context.Context, r lease.Renewal) (lease.Lease, error) { renewed = r.TTL; return holder, nil },
	})
	acquire := func(ttl *durationpb.Duration) error {
		_, err := s.leases.Acquire(t.Context(), &lockdv1.AcquireRequest{Name: "a", LeaseId: id1, Ttl: ttl})
		return err
	}
	renew := func(ttl *durationpb.Duration) error {
		_, err := s.leases.Renew(t.Context(), &lockdv1.RenewRequest{Name: "a", LeaseId: id1, Ttl: ttl})
		return err
	}
	if err := acquire(nil); err != nil || acquired != 30*time.Second {
		t.Errorf("Acquire without ttl asks for %s, %v, want the default of 30s", acquired, err)
	}
	if err := renew(nil); err != nil || renewed != 0 {
		t.Errorf("Renew without ttl asks for %s, %v, want the lease's own (0)", renewed, err)
	}
	for _, call := range []func(*durationpb.Duration) error{acquire, renew} {
		for _, ttl := range []*durationpb.Duration{
			{}, {Seconds: -1}, {Nanos: 999_999}, {Seconds: 3601}, {Seconds: math.MaxInt64}, {Seconds: 1, Nanos: -1}, {Seconds: 2, Nanos: 1e9},
		} {
			expectInvalid(t, call(ttl), "ttl")
		}
	}
}

func TestAWrongWaitIsRefused(t *testing.T) {
	s := serve(t, &fakeStore{})
	for _, wait := range []*durationpb.Duration{
		{Seconds: -1}, {Nanos: -1}, {Seconds: 301}, {Seconds: math.MaxInt64}, {Seconds: 1, Nanos: -1}, {Nanos: 1e9},
	} {
		_, err := s.leases.Acquire(t.Context(), &lockdv1.AcquireRequest{Name: "a", LeaseId: id1, Wait: wait})
		expectInvalid(t, err, "wait")
	}
}

// expectInvalid fails the test unless err refuses field.
func expectInvalid(t *testing.T, err error, field string) {
	t.Helper()
	violations := detail[*errdetails.BadRequest](err).GetFieldViolations()
	if status.Code(err) != codes.InvalidArgument || len(violations) != 1 || violations[0].GetField() != field {
		t.Errorf("got %v, want INVALID_ARGUMENT about %s", err, field)
	}
}

func TestRenewAnswersTheLease(t *testing.T) {
	s := serve(t, &fakeStore{renew: func(_ context.Context, r lease.Renewal) (lease.Lease, error) {
		if r != (lease.Renewal{Name: "orders/42", ID: id1, TTL: time.Minute}) {
			t.Errorf("the store is asked to renew %+v", r)
		}
		return holder, nil
	}})
	answer, err := s.leases.Renew(t.Context(), &lockdv1.RenewRequest{Name: "orders/42", LeaseId: id1, Ttl: durationpb.New(time.Minute)})
	reply(t, answer, err, &lockdv1.RenewResponse{Lease: onWire})
}

func TestALostRenewalSaysWhyIfItsTokenSaysWhich(t *testing.T) {
	store := &fakeStore{renew: func(context.Context, lease.Renewal) (lease.Lease, error) { return lease.Lease{}, lease.ErrLost }}
	s := serve(t, store)
	store.forced(lease.Event{Kind: lease.EventForced, Name: "a", Token: 7, By: "ops", Reason: "fire"})
	for token, want := range map[int64]*lockdv1.Loss{7: byForce, 0: nil, 6: nil} {
		_, err := s.leases.Renew(t.Context(), &lockdv1.RenewRequest{Name: "a", LeaseId: id1, Token: token})
		if got := detail[*lockdv1.Loss](err); reason(err) != "LEASE_LOST" || !proto.Equal(want, got) {
			t.Errorf("renewing with token %d = %v with %v, want LEASE_LOST with %v", token, err, got, want)
		}
	}
}

func TestReleaseAnswersEveryOutcome(t *testing.T) {
	for outcome, want := range map[lease.Outcome]lockdv1.ReleaseResponse_Outcome{
		lease.Held: lockdv1.ReleaseResponse_HELD, lease.Gone: lockdv1.ReleaseResponse_GONE,
		lease.HeldByOther: lockdv1.ReleaseResponse_HELD_BY_OTHER,
	} {
		s := serve(t, &fakeStore{release: func(_ context.Context, r lease.ReleaseRequest) (lease.Released, error) {
			if r != (lease.ReleaseRequest{Name: "a", ID: id2}) {
				t.Errorf("the store is asked to release %+v", r)
			}
			return lease.Released{Outcome: outcome}, nil
		}})
		answer, err := s.leases.Release(t.Context(), &lockdv1.ReleaseRequest{Name: "a", LeaseId: id2})
		reply(t, answer, err, &lockdv1.ReleaseResponse{Outcome: want})
	}
}

func TestGetAnswersTheHolderAndTheLineOrThatTheNameIsFree(t *testing.T) {
	since := time.Unix(1_700_000_001, 0)
	s := serve(t, &fakeStore{get: func(_ context.Context, r lease.GetRequest) (lease.Standing, error) {
		if r.Name != holder.Name {
			return lease.Standing{}, nil
		}
		return lease.Standing{
			Held: true, Lease: holder, Waiting: 1234, Nodes: 4, OfNodes: 5,
			Waiters: []lease.Waiter{{Owner: "ben", Since: since, Ticket: 11}, {Owner: "cid", Principal: "svc", Since: since, Ticket: 17}},
		}, nil
	}})
	answer, err := s.leases.Get(t.Context(), &lockdv1.GetRequest{Name: "orders/42"})
	reply(t, answer, err, &lockdv1.GetResponse{
		Name: "orders/42", Held: true, Lease: onWire, WaiterCount: 1234, Nodes: 4, OfNodes: 5, Waiters: []*lockdv1.Waiter{
			{Owner: "ben", Since: timestamppb.New(since), Ticket: 11, Place: 1},
			{Owner: "cid", Principal: "svc", Since: timestamppb.New(since), Ticket: 17, Place: 2},
		},
	})
	answer, err = s.leases.Get(t.Context(), &lockdv1.GetRequest{Name: "free"})
	reply(t, answer, err, &lockdv1.GetResponse{Name: "free"})
}

func TestListPassesItsPageOn(t *testing.T) {
	s := serve(t, &fakeStore{list: func(_ context.Context, r lease.ListRequest) (lease.Page, error) {
		if !cmp.Equal(r, lease.ListRequest{Prefix: "orders", Size: 10, Token: "here"}) {
			t.Errorf("the store is asked to list %+v", r)
		}
		return lease.Page{Leases: []lease.Lease{holder}, Next: "there"}, nil
	}})
	answer, err := s.leases.List(t.Context(), &lockdv1.ListRequest{Prefix: "orders", PageSize: 10, PageToken: "here"})
	reply(t, answer, err, &lockdv1.ListResponse{Leases: []*lockdv1.Lease{onWire}, NextPageToken: "there"})
	for _, size := range []int32{-1, lease.MaxPageSize + 1} {
		_, err := s.leases.List(t.Context(), &lockdv1.ListRequest{PageSize: size})
		expectInvalid(t, err, "page_size")
	}
}

func TestCheckTokenComparesWithTheTokenInForce(t *testing.T) {
	s := serve(t, &fakeStore{get: func(context.Context, lease.GetRequest) (lease.Standing, error) {
		return lease.Standing{Held: true, Lease: holder}, nil
	}})
	for token, want := range map[int64]bool{7: true, 6: false} {
		answer, err := s.leases.CheckToken(t.Context(), &lockdv1.CheckTokenRequest{Name: "orders/42", Token: token})
		reply(t, answer, err, &lockdv1.CheckTokenResponse{InForce: want})
	}
	_, err := s.leases.CheckToken(t.Context(), &lockdv1.CheckTokenRequest{Name: "orders/42"})
	expectInvalid(t, err, "token")
}

func TestForceReleaseAnswersTheLeaseAsItWas(t *testing.T) {
	s := serve(t, &fakeStore{force: func(_ context.Context, r lease.ForceRequest) (lease.Lease, error) {
		if r != (lease.ForceRequest{Name: "orders/42", Token: 7, Reason: "fire", By: "ops"}) {
			t.Errorf("the store is asked to force %+v", r)
		}
		return holder, nil
	}})
	answer, err := s.admin.ForceRelease(t.Context(), &lockdv1.ForceReleaseRequest{Name: "orders/42", Token: 7, Reason: "fire", By: "ops"})
	reply(t, answer, err, &lockdv1.ForceReleaseResponse{Lease: onWire})
	_, err = s.admin.ForceRelease(t.Context(), &lockdv1.ForceReleaseRequest{Name: "orders/42", Token: 7})
	expectInvalid(t, err, "reason")
}

func TestStatusDescribesServerStoreAndNodes(t *testing.T) {
	before := time.Now()
	store := &fakeStore{status: lease.Status{
		Kind: "redis", Refusal: "the clock is 3s ahead", Warnings: []string{"no AOF"}, Desynchronised: 2,
		Nodes: []lease.Node{
			{Address: "a:1", Version: "7.0.15", Role: "master", RunID: "r", ClockSkew: 3 * time.Second, Persistence: "none", Eviction: "noeviction"},
			{Address: "b:1", Error: "refused"},
			{Address: "c:1", Out: "it was started again", OutUntil: before.Add(time.Hour)},
		},
	}}
	first, err := serve(t, store).admin.Status(t.Context(), &lockdv1.StatusRequest{})
	want := &lockdv1.StoreStatus{
		Kind: "redis", Refusal: "the clock is 3s ahead", Warnings: []string{"no AOF"}, Desynchronised: 2,
		Nodes: []*lockdv1.NodeStatus{
			{Address: "a:1", Reachable: true, Version: "7.0.15", Role: "master", RunId: "r", ClockSkew: durationpb.New(3 * time.Second), Persistence: "none", Eviction: "noeviction"},
			{Address: "b:1", Error: "refused", ClockSkew: durationpb.New(0)},
			{Address: "c:1", Reachable: true, ClockSkew: durationpb.New(0), Out: "it was started again", OutUntil: timestamppb.New(before.Add(time.Hour))},
		},
	}
	reply(t, first.GetStore(), err, want)
	if started := first.GetStarted().AsTime(); first.GetVersion() != "v1.2.3" || started.Before(before) || started.After(time.Now()) {
		t.Errorf("Status() = version %q started %s, want v1.2.3 started now", first.GetVersion(), started)
	}
	store.status = lease.Status{Kind: "memory"}
	second, err := serve(t, store).admin.Status(t.Context(), &lockdv1.StatusRequest{})
	reply(t, second.GetStore(), err, &lockdv1.StoreStatus{Kind: "memory", Grants: true})
	if a, b := first.GetInstance(), second.GetInstance(); len(a) != 16 || a == b {
		t.Errorf("instances of two servers = %q, %q, want 16 digits each, and different", a, b)
	}
}
