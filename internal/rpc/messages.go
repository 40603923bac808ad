package rpc

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/lockd/lockd/internal/diagnosis"
	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// decodeTTL answers nil for an absent ttl, which is a default; a ttl of 0 is present, and wrong.
func decodeTTL(d *durationpb.Duration) (*time.Duration, error) {
	if d == nil {
		return nil, nil
	}
	ttl, err := decodeDuration("ttl", d)
	return &ttl, err
}

// decodeDuration answers 0 for an absent duration. Protobuf can say durations that are none, such as
// seconds and nanoseconds of different signs; ones too long for Go become the longest.
func decodeDuration(field string, d *durationpb.Duration) (time.Duration, error) {
	if d == nil {
		return 0, nil
	}
	if !d.IsValid() {
		return 0, invalid(field, "is {seconds: %d, nanos: %d}, which is no duration; want nanos within ±999999999, "+
			"of the sign of seconds, and no more than 10000 years", d.GetSeconds(), d.GetNanos())
	}
	return d.AsDuration(), nil
}

func decodeAcquire(req *lockdv1.AcquireRequest) (lease.AcquireRequest, error) {
	ttl, err := decodeTTL(req.GetTtl())
	if err != nil {
		return lease.AcquireRequest{}, err
	}
	wait, err := decodeDuration("wait", req.GetWait())
	if err != nil {
		return lease.AcquireRequest{}, err
	}
	return lease.AcquireRequest{
		Name: req.GetName(), ID: lease.ID(req.GetLeaseId()), Attempt: req.GetAttempt(), Told: lease.Token(req.GetToken()),
		Owner: req.GetOwner(), TTL: ttl, Wait: wait, Metadata: req.GetMetadata(),
	}, nil
}

func decodeRenew(req *lockdv1.RenewRequest) (lease.RenewRequest, error) {
	ttl, err := decodeTTL(req.GetTtl())
	return lease.RenewRequest{
		Name: req.GetName(), ID: lease.ID(req.GetLeaseId()), TTL: ttl, Told: lease.Token(req.GetToken()),
	}, err
}

func decodeRelease(req *lockdv1.ReleaseRequest) lease.ReleaseRequest {
	return lease.ReleaseRequest{Name: req.GetName(), ID: lease.ID(req.GetLeaseId())}
}

// leaseMessage is a lease in one piece: one is sent with every grant and renewal, and its parts would
// be four objects.
type leaseMessage struct {
	lease     lockdv1.Lease
	since     timestamppb.Timestamp
	ttl, left durationpb.Duration
}

// of has m say l.
func (m *leaseMessage) of(l lease.Lease) *lockdv1.Lease {
	m.since.Seconds, m.since.Nanos = l.Since.Unix(), int32(l.Since.Nanosecond())
	setDuration(&m.ttl, l.TTL)
	setDuration(&m.left, l.Left)
	m.lease.Name, m.lease.Token, m.lease.Owner, m.lease.Principal = l.Name, int64(l.Token), l.Owner, l.Principal
	m.lease.Since, m.lease.Ttl, m.lease.TtlLeft, m.lease.Metadata = &m.since, &m.ttl, &m.left, l.Metadata
	if l.MaxHold > 0 {
		m.lease.MaxHold, m.lease.HoldEndsIn = durationpb.New(l.MaxHold), durationpb.New(l.HoldLeft)
	}
	if l.Closed > 0 {
		m.lease.ClosedFor = durationpb.New(l.Closed)
	}
	return &m.lease
}

func encodeLease(l lease.Lease) *lockdv1.Lease { return new(leaseMessage).of(l) }

func setDuration(to *durationpb.Duration, d time.Duration) {
	to.Seconds, to.Nanos = int64(d/time.Second), int32(d%time.Second)
}

// grantMessage is the answer to an acquisition in one piece, and so are the next two.
type grantMessage struct {
	reply  lockdv1.AcquireResponse
	lease  leaseMessage
	waited durationpb.Duration
}

// of has m say g.
func (m *grantMessage) of(g lease.Grant) *lockdv1.AcquireResponse {
	setDuration(&m.waited, g.Waited)
	m.reply.Lease, m.reply.Waited = m.lease.of(g.Lease), &m.waited
	return &m.reply
}

func encodeGrant(g lease.Grant) *lockdv1.AcquireResponse { return new(grantMessage).of(g) }

type renewalMessage struct {
	reply lockdv1.RenewResponse
	lease leaseMessage
}

// of has m say l.
func (m *renewalMessage) of(l lease.Lease) *lockdv1.RenewResponse {
	m.reply.Lease = m.lease.of(l)
	return &m.reply
}

func encodeRenewal(l lease.Lease) *lockdv1.RenewResponse { return new(renewalMessage).of(l) }

func encodeOutcome(o lease.Outcome) lockdv1.ReleaseResponse_Outcome {
	switch o {
	case lease.Held:
		return lockdv1.ReleaseResponse_HELD
	case lease.Gone:
		return lockdv1.ReleaseResponse_GONE
	case lease.HeldByOther:
		return lockdv1.ReleaseResponse_HELD_BY_OTHER
	}
	return lockdv1.ReleaseResponse_OUTCOME_UNSPECIFIED
}

func encodeStanding(name string, s lease.Standing) *lockdv1.GetResponse {
	reply := &lockdv1.GetResponse{
		Name: name, Held: s.Held, WaiterCount: int64(s.Waiting), Waiters: make([]*lockdv1.Waiter, len(s.Waiters)),
	}
	if s.Held || s.Lease.Closed > 0 {
		reply.Lease, reply.Nodes, reply.OfNodes = encodeLease(s.Lease), int32(s.Nodes), int32(s.OfNodes)
	}
	for i, w := range s.Waiters {
		reply.Waiters[i] = &lockdv1.Waiter{
			Owner: w.Owner, Principal: w.Principal, Since: timestamppb.New(w.Since), Ticket: w.Ticket, Place: int64(i) + 1,
		}
	}
	return reply
}

func encodeLoss(l lease.Loss) *lockdv1.Loss {
	loss := &lockdv1.Loss{By: l.By, Reason: l.Reason}
	switch l.Cause {
	case lease.CauseExpired:
		loss.Cause = lockdv1.Loss_EXPIRED
	case lease.CauseForced:
		loss.Cause = lockdv1.Loss_FORCED
	case lease.CauseGrantedToAnother:
		loss.Cause = lockdv1.Loss_GRANTED_TO_ANOTHER
	}
	return loss
}

func encodeEvent(e lease.Event) *lockdv1.Event {
	event := &lockdv1.Event{
		Kind: encodeKind(e.Kind), Name: e.Name, Token: int64(e.Token), Owner: e.Owner, Principal: e.Principal,
		Ticket: e.Ticket, By: e.By, Reason: e.Reason, Missed: e.Missed,
	}
	if !e.At.IsZero() {
		event.At = timestamppb.New(e.At)
	}
	return event
}

func encodeKind(k lease.EventKind) lockdv1.Event_Kind {
	switch k {
	case lease.EventAcquired:
		return lockdv1.Event_ACQUIRED
	case lease.EventReleased:
		return lockdv1.Event_RELEASED
	case lease.EventExpired:
		return lockdv1.Event_EXPIRED
	case lease.EventForced:
		return lockdv1.Event_FORCED
	case lease.EventQueued:
		return lockdv1.Event_QUEUED
	case lease.EventLeft:
		return lockdv1.Event_LEFT
	case lease.EventMissed:
		return lockdv1.Event_MISSED
	}
	return lockdv1.Event_KIND_UNSPECIFIED
}

func encodePage(p lease.Page) *lockdv1.ListResponse {
	reply := &lockdv1.ListResponse{NextPageToken: p.Next, Leases: make([]*lockdv1.Lease, len(p.Leases))}
	for i, l := range p.Leases {
		reply.Leases[i] = encodeLease(l)
	}
	return reply
}

func encodeStatus(s lease.Status) *lockdv1.StoreStatus {
	reply := &lockdv1.StoreStatus{
		Kind: s.Kind, Grants: s.Refusal == "", Refusal: s.Refusal, Warnings: s.Warnings,
		Nodes: make([]*lockdv1.NodeStatus, len(s.Nodes)), Desynchronised: s.Desynchronised, PendingCleanups: s.PendingCleanups,
	}
	for i, n := range s.Nodes {
		reply.Nodes[i] = &lockdv1.NodeStatus{
			Address: n.Address, Reachable: n.Error == "", Error: n.Error, Version: n.Version, Role: n.Role,
			RunId: n.RunID, ClockSkew: durationpb.New(n.ClockSkew), Persistence: n.Persistence, Eviction: n.Eviction,
			Out: n.Out,
		}
		if !n.OutUntil.IsZero() {
			reply.Nodes[i].OutUntil = timestamppb.New(n.OutUntil)
		}
	}
	return reply
}

func encodeReport(r diagnosis.Report) *lockdv1.DiagnoseResponse {
	reply := &lockdv1.DiagnoseResponse{Made: int32(r.Made)}
	for _, f := range r.Findings {
		reply.Findings = append(reply.Findings, &lockdv1.Finding{
			Check: f.Check, Severity: lockdv1.Finding_Severity(f.Severity), Subject: clip(f.Subject, maxText),
			Problem: clip(f.Problem, maxText), Endangers: f.Endangers, Remedy: f.Remedy,
		})
	}
	for _, u := range r.Unchecked {
		reply.Unchecked = append(reply.Unchecked, &lockdv1.Unchecked{Check: u.Check, Subject: clip(u.Subject, maxText), Why: clip(u.Why, maxText)})
	}
	return reply
}
