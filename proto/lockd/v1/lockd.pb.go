// lockd: token-fenced leases on names.
//
// A lease alone cannot stop a process that was paused past its deadline; the fencing token can, if
// what you protect refuses a smaller one. Everything below is built for that sentence: every grant
// carries a token larger than every token granted before it for that name.
//
// # Words
//
// A name is 1 to 256 bytes of UTF-8 without control characters; "/" separates segments, none of
// which is empty, "." or "..". Names are compared as bytes.
// A lease id is 32 lower-case hex digits: 128 random bits, chosen by the client, one per
// acquisition, used again by that acquisition's retries and by nothing else. It is a secret: who has
// it may renew and release the lease.
// A token is a whole number, 0 < token < 2^53. It is not a secret.
// A ttl is a duration, never a timestamp, counted from the moment the caller SENT the request.
// Fractions of a millisecond are cut off.
//
// # The safe deadline
//
// A holder may act on its lease until
//
//	sent + waited * (1 - 0.1 %) + ttl * (1 - 1 %) - 5 ms
//
// where sent was read from its own clock before the request was given to gRPC, and waited and ttl
// come from the answer to that very request (ttl: the smaller of asked and answered; waited: 0 for
// Renew). An interval of one clock plus an interval of another: two clocks are never compared. Every
// grant and renewal yields such a deadline; the latest counts.
//
// # Waiting in line
//
// Who asks for a name that is held, with a wait, stands in line for it: first come, first served, in
// the order in which the store took them in, whichever lockd they asked. A ticket says which place:
// smaller is earlier. A place belongs to a name and a lease id. It is
// - given up at once by a cancellation on a Session;
// - passed over, but kept for 10 s, when the wait is over, the client has gone or the server has:
//   whoever asks again with the same lease_id in that time, here or at another lockd, has it back.
// A name never falls free while somebody stands in line for it, so nobody overtakes.
//
// # Who calls
//
// A server may ask who calls: by a client certificate (its only URI, or else its only DNS name, as in
// "cert:spiffe://acme/team-a/worker"), or by metadata "authorization: Bearer ..." ("token:ci", "jwt:alice"), which goes
// before the certificate. Then a policy says who may do what to which names, and a call without an answer to both ends with
// UNAUTHENTICATED or PERMISSION_DENIED, whichever RPC of whichever service it is. A stream is asked with each message,
// and for each operation in it. A lease is its principal's: to renew or release it, to repeat its
// acquisition or to have its place in line again takes the lease id and the identity that acquired it; whoever
// has only one of them finds what anybody would find. Who may not read a name is not shown who holds it.
//
// # Errors
//
// Every error carries a google.rpc.ErrorInfo with domain "lockd" and one of these reasons:
//
//	code                 reason             meaning
//	ABORTED              LEASE_HELD         another lease is in force; details: Held, google.rpc.RetryInfo
//	ABORTED              SUPERSEDED         a later attempt of the same lease id has already been served
//	FAILED_PRECONDITION  LEASE_LOST         the lease is gone; final, acquire anew with a new lease id; details: Loss if the cause is known
//	FAILED_PRECONDITION  TOKEN_NOT_IN_FORCE the token to force is not the one in force; details: Held if one is
//	UNAVAILABLE          STORE_UNAVAILABLE  the store did not answer, the outcome is unknown; retry with the same lease id
//	UNAVAILABLE          GRANTS_REFUSED     the store may not grant now (clock skew, eviction); nothing was done, renew and release go on
//	UNAVAILABLE          DRAINING           this server is going away; retry at another one
//	INVALID_ARGUMENT     INVALID_ARGUMENT   a field is wrong; details: google.rpc.BadRequest names it and what would be right
//	RESOURCE_EXHAUSTED   STORE_FULL         the store is out of memory; nothing was done
//	RESOURCE_EXHAUSTED   OVERLOADED         too many outcomes are still unknown here, or too many wait; nothing was done
//	RESOURCE_EXHAUSTED   LINE_FULL          too many wait for this name; nothing was done
//	RESOURCE_EXHAUSTED   OVER_LIMIT         the caller, or all together, have or ask too much; nothing was done; details: google.rpc.RetryInfo
//	RESOURCE_EXHAUSTED   SLOW_READER        a stream's client does not read what it is sent; the stream has ended
//	UNAUTHENTICATED      UNAUTHENTICATED    who calls is nobody that is known here, or not any more; nothing was done
//	PERMISSION_DENIED    PERMISSION_DENIED  who calls may not do that, whether or not there is anything of that name; nothing was done
//	INVALID_ARGUMENT     PROTOCOL           a stream's client broke its rules; the stream has ended
//	INTERNAL             INTERNAL           a fault of the server; its text is in the server's log only
//
// Every RPC and every operation may be answered OVER_LIMIT; renewals and releases at twice the rate of the others.
//
// CANCELLED and DEADLINE_EXCEEDED speak of the caller's own context and carry no reason. Neither do the
// refusals of gRPC itself: RESOURCE_EXHAUSTED for a request over 64 KiB, UNIMPLEMENTED for an unknown RPC.

// Code generated by protoc-gen-go. DO NOT EDIT.
// versions:
// 	protoc-gen-go v1.36.12
// 	protoc        v3.21.12
// source: proto/lockd/v1/lockd.proto

package lockdv1

import (
	protoreflect "google.golang.org/protobuf/reflect/protoreflect"
	protoimpl "google.golang.org/protobuf/runtime/protoimpl"
	durationpb "google.golang.org/protobuf/types/known/durationpb"
	timestamppb "google.golang.org/protobuf/types/known/timestamppb"
	reflect "reflect"
	sync "sync"
	unsafe "unsafe"
)

const (
	// Verify that this generated code is sufficiently up-to-date.
	_ = protoimpl.EnforceVersion(20 - protoimpl.MinVersion)
	// Verify that runtime/protoimpl is sufficiently up-to-date.
	_ = protoimpl.EnforceVersion(protoimpl.MaxVersion - 20)
)

type Loss_Cause int32

const (
	Loss_CAUSE_UNSPECIFIED Loss_Cause = 0 // not known here
	// It was not renewed in time. Its holder's own clock says so before any server does. A lockd that granted or renewed
	// the lease on this session says so when it grants the name anew, or is asked to renew what is over. With a reason, no
	// renewal could have kept it: its longest hold was over.
	Loss_EXPIRED Loss_Cause = 1
	// An operator ended it.
	Loss_FORCED Loss_Cause = 2
	// The name was granted to another while, for all this lockd knows, the lease should have stood: the store lost it.
	Loss_GRANTED_TO_ANOTHER Loss_Cause = 3
)

// Enum value maps for Loss_Cause.
var (
	Loss_Cause_name = map[int32]string{
		0: "CAUSE_UNSPECIFIED",
		1: "EXPIRED",
		2: "FORCED",
		3: "GRANTED_TO_ANOTHER",
	}
	Loss_Cause_value = map[string]int32{
		"CAUSE_UNSPECIFIED":  0,
		"EXPIRED":            1,
		"FORCED":             2,
		"GRANTED_TO_ANOTHER": 3,
	}
)

func (x Loss_Cause) Enum() *Loss_Cause {
	p := new(Loss_Cause)
	*p = x
	return p
}

func (x Loss_Cause) String() string {
	return protoimpl.X.EnumStringOf(x.Descriptor(), protoreflect.EnumNumber(x))
}

func (Loss_Cause) Descriptor() protoreflect.EnumDescriptor {
	return file_proto_lockd_v1_lockd_proto_enumTypes[0].Descriptor()
}

func (Loss_Cause) Type() protoreflect.EnumType {
	return &file_proto_lockd_v1_lockd_proto_enumTypes[0]
}

func (x Loss_Cause) Number() protoreflect.EnumNumber {
	return protoreflect.EnumNumber(x)
}

// Deprecated: Use Loss_Cause.Descriptor instead.
func (Loss_Cause) EnumDescriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{2, 0}
}

// What a release found. Nothing was changed unless it is HELD.
type ReleaseResponse_Outcome int32

const (
	ReleaseResponse_OUTCOME_UNSPECIFIED ReleaseResponse_Outcome = 0
	// The lease was held and is released.
	ReleaseResponse_HELD ReleaseResponse_Outcome = 1
	// The name was free: the lease had ended before, or an earlier release did it.
	ReleaseResponse_GONE ReleaseResponse_Outcome = 2
	// The lease had ended before and the name has been granted to another.
	ReleaseResponse_HELD_BY_OTHER ReleaseResponse_Outcome = 3
)

// Enum value maps for ReleaseResponse_Outcome.
var (
	ReleaseResponse_Outcome_name = map[int32]string{
		0: "OUTCOME_UNSPECIFIED",
		1: "HELD",
		2: "GONE",
		3: "HELD_BY_OTHER",
	}
	ReleaseResponse_Outcome_value = map[string]int32{
		"OUTCOME_UNSPECIFIED": 0,
		"HELD":                1,
		"GONE":                2,
		"HELD_BY_OTHER":       3,
	}
)

func (x ReleaseResponse_Outcome) Enum() *ReleaseResponse_Outcome {
	p := new(ReleaseResponse_Outcome)
	*p = x
	return p
}

func (x ReleaseResponse_Outcome) String() string {
	return protoimpl.X.EnumStringOf(x.Descriptor(), protoreflect.EnumNumber(x))
}

func (ReleaseResponse_Outcome) Descriptor() protoreflect.EnumDescriptor {
	return file_proto_lockd_v1_lockd_proto_enumTypes[1].Descriptor()
}

func (ReleaseResponse_Outcome) Type() protoreflect.EnumType {
	return &file_proto_lockd_v1_lockd_proto_enumTypes[1]
}

func (x ReleaseResponse_Outcome) Number() protoreflect.EnumNumber {
	return protoreflect.EnumNumber(x)
}

// Deprecated: Use ReleaseResponse_Outcome.Descriptor instead.
func (ReleaseResponse_Outcome) EnumDescriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{9, 0}
}

type Event_Kind int32

const (
	Event_KIND_UNSPECIFIED Event_Kind = 0
	// The watch has begun. Always first; sent once.
	Event_SYNCED Event_Kind = 1
	// A lease was granted.
	Event_ACQUIRED Event_Kind = 2
	// Its holder gave it back.
	Event_RELEASED Event_Kind = 3
	// It ran out; reported when noticed, within a second.
	Event_EXPIRED Event_Kind = 4
	// An operator ended it.
	Event_FORCED Event_Kind = 5
	// Somebody took a place in line.
	Event_QUEUED Event_Kind = 6
	// Somebody left the line without a lease, or is passed over for now.
	Event_LEFT Event_Kind = 7
	// Events are missing here.
	Event_MISSED Event_Kind = 8
)

// Enum value maps for Event_Kind.
var (
	Event_Kind_name = map[int32]string{
		0: "KIND_UNSPECIFIED",
		1: "SYNCED",
		2: "ACQUIRED",
		3: "RELEASED",
		4: "EXPIRED",
		5: "FORCED",
		6: "QUEUED",
		7: "LEFT",
		8: "MISSED",
	}
	Event_Kind_value = map[string]int32{
		"KIND_UNSPECIFIED": 0,
		"SYNCED":           1,
		"ACQUIRED":         2,
		"RELEASED":         3,
		"EXPIRED":          4,
		"FORCED":           5,
		"QUEUED":           6,
		"LEFT":             7,
		"MISSED":           8,
	}
)

func (x Event_Kind) Enum() *Event_Kind {
	p := new(Event_Kind)
	*p = x
	return p
}

func (x Event_Kind) String() string {
	return protoimpl.X.EnumStringOf(x.Descriptor(), protoreflect.EnumNumber(x))
}

func (Event_Kind) Descriptor() protoreflect.EnumDescriptor {
	return file_proto_lockd_v1_lockd_proto_enumTypes[2].Descriptor()
}

func (Event_Kind) Type() protoreflect.EnumType {
	return &file_proto_lockd_v1_lockd_proto_enumTypes[2]
}

func (x Event_Kind) Number() protoreflect.EnumNumber {
	return protoreflect.EnumNumber(x)
}

// Deprecated: Use Event_Kind.Descriptor instead.
func (Event_Kind) EnumDescriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{24, 0}
}

type Finding_Severity int32

const (
	Finding_SEVERITY_UNSPECIFIED Finding_Severity = 0
	// It costs something, or may surprise somebody.
	Finding_NOTE Finding_Severity = 1
	// A failure, or time, is enough to break a promise.
	Finding_WARNING Finding_Severity = 2
	// Leases are not granted, or a promise does not hold, now.
	Finding_CRITICAL Finding_Severity = 3
)

// Enum value maps for Finding_Severity.
var (
	Finding_Severity_name = map[int32]string{
		0: "SEVERITY_UNSPECIFIED",
		1: "NOTE",
		2: "WARNING",
		3: "CRITICAL",
	}
	Finding_Severity_value = map[string]int32{
		"SEVERITY_UNSPECIFIED": 0,
		"NOTE":                 1,
		"WARNING":              2,
		"CRITICAL":             3,
	}
)

func (x Finding_Severity) Enum() *Finding_Severity {
	p := new(Finding_Severity)
	*p = x
	return p
}

func (x Finding_Severity) String() string {
	return protoimpl.X.EnumStringOf(x.Descriptor(), protoreflect.EnumNumber(x))
}

func (Finding_Severity) Descriptor() protoreflect.EnumDescriptor {
	return file_proto_lockd_v1_lockd_proto_enumTypes[3].Descriptor()
}

func (Finding_Severity) Type() protoreflect.EnumType {
	return &file_proto_lockd_v1_lockd_proto_enumTypes[3]
}

func (x Finding_Severity) Number() protoreflect.EnumNumber {
	return protoreflect.EnumNumber(x)
}

// Deprecated: Use Finding_Severity.Descriptor instead.
func (Finding_Severity) EnumDescriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{42, 0}
}

// Lease is what may be known of a lease by anybody. The lease id is never shown.
type Lease struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// What is locked.
	Name string `protobuf:"bytes,1,opt,name=name,proto3" json:"name,omitempty"`
	// The fencing token: larger than every token granted before it for this name. In JSON a decimal
	// string.
	Token int64 `protobuf:"varint,2,opt,name=token,proto3" json:"token,omitempty"`
	// Who holds it, for people. Never used for authority.
	Owner string `protobuf:"bytes,3,opt,name=owner,proto3" json:"owner,omitempty"`
	// Who holds it, as authenticated by the server; "" while nothing is authenticated.
	Principal string `protobuf:"bytes,4,opt,name=principal,proto3" json:"principal,omitempty"`
	// When it was granted, by the store's clock.
	Since *timestamppb.Timestamp `protobuf:"bytes,5,opt,name=since,proto3" json:"since,omitempty"`
	// How long it lasts from each renewal on. As the answer to a renewal, what was set, which is less than what was asked for
	// when max_hold is about to be over, and 0 then: its holder counts with the smaller of both.
	Ttl *durationpb.Duration `protobuf:"bytes,6,opt,name=ttl,proto3" json:"ttl,omitempty"`
	// What its holder may still count on; 0 in the grace that follows, in which the name is still
	// taken and a renewal still succeeds.
	TtlLeft *durationpb.Duration `protobuf:"bytes,7,opt,name=ttl_left,json=ttlLeft,proto3" json:"ttl_left,omitempty"`
	// What its owner attached at the first grant.
	Metadata map[string]string `protobuf:"bytes,8,rep,name=metadata,proto3" json:"metadata,omitempty" protobuf_key:"bytes,1,opt,name=key" protobuf_val:"bytes,2,opt,name=value"`
	// For how long leases on this name may be renewed in all, counted from the grant; absent: for ever, or not told here. Told
	// by Acquire, Renew and Get.
	MaxHold *durationpb.Duration `protobuf:"bytes,9,opt,name=max_hold,json=maxHold,proto3" json:"max_hold,omitempty"`
	// What is left of that, by the store's clock; 0 when it is over. No ttl reaches beyond it.
	HoldEndsIn *durationpb.Duration `protobuf:"bytes,10,opt,name=hold_ends_in,json=holdEndsIn,proto3" json:"hold_ends_in,omitempty"`
	// Set if nobody has it any more: it ran out, or was ended by force, and by the server's policy its name stays closed after
	// that, for so long still. Nobody is granted it until then, in line or not; ttl_left is 0.
	ClosedFor     *durationpb.Duration `protobuf:"bytes,11,opt,name=closed_for,json=closedFor,proto3" json:"closed_for,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Lease) Reset() {
	*x = Lease{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[0]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Lease) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Lease) ProtoMessage() {}

func (x *Lease) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[0]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Lease.ProtoReflect.Descriptor instead.
func (*Lease) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{0}
}

func (x *Lease) GetName() string {
	if x != nil {
		return x.Name
	}
	return ""
}

func (x *Lease) GetToken() int64 {
	if x != nil {
		return x.Token
	}
	return 0
}

func (x *Lease) GetOwner() string {
	if x != nil {
		return x.Owner
	}
	return ""
}

func (x *Lease) GetPrincipal() string {
	if x != nil {
		return x.Principal
	}
	return ""
}

func (x *Lease) GetSince() *timestamppb.Timestamp {
	if x != nil {
		return x.Since
	}
	return nil
}

func (x *Lease) GetTtl() *durationpb.Duration {
	if x != nil {
		return x.Ttl
	}
	return nil
}

func (x *Lease) GetTtlLeft() *durationpb.Duration {
	if x != nil {
		return x.TtlLeft
	}
	return nil
}

func (x *Lease) GetMetadata() map[string]string {
	if x != nil {
		return x.Metadata
	}
	return nil
}

func (x *Lease) GetMaxHold() *durationpb.Duration {
	if x != nil {
		return x.MaxHold
	}
	return nil
}

func (x *Lease) GetHoldEndsIn() *durationpb.Duration {
	if x != nil {
		return x.HoldEndsIn
	}
	return nil
}

func (x *Lease) GetClosedFor() *durationpb.Duration {
	if x != nil {
		return x.ClosedFor
	}
	return nil
}

// Held says who stands in the way. It is a detail of LEASE_HELD and TOKEN_NOT_IN_FORCE.
type Held struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// The lease in force; its name alone, and token 0, if the caller may not know whose it is. With closed_for set nobody
	// holds the name, and this is the lease that was lost.
	Lease *Lease `protobuf:"bytes,1,opt,name=lease,proto3" json:"lease,omitempty"`
	// Until the name is free unless the lease is renewed; longer than the lease's ttl_left by a grace, and by the lock-delay if
	// its name has one. The same as closed_for where that is set.
	ExpiresIn *durationpb.Duration `protobuf:"bytes,2,opt,name=expires_in,json=expiresIn,proto3" json:"expires_in,omitempty"`
	// The caller's place in line, 1 being next; 0 if it does not stand in line. As last looked at.
	Place int64 `protobuf:"varint,3,opt,name=place,proto3" json:"place,omitempty"`
	// The ticket of that place, as Get and Watch show it; 0 without one.
	Ticket        int64 `protobuf:"varint,4,opt,name=ticket,proto3" json:"ticket,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Held) Reset() {
	*x = Held{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[1]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Held) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Held) ProtoMessage() {}

func (x *Held) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[1]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Held.ProtoReflect.Descriptor instead.
func (*Held) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{1}
}

func (x *Held) GetLease() *Lease {
	if x != nil {
		return x.Lease
	}
	return nil
}

func (x *Held) GetExpiresIn() *durationpb.Duration {
	if x != nil {
		return x.ExpiresIn
	}
	return nil
}

func (x *Held) GetPlace() int64 {
	if x != nil {
		return x.Place
	}
	return 0
}

func (x *Held) GetTicket() int64 {
	if x != nil {
		return x.Ticket
	}
	return 0
}

// Loss says why a lease ended that its holder did not release.
type Loss struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	Cause Loss_Cause             `protobuf:"varint,1,opt,name=cause,proto3,enum=lockd.v1.Loss_Cause" json:"cause,omitempty"`
	// Who forced it, as they called themselves.
	By string `protobuf:"bytes,2,opt,name=by,proto3" json:"by,omitempty"`
	// Why, in their words; of EXPIRED, in lockd's.
	Reason        string `protobuf:"bytes,3,opt,name=reason,proto3" json:"reason,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Loss) Reset() {
	*x = Loss{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[2]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Loss) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Loss) ProtoMessage() {}

func (x *Loss) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[2]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Loss.ProtoReflect.Descriptor instead.
func (*Loss) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{2}
}

func (x *Loss) GetCause() Loss_Cause {
	if x != nil {
		return x.Cause
	}
	return Loss_CAUSE_UNSPECIFIED
}

func (x *Loss) GetBy() string {
	if x != nil {
		return x.By
	}
	return ""
}

func (x *Loss) GetReason() string {
	if x != nil {
		return x.Reason
	}
	return ""
}

// Waiter is one who stands in line.
type Waiter struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// Who waits, for people.
	Owner string `protobuf:"bytes,1,opt,name=owner,proto3" json:"owner,omitempty"`
	// Who waits, as authenticated by the server; "" while nothing is authenticated.
	Principal string `protobuf:"bytes,2,opt,name=principal,proto3" json:"principal,omitempty"`
	// When its place was taken, by the store's clock.
	Since *timestamppb.Timestamp `protobuf:"bytes,3,opt,name=since,proto3" json:"since,omitempty"`
	// Which place: smaller is earlier. Unique in its line.
	Ticket int64 `protobuf:"varint,4,opt,name=ticket,proto3" json:"ticket,omitempty"`
	// 1 is next.
	Place         int64 `protobuf:"varint,5,opt,name=place,proto3" json:"place,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Waiter) Reset() {
	*x = Waiter{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[3]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Waiter) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Waiter) ProtoMessage() {}

func (x *Waiter) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[3]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Waiter.ProtoReflect.Descriptor instead.
func (*Waiter) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{3}
}

func (x *Waiter) GetOwner() string {
	if x != nil {
		return x.Owner
	}
	return ""
}

func (x *Waiter) GetPrincipal() string {
	if x != nil {
		return x.Principal
	}
	return ""
}

func (x *Waiter) GetSince() *timestamppb.Timestamp {
	if x != nil {
		return x.Since
	}
	return nil
}

func (x *Waiter) GetTicket() int64 {
	if x != nil {
		return x.Ticket
	}
	return 0
}

func (x *Waiter) GetPlace() int64 {
	if x != nil {
		return x.Place
	}
	return 0
}

type AcquireRequest struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// Required.
	Name string `protobuf:"bytes,1,opt,name=name,proto3" json:"name,omitempty"`
	// Required; see Words.
	LeaseId string `protobuf:"bytes,2,opt,name=lease_id,json=leaseId,proto3" json:"lease_id,omitempty"`
	// 1 at the first sending of this lease_id, one more at each retry: the server undoes an attempt
	// that got no answer only while no later one took its place. 0: the caller does not count, and an
	// attempt that was repeated is never undone but left to its ttl.
	Attempt uint32 `protobuf:"varint,3,opt,name=attempt,proto3" json:"attempt,omitempty"`
	// For people: host, pid, service. At most 256 bytes without control characters.
	Owner string `protobuf:"bytes,4,opt,name=owner,proto3" json:"owner,omitempty"`
	// Absent: the server's default (30 s). Present: within the server's bounds (1 s to 1 h by default).
	Ttl *durationpb.Duration `protobuf:"bytes,5,opt,name=ttl,proto3" json:"ttl,omitempty"`
	// How long to stand in line while another holds the name. Absent or 0: answer at once. At most 5 min;
	// a client waits longer by asking again with the same lease_id, at best before the wait is over.
	Wait *durationpb.Duration `protobuf:"bytes,6,opt,name=wait,proto3" json:"wait,omitempty"`
	// For people and tools; at most 1 KiB, keys and values together. Keys are not empty.
	Metadata map[string]string `protobuf:"bytes,7,rep,name=metadata,proto3" json:"metadata,omitempty" protobuf_key:"bytes,1,opt,name=key" protobuf_val:"bytes,2,opt,name=value"`
	// The token this lease_id was granted, if the caller was ever told one; else 0. With it, a lease
	// that is gone answers LEASE_LOST instead of being granted anew.
	Token         int64 `protobuf:"varint,8,opt,name=token,proto3" json:"token,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *AcquireRequest) Reset() {
	*x = AcquireRequest{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[4]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *AcquireRequest) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*AcquireRequest) ProtoMessage() {}

func (x *AcquireRequest) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[4]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use AcquireRequest.ProtoReflect.Descriptor instead.
func (*AcquireRequest) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{4}
}

func (x *AcquireRequest) GetName() string {
	if x != nil {
		return x.Name
	}
	return ""
}

func (x *AcquireRequest) GetLeaseId() string {
	if x != nil {
		return x.LeaseId
	}
	return ""
}

func (x *AcquireRequest) GetAttempt() uint32 {
	if x != nil {
		return x.Attempt
	}
	return 0
}

func (x *AcquireRequest) GetOwner() string {
	if x != nil {
		return x.Owner
	}
	return ""
}

func (x *AcquireRequest) GetTtl() *durationpb.Duration {
	if x != nil {
		return x.Ttl
	}
	return nil
}

func (x *AcquireRequest) GetWait() *durationpb.Duration {
	if x != nil {
		return x.Wait
	}
	return nil
}

func (x *AcquireRequest) GetMetadata() map[string]string {
	if x != nil {
		return x.Metadata
	}
	return nil
}

func (x *AcquireRequest) GetToken() int64 {
	if x != nil {
		return x.Token
	}
	return 0
}

type AcquireResponse struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// The lease now held, with the ttl that was set.
	Lease *Lease `protobuf:"bytes,1,opt,name=lease,proto3" json:"lease,omitempty"`
	// How long the server had had the request when it began the store call that granted it: one of
	// the terms of the safe deadline. Too small is safe.
	Waited        *durationpb.Duration `protobuf:"bytes,2,opt,name=waited,proto3" json:"waited,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *AcquireResponse) Reset() {
	*x = AcquireResponse{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[5]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *AcquireResponse) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*AcquireResponse) ProtoMessage() {}

func (x *AcquireResponse) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[5]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use AcquireResponse.ProtoReflect.Descriptor instead.
func (*AcquireResponse) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{5}
}

func (x *AcquireResponse) GetLease() *Lease {
	if x != nil {
		return x.Lease
	}
	return nil
}

func (x *AcquireResponse) GetWaited() *durationpb.Duration {
	if x != nil {
		return x.Waited
	}
	return nil
}

type RenewRequest struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// Required.
	Name string `protobuf:"bytes,1,opt,name=name,proto3" json:"name,omitempty"`
	// Required.
	LeaseId string `protobuf:"bytes,2,opt,name=lease_id,json=leaseId,proto3" json:"lease_id,omitempty"`
	// Absent: the lease's own. Present: within the server's bounds.
	Ttl *durationpb.Duration `protobuf:"bytes,3,opt,name=ttl,proto3" json:"ttl,omitempty"`
	// The lease's token, if the caller says: helps LEASE_LOST to say why. It is not compared.
	Token         int64 `protobuf:"varint,4,opt,name=token,proto3" json:"token,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *RenewRequest) Reset() {
	*x = RenewRequest{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[6]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *RenewRequest) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*RenewRequest) ProtoMessage() {}

func (x *RenewRequest) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[6]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use RenewRequest.ProtoReflect.Descriptor instead.
func (*RenewRequest) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{6}
}

func (x *RenewRequest) GetName() string {
	if x != nil {
		return x.Name
	}
	return ""
}

func (x *RenewRequest) GetLeaseId() string {
	if x != nil {
		return x.LeaseId
	}
	return ""
}

func (x *RenewRequest) GetTtl() *durationpb.Duration {
	if x != nil {
		return x.Ttl
	}
	return nil
}

func (x *RenewRequest) GetToken() int64 {
	if x != nil {
		return x.Token
	}
	return 0
}

type RenewResponse struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// The lease, with the ttl that was set.
	Lease         *Lease `protobuf:"bytes,1,opt,name=lease,proto3" json:"lease,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *RenewResponse) Reset() {
	*x = RenewResponse{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[7]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *RenewResponse) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*RenewResponse) ProtoMessage() {}

func (x *RenewResponse) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[7]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use RenewResponse.ProtoReflect.Descriptor instead.
func (*RenewResponse) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{7}
}

func (x *RenewResponse) GetLease() *Lease {
	if x != nil {
		return x.Lease
	}
	return nil
}

type ReleaseRequest struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// Required.
	Name string `protobuf:"bytes,1,opt,name=name,proto3" json:"name,omitempty"`
	// Required.
	LeaseId       string `protobuf:"bytes,2,opt,name=lease_id,json=leaseId,proto3" json:"lease_id,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *ReleaseRequest) Reset() {
	*x = ReleaseRequest{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[8]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *ReleaseRequest) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*ReleaseRequest) ProtoMessage() {}

func (x *ReleaseRequest) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[8]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use ReleaseRequest.ProtoReflect.Descriptor instead.
func (*ReleaseRequest) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{8}
}

func (x *ReleaseRequest) GetName() string {
	if x != nil {
		return x.Name
	}
	return ""
}

func (x *ReleaseRequest) GetLeaseId() string {
	if x != nil {
		return x.LeaseId
	}
	return ""
}

type ReleaseResponse struct {
	state         protoimpl.MessageState  `protogen:"open.v1"`
	Outcome       ReleaseResponse_Outcome `protobuf:"varint,1,opt,name=outcome,proto3,enum=lockd.v1.ReleaseResponse_Outcome" json:"outcome,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *ReleaseResponse) Reset() {
	*x = ReleaseResponse{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[9]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *ReleaseResponse) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*ReleaseResponse) ProtoMessage() {}

func (x *ReleaseResponse) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[9]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use ReleaseResponse.ProtoReflect.Descriptor instead.
func (*ReleaseResponse) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{9}
}

func (x *ReleaseResponse) GetOutcome() ReleaseResponse_Outcome {
	if x != nil {
		return x.Outcome
	}
	return ReleaseResponse_OUTCOME_UNSPECIFIED
}

type GetRequest struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// Required.
	Name          string `protobuf:"bytes,1,opt,name=name,proto3" json:"name,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *GetRequest) Reset() {
	*x = GetRequest{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[10]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *GetRequest) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*GetRequest) ProtoMessage() {}

func (x *GetRequest) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[10]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use GetRequest.ProtoReflect.Descriptor instead.
func (*GetRequest) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{10}
}

func (x *GetRequest) GetName() string {
	if x != nil {
		return x.Name
	}
	return ""
}

type GetResponse struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	Name  string                 `protobuf:"bytes,1,opt,name=name,proto3" json:"name,omitempty"`
	// Whether a lease is in force.
	Held bool `protobuf:"varint,2,opt,name=held,proto3" json:"held,omitempty"`
	// The lease in force, or, while the name is closed, the one that was lost (then held is false, and closed_for is set in it);
	// absent when the name is free.
	Lease *Lease `protobuf:"bytes,3,opt,name=lease,proto3" json:"lease,omitempty"`
	// Who stands in line, in order: the first 100.
	Waiters []*Waiter `protobuf:"bytes,4,rep,name=waiters,proto3" json:"waiters,omitempty"`
	// How many stand in line. Who has gone without a word (its lockd died) and is further back than the waiters shown
	// may be counted still, until the line has come that far; so it is an estimate from above.
	WaiterCount int64 `protobuf:"varint,5,opt,name=waiter_count,json=waiterCount,proto3" json:"waiter_count,omitempty"`
	// On how many nodes of a quorum the lease was found, with its token, and of how many. A node that is silent, or slower
	// than the others, is counted as not having it; more than half is enough, and bears no further failure. Both are 0
	// where no quorum keeps leases, and when the name is free.
	Nodes         int32 `protobuf:"varint,6,opt,name=nodes,proto3" json:"nodes,omitempty"`
	OfNodes       int32 `protobuf:"varint,7,opt,name=of_nodes,json=ofNodes,proto3" json:"of_nodes,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *GetResponse) Reset() {
	*x = GetResponse{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[11]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *GetResponse) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*GetResponse) ProtoMessage() {}

func (x *GetResponse) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[11]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use GetResponse.ProtoReflect.Descriptor instead.
func (*GetResponse) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{11}
}

func (x *GetResponse) GetName() string {
	if x != nil {
		return x.Name
	}
	return ""
}

func (x *GetResponse) GetHeld() bool {
	if x != nil {
		return x.Held
	}
	return false
}

func (x *GetResponse) GetLease() *Lease {
	if x != nil {
		return x.Lease
	}
	return nil
}

func (x *GetResponse) GetWaiters() []*Waiter {
	if x != nil {
		return x.Waiters
	}
	return nil
}

func (x *GetResponse) GetWaiterCount() int64 {
	if x != nil {
		return x.WaiterCount
	}
	return 0
}

func (x *GetResponse) GetNodes() int32 {
	if x != nil {
		return x.Nodes
	}
	return 0
}

func (x *GetResponse) GetOfNodes() int32 {
	if x != nil {
		return x.OfNodes
	}
	return 0
}

type ListRequest struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// Only names that are this one or lie below it: "a/b" selects "a/b" and "a/b/...". Empty: all.
	Prefix string `protobuf:"bytes,1,opt,name=prefix,proto3" json:"prefix,omitempty"`
	// At most this many leases a page; 0: 100; at most 1000.
	PageSize int32 `protobuf:"varint,2,opt,name=page_size,json=pageSize,proto3" json:"page_size,omitempty"`
	// The next_page_token of the page before; empty: the first page.
	PageToken     string `protobuf:"bytes,3,opt,name=page_token,json=pageToken,proto3" json:"page_token,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *ListRequest) Reset() {
	*x = ListRequest{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[12]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *ListRequest) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*ListRequest) ProtoMessage() {}

func (x *ListRequest) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[12]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use ListRequest.ProtoReflect.Descriptor instead.
func (*ListRequest) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{12}
}

func (x *ListRequest) GetPrefix() string {
	if x != nil {
		return x.Prefix
	}
	return ""
}

func (x *ListRequest) GetPageSize() int32 {
	if x != nil {
		return x.PageSize
	}
	return 0
}

func (x *ListRequest) GetPageToken() string {
	if x != nil {
		return x.PageToken
	}
	return ""
}

type ListResponse struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// Up to page_size leases, possibly none although more pages follow: those in force, and, with closed_for set, those after
	// which names are closed.
	Leases []*Lease `protobuf:"bytes,1,rep,name=leases,proto3" json:"leases,omitempty"`
	// Pass it on for the next page; empty: this was the last.
	NextPageToken string `protobuf:"bytes,2,opt,name=next_page_token,json=nextPageToken,proto3" json:"next_page_token,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *ListResponse) Reset() {
	*x = ListResponse{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[13]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *ListResponse) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*ListResponse) ProtoMessage() {}

func (x *ListResponse) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[13]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use ListResponse.ProtoReflect.Descriptor instead.
func (*ListResponse) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{13}
}

func (x *ListResponse) GetLeases() []*Lease {
	if x != nil {
		return x.Leases
	}
	return nil
}

func (x *ListResponse) GetNextPageToken() string {
	if x != nil {
		return x.NextPageToken
	}
	return ""
}

type CheckTokenRequest struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// Required.
	Name string `protobuf:"bytes,1,opt,name=name,proto3" json:"name,omitempty"`
	// Required, 0 < token < 2^53.
	Token         int64 `protobuf:"varint,2,opt,name=token,proto3" json:"token,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *CheckTokenRequest) Reset() {
	*x = CheckTokenRequest{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[14]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *CheckTokenRequest) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*CheckTokenRequest) ProtoMessage() {}

func (x *CheckTokenRequest) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[14]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use CheckTokenRequest.ProtoReflect.Descriptor instead.
func (*CheckTokenRequest) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{14}
}

func (x *CheckTokenRequest) GetName() string {
	if x != nil {
		return x.Name
	}
	return ""
}

func (x *CheckTokenRequest) GetToken() int64 {
	if x != nil {
		return x.Token
	}
	return 0
}

type CheckTokenResponse struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// Whether a lease with this very token was in force when the store looked, its grace included.
	InForce       bool `protobuf:"varint,1,opt,name=in_force,json=inForce,proto3" json:"in_force,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *CheckTokenResponse) Reset() {
	*x = CheckTokenResponse{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[15]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *CheckTokenResponse) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*CheckTokenResponse) ProtoMessage() {}

func (x *CheckTokenResponse) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[15]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use CheckTokenResponse.ProtoReflect.Descriptor instead.
func (*CheckTokenResponse) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{15}
}

func (x *CheckTokenResponse) GetInForce() bool {
	if x != nil {
		return x.InForce
	}
	return false
}

type CanIRequest struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// Required: acquire, read, watch, force or admin.
	Verb string `protobuf:"bytes,1,opt,name=verb,proto3" json:"verb,omitempty"`
	// Required but for admin, which is about no name: with it, empty.
	Name          string `protobuf:"bytes,2,opt,name=name,proto3" json:"name,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *CanIRequest) Reset() {
	*x = CanIRequest{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[16]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *CanIRequest) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*CanIRequest) ProtoMessage() {}

func (x *CanIRequest) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[16]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use CanIRequest.ProtoReflect.Descriptor instead.
func (*CanIRequest) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{16}
}

func (x *CanIRequest) GetVerb() string {
	if x != nil {
		return x.Verb
	}
	return ""
}

func (x *CanIRequest) GetName() string {
	if x != nil {
		return x.Name
	}
	return ""
}

type CanIResponse struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// Whether the policy allows it. A server that does not ask who calls allows everything.
	Allowed bool `protobuf:"varint,1,opt,name=allowed,proto3" json:"allowed,omitempty"`
	// Who the caller is; "" where nobody is asked.
	Principal     string `protobuf:"bytes,2,opt,name=principal,proto3" json:"principal,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *CanIResponse) Reset() {
	*x = CanIResponse{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[17]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *CanIResponse) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*CanIResponse) ProtoMessage() {}

func (x *CanIResponse) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[17]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use CanIResponse.ProtoReflect.Descriptor instead.
func (*CanIResponse) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{17}
}

func (x *CanIResponse) GetAllowed() bool {
	if x != nil {
		return x.Allowed
	}
	return false
}

func (x *CanIResponse) GetPrincipal() string {
	if x != nil {
		return x.Principal
	}
	return ""
}

type ForceReleaseRequest struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// Required.
	Name string `protobuf:"bytes,1,opt,name=name,proto3" json:"name,omitempty"`
	// Required: the token of the lease to end, as Get shows it.
	Token int64 `protobuf:"varint,2,opt,name=token,proto3" json:"token,omitempty"`
	// Required, for the holder and the record: at most 256 bytes without control characters.
	Reason string `protobuf:"bytes,3,opt,name=reason,proto3" json:"reason,omitempty"`
	// Who forces, for the holder and the record: at most 256 bytes without control characters. A server that knows who
	// calls puts that first.
	By            string `protobuf:"bytes,4,opt,name=by,proto3" json:"by,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *ForceReleaseRequest) Reset() {
	*x = ForceReleaseRequest{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[18]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *ForceReleaseRequest) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*ForceReleaseRequest) ProtoMessage() {}

func (x *ForceReleaseRequest) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[18]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use ForceReleaseRequest.ProtoReflect.Descriptor instead.
func (*ForceReleaseRequest) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{18}
}

func (x *ForceReleaseRequest) GetName() string {
	if x != nil {
		return x.Name
	}
	return ""
}

func (x *ForceReleaseRequest) GetToken() int64 {
	if x != nil {
		return x.Token
	}
	return 0
}

func (x *ForceReleaseRequest) GetReason() string {
	if x != nil {
		return x.Reason
	}
	return ""
}

func (x *ForceReleaseRequest) GetBy() string {
	if x != nil {
		return x.By
	}
	return ""
}

type ForceReleaseResponse struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// The lease as it was when it was ended.
	Lease         *Lease `protobuf:"bytes,1,opt,name=lease,proto3" json:"lease,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *ForceReleaseResponse) Reset() {
	*x = ForceReleaseResponse{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[19]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *ForceReleaseResponse) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*ForceReleaseResponse) ProtoMessage() {}

func (x *ForceReleaseResponse) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[19]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use ForceReleaseResponse.ProtoReflect.Descriptor instead.
func (*ForceReleaseResponse) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{19}
}

func (x *ForceReleaseResponse) GetLease() *Lease {
	if x != nil {
		return x.Lease
	}
	return nil
}

type RequestReleaseRequest struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// Required.
	Name string `protobuf:"bytes,1,opt,name=name,proto3" json:"name,omitempty"`
	// Required: the token of the lease to be released, as Get shows it.
	Token int64 `protobuf:"varint,2,opt,name=token,proto3" json:"token,omitempty"`
	// Required, for the holder and the record: at most 256 bytes without control characters.
	Reason string `protobuf:"bytes,3,opt,name=reason,proto3" json:"reason,omitempty"`
	// Who asks, for the holder and the record: at most 256 bytes without control characters.
	By string `protobuf:"bytes,4,opt,name=by,proto3" json:"by,omitempty"`
	// When the lease is ended by force; absent or 0: never. At most 1 h, cut to milliseconds.
	ForceIn       *durationpb.Duration `protobuf:"bytes,5,opt,name=force_in,json=forceIn,proto3" json:"force_in,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *RequestReleaseRequest) Reset() {
	*x = RequestReleaseRequest{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[20]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *RequestReleaseRequest) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*RequestReleaseRequest) ProtoMessage() {}

func (x *RequestReleaseRequest) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[20]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use RequestReleaseRequest.ProtoReflect.Descriptor instead.
func (*RequestReleaseRequest) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{20}
}

func (x *RequestReleaseRequest) GetName() string {
	if x != nil {
		return x.Name
	}
	return ""
}

func (x *RequestReleaseRequest) GetToken() int64 {
	if x != nil {
		return x.Token
	}
	return 0
}

func (x *RequestReleaseRequest) GetReason() string {
	if x != nil {
		return x.Reason
	}
	return ""
}

func (x *RequestReleaseRequest) GetBy() string {
	if x != nil {
		return x.By
	}
	return ""
}

func (x *RequestReleaseRequest) GetForceIn() *durationpb.Duration {
	if x != nil {
		return x.ForceIn
	}
	return nil
}

type RequestReleaseResponse struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// The lease, which still stands.
	Lease         *Lease `protobuf:"bytes,1,opt,name=lease,proto3" json:"lease,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *RequestReleaseResponse) Reset() {
	*x = RequestReleaseResponse{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[21]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *RequestReleaseResponse) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*RequestReleaseResponse) ProtoMessage() {}

func (x *RequestReleaseResponse) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[21]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use RequestReleaseResponse.ProtoReflect.Descriptor instead.
func (*RequestReleaseResponse) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{21}
}

func (x *RequestReleaseResponse) GetLease() *Lease {
	if x != nil {
		return x.Lease
	}
	return nil
}

type WatchRequest struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// Only names that are this one or lie below it: "a/b" selects "a/b" and "a/b/...". Empty: all.
	Prefix        string `protobuf:"bytes,1,opt,name=prefix,proto3" json:"prefix,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *WatchRequest) Reset() {
	*x = WatchRequest{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[22]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *WatchRequest) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*WatchRequest) ProtoMessage() {}

func (x *WatchRequest) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[22]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use WatchRequest.ProtoReflect.Descriptor instead.
func (*WatchRequest) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{22}
}

func (x *WatchRequest) GetPrefix() string {
	if x != nil {
		return x.Prefix
	}
	return ""
}

type WatchResponse struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// At least one, in order.
	Events        []*Event `protobuf:"bytes,1,rep,name=events,proto3" json:"events,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *WatchResponse) Reset() {
	*x = WatchResponse{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[23]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *WatchResponse) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*WatchResponse) ProtoMessage() {}

func (x *WatchResponse) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[23]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use WatchResponse.ProtoReflect.Descriptor instead.
func (*WatchResponse) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{23}
}

func (x *WatchResponse) GetEvents() []*Event {
	if x != nil {
		return x.Events
	}
	return nil
}

// Event is something that happened to a name, or to the watch itself.
type Event struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	Kind  Event_Kind             `protobuf:"varint,1,opt,name=kind,proto3,enum=lockd.v1.Event_Kind" json:"kind,omitempty"`
	// Empty for SYNCED and MISSED.
	Name string `protobuf:"bytes,2,opt,name=name,proto3" json:"name,omitempty"`
	// When, by the store's clock; of EXPIRED, when it was noticed.
	At *timestamppb.Timestamp `protobuf:"bytes,3,opt,name=at,proto3" json:"at,omitempty"`
	// The lease's; 0 for QUEUED and LEFT.
	Token int64 `protobuf:"varint,4,opt,name=token,proto3" json:"token,omitempty"`
	// The lease's or the waiter's.
	Owner     string `protobuf:"bytes,5,opt,name=owner,proto3" json:"owner,omitempty"`
	Principal string `protobuf:"bytes,6,opt,name=principal,proto3" json:"principal,omitempty"`
	// Which place: of QUEUED and LEFT, and of ACQUIRED when it ended a wait in line.
	Ticket int64 `protobuf:"varint,7,opt,name=ticket,proto3" json:"ticket,omitempty"`
	// Who ended it and why; FORCED only.
	By     string `protobuf:"bytes,8,opt,name=by,proto3" json:"by,omitempty"`
	Reason string `protobuf:"bytes,9,opt,name=reason,proto3" json:"reason,omitempty"`
	// How many events are missing, 0 if not known; MISSED only.
	Missed        int64 `protobuf:"varint,10,opt,name=missed,proto3" json:"missed,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Event) Reset() {
	*x = Event{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[24]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Event) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Event) ProtoMessage() {}

func (x *Event) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[24]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Event.ProtoReflect.Descriptor instead.
func (*Event) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{24}
}

func (x *Event) GetKind() Event_Kind {
	if x != nil {
		return x.Kind
	}
	return Event_KIND_UNSPECIFIED
}

func (x *Event) GetName() string {
	if x != nil {
		return x.Name
	}
	return ""
}

func (x *Event) GetAt() *timestamppb.Timestamp {
	if x != nil {
		return x.At
	}
	return nil
}

func (x *Event) GetToken() int64 {
	if x != nil {
		return x.Token
	}
	return 0
}

func (x *Event) GetOwner() string {
	if x != nil {
		return x.Owner
	}
	return ""
}

func (x *Event) GetPrincipal() string {
	if x != nil {
		return x.Principal
	}
	return ""
}

func (x *Event) GetTicket() int64 {
	if x != nil {
		return x.Ticket
	}
	return 0
}

func (x *Event) GetBy() string {
	if x != nil {
		return x.By
	}
	return ""
}

func (x *Event) GetReason() string {
	if x != nil {
		return x.Reason
	}
	return ""
}

func (x *Event) GetMissed() int64 {
	if x != nil {
		return x.Missed
	}
	return 0
}

type SessionRequest struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// In the first message, and in no other.
	Hello *Hello `protobuf:"bytes,1,opt,name=hello,proto3" json:"hello,omitempty"`
	// What to do, in the order to begin it.
	Operations []*Operation `protobuf:"bytes,2,rep,name=operations,proto3" json:"operations,omitempty"`
	// Ids of acquisitions to give up, after operations. One that waits leaves the line at once and is
	// answered CANCELLED; one that was granted meanwhile is released; one that was answered otherwise
	// is none any more, and nothing happens.
	Cancels []uint64 `protobuf:"varint,3,rep,packed,name=cancels,proto3" json:"cancels,omitempty"`
	// Leases that the client holds already, from another stream: it wants to be told of their loss.
	Resumed       []*Resumed `protobuf:"bytes,4,rep,name=resumed,proto3" json:"resumed,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *SessionRequest) Reset() {
	*x = SessionRequest{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[25]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *SessionRequest) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*SessionRequest) ProtoMessage() {}

func (x *SessionRequest) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[25]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use SessionRequest.ProtoReflect.Descriptor instead.
func (*SessionRequest) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{25}
}

func (x *SessionRequest) GetHello() *Hello {
	if x != nil {
		return x.Hello
	}
	return nil
}

func (x *SessionRequest) GetOperations() []*Operation {
	if x != nil {
		return x.Operations
	}
	return nil
}

func (x *SessionRequest) GetCancels() []uint64 {
	if x != nil {
		return x.Cancels
	}
	return nil
}

func (x *SessionRequest) GetResumed() []*Resumed {
	if x != nil {
		return x.Resumed
	}
	return nil
}

// Hello begins a session.
type Hello struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// Which client, for the server's log, as in "lockd-go/0.1": at most 256 bytes without control characters.
	Client        string `protobuf:"bytes,1,opt,name=client,proto3" json:"client,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Hello) Reset() {
	*x = Hello{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[26]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Hello) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Hello) ProtoMessage() {}

func (x *Hello) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[26]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Hello.ProtoReflect.Descriptor instead.
func (*Hello) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{26}
}

func (x *Hello) GetClient() string {
	if x != nil {
		return x.Client
	}
	return ""
}

// Operation is one request.
type Operation struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// Larger than every id before it on this stream.
	Id uint64 `protobuf:"varint,1,opt,name=id,proto3" json:"id,omitempty"`
	// Types that are valid to be assigned to Request:
	//
	//	*Operation_Acquire
	//	*Operation_Renew
	//	*Operation_Release
	Request       isOperation_Request `protobuf_oneof:"request"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Operation) Reset() {
	*x = Operation{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[27]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Operation) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Operation) ProtoMessage() {}

func (x *Operation) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[27]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Operation.ProtoReflect.Descriptor instead.
func (*Operation) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{27}
}

func (x *Operation) GetId() uint64 {
	if x != nil {
		return x.Id
	}
	return 0
}

func (x *Operation) GetRequest() isOperation_Request {
	if x != nil {
		return x.Request
	}
	return nil
}

func (x *Operation) GetAcquire() *AcquireRequest {
	if x != nil {
		if x, ok := x.Request.(*Operation_Acquire); ok {
			return x.Acquire
		}
	}
	return nil
}

func (x *Operation) GetRenew() *RenewRequest {
	if x != nil {
		if x, ok := x.Request.(*Operation_Renew); ok {
			return x.Renew
		}
	}
	return nil
}

func (x *Operation) GetRelease() *ReleaseRequest {
	if x != nil {
		if x, ok := x.Request.(*Operation_Release); ok {
			return x.Release
		}
	}
	return nil
}

type isOperation_Request interface {
	isOperation_Request()
}

type Operation_Acquire struct {
	Acquire *AcquireRequest `protobuf:"bytes,2,opt,name=acquire,proto3,oneof"`
}

type Operation_Renew struct {
	Renew *RenewRequest `protobuf:"bytes,3,opt,name=renew,proto3,oneof"`
}

type Operation_Release struct {
	Release *ReleaseRequest `protobuf:"bytes,4,opt,name=release,proto3,oneof"`
}

func (*Operation_Acquire) isOperation_Request() {}

func (*Operation_Renew) isOperation_Request() {}

func (*Operation_Release) isOperation_Request() {}

// Resumed names a lease that was granted elsewhere.
type Resumed struct {
	state         protoimpl.MessageState `protogen:"open.v1"`
	Name          string                 `protobuf:"bytes,1,opt,name=name,proto3" json:"name,omitempty"`
	Token         int64                  `protobuf:"varint,2,opt,name=token,proto3" json:"token,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Resumed) Reset() {
	*x = Resumed{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[28]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Resumed) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Resumed) ProtoMessage() {}

func (x *Resumed) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[28]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Resumed.ProtoReflect.Descriptor instead.
func (*Resumed) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{28}
}

func (x *Resumed) GetName() string {
	if x != nil {
		return x.Name
	}
	return ""
}

func (x *Resumed) GetToken() int64 {
	if x != nil {
		return x.Token
	}
	return 0
}

type SessionResponse struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// In the first message.
	Welcome *Welcome `protobuf:"bytes,1,opt,name=welcome,proto3" json:"welcome,omitempty"`
	// Answers to operations.
	Answers []*Answer `protobuf:"bytes,2,rep,name=answers,proto3" json:"answers,omitempty"`
	// Leases of this client that are gone. It learns so at its next renewal, too.
	Lost []*Lost `protobuf:"bytes,3,rep,name=lost,proto3" json:"lost,omitempty"`
	// The server is going away: go on at another one. Sent once.
	Draining bool `protobuf:"varint,4,opt,name=draining,proto3" json:"draining,omitempty"`
	// Leases of this client that somebody asks it to release. The same may come more than once.
	ReleaseRequested []*ReleaseRequested `protobuf:"bytes,5,rep,name=release_requested,json=releaseRequested,proto3" json:"release_requested,omitempty"`
	// Leases of this client whose longest hold is about to be over: four fifths of it are. The same may come more than once.
	HoldEnding    []*HoldEnding `protobuf:"bytes,6,rep,name=hold_ending,json=holdEnding,proto3" json:"hold_ending,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *SessionResponse) Reset() {
	*x = SessionResponse{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[29]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *SessionResponse) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*SessionResponse) ProtoMessage() {}

func (x *SessionResponse) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[29]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use SessionResponse.ProtoReflect.Descriptor instead.
func (*SessionResponse) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{29}
}

func (x *SessionResponse) GetWelcome() *Welcome {
	if x != nil {
		return x.Welcome
	}
	return nil
}

func (x *SessionResponse) GetAnswers() []*Answer {
	if x != nil {
		return x.Answers
	}
	return nil
}

func (x *SessionResponse) GetLost() []*Lost {
	if x != nil {
		return x.Lost
	}
	return nil
}

func (x *SessionResponse) GetDraining() bool {
	if x != nil {
		return x.Draining
	}
	return false
}

func (x *SessionResponse) GetReleaseRequested() []*ReleaseRequested {
	if x != nil {
		return x.ReleaseRequested
	}
	return nil
}

func (x *SessionResponse) GetHoldEnding() []*HoldEnding {
	if x != nil {
		return x.HoldEnding
	}
	return nil
}

// Welcome answers the hello.
type Welcome struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// The server process, as in Status.
	Instance string `protobuf:"bytes,1,opt,name=instance,proto3" json:"instance,omitempty"`
	// Its version.
	Version       string `protobuf:"bytes,2,opt,name=version,proto3" json:"version,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Welcome) Reset() {
	*x = Welcome{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[30]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Welcome) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Welcome) ProtoMessage() {}

func (x *Welcome) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[30]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Welcome.ProtoReflect.Descriptor instead.
func (*Welcome) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{30}
}

func (x *Welcome) GetInstance() string {
	if x != nil {
		return x.Instance
	}
	return ""
}

func (x *Welcome) GetVersion() string {
	if x != nil {
		return x.Version
	}
	return ""
}

// Answer is what became of an operation.
type Answer struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// The operation's.
	Id uint64 `protobuf:"varint,1,opt,name=id,proto3" json:"id,omitempty"`
	// Types that are valid to be assigned to Result:
	//
	//	*Answer_Acquired
	//	*Answer_Renewed
	//	*Answer_Released
	//	*Answer_Error
	//	*Answer_Queued
	Result        isAnswer_Result `protobuf_oneof:"result"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Answer) Reset() {
	*x = Answer{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[31]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Answer) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Answer) ProtoMessage() {}

func (x *Answer) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[31]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Answer.ProtoReflect.Descriptor instead.
func (*Answer) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{31}
}

func (x *Answer) GetId() uint64 {
	if x != nil {
		return x.Id
	}
	return 0
}

func (x *Answer) GetResult() isAnswer_Result {
	if x != nil {
		return x.Result
	}
	return nil
}

func (x *Answer) GetAcquired() *AcquireResponse {
	if x != nil {
		if x, ok := x.Result.(*Answer_Acquired); ok {
			return x.Acquired
		}
	}
	return nil
}

func (x *Answer) GetRenewed() *RenewResponse {
	if x != nil {
		if x, ok := x.Result.(*Answer_Renewed); ok {
			return x.Renewed
		}
	}
	return nil
}

func (x *Answer) GetReleased() *ReleaseResponse {
	if x != nil {
		if x, ok := x.Result.(*Answer_Released); ok {
			return x.Released
		}
	}
	return nil
}

func (x *Answer) GetError() *Error {
	if x != nil {
		if x, ok := x.Result.(*Answer_Error); ok {
			return x.Error
		}
	}
	return nil
}

func (x *Answer) GetQueued() *Held {
	if x != nil {
		if x, ok := x.Result.(*Answer_Queued); ok {
			return x.Queued
		}
	}
	return nil
}

type isAnswer_Result interface {
	isAnswer_Result()
}

type Answer_Acquired struct {
	Acquired *AcquireResponse `protobuf:"bytes,2,opt,name=acquired,proto3,oneof"`
}

type Answer_Renewed struct {
	Renewed *RenewResponse `protobuf:"bytes,3,opt,name=renewed,proto3,oneof"`
}

type Answer_Released struct {
	Released *ReleaseResponse `protobuf:"bytes,4,opt,name=released,proto3,oneof"`
}

type Answer_Error struct {
	// It was not done, or nobody knows; see the head of this file.
	Error *Error `protobuf:"bytes,5,opt,name=error,proto3,oneof"`
}

type Answer_Queued struct {
	// Not final: the acquisition stands in line, behind this lease.
	Queued *Held `protobuf:"bytes,6,opt,name=queued,proto3,oneof"`
}

func (*Answer_Acquired) isAnswer_Result() {}

func (*Answer_Renewed) isAnswer_Result() {}

func (*Answer_Released) isAnswer_Result() {}

func (*Answer_Error) isAnswer_Result() {}

func (*Answer_Queued) isAnswer_Result() {}

// Error is a unary RPC's error with its details.
type Error struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// As google.rpc.Code.
	Code int32 `protobuf:"varint,1,opt,name=code,proto3" json:"code,omitempty"`
	// As in the head of this file; empty for CANCELLED and DEADLINE_EXCEEDED.
	Reason  string `protobuf:"bytes,2,opt,name=reason,proto3" json:"reason,omitempty"`
	Message string `protobuf:"bytes,3,opt,name=message,proto3" json:"message,omitempty"`
	// Of LEASE_HELD.
	Held *Held `protobuf:"bytes,4,opt,name=held,proto3" json:"held,omitempty"`
	// Of LEASE_LOST, if the cause is known.
	Loss *Loss `protobuf:"bytes,5,opt,name=loss,proto3" json:"loss,omitempty"`
	// Of INVALID_ARGUMENT: which one is wrong.
	Field string `protobuf:"bytes,6,opt,name=field,proto3" json:"field,omitempty"`
	// Of OVER_LIMIT: when asking again makes sense.
	RetryIn       *durationpb.Duration `protobuf:"bytes,7,opt,name=retry_in,json=retryIn,proto3" json:"retry_in,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Error) Reset() {
	*x = Error{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[32]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Error) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Error) ProtoMessage() {}

func (x *Error) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[32]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Error.ProtoReflect.Descriptor instead.
func (*Error) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{32}
}

func (x *Error) GetCode() int32 {
	if x != nil {
		return x.Code
	}
	return 0
}

func (x *Error) GetReason() string {
	if x != nil {
		return x.Reason
	}
	return ""
}

func (x *Error) GetMessage() string {
	if x != nil {
		return x.Message
	}
	return ""
}

func (x *Error) GetHeld() *Held {
	if x != nil {
		return x.Held
	}
	return nil
}

func (x *Error) GetLoss() *Loss {
	if x != nil {
		return x.Loss
	}
	return nil
}

func (x *Error) GetField() string {
	if x != nil {
		return x.Field
	}
	return ""
}

func (x *Error) GetRetryIn() *durationpb.Duration {
	if x != nil {
		return x.RetryIn
	}
	return nil
}

// Lost says that a lease has ended.
type Lost struct {
	state         protoimpl.MessageState `protogen:"open.v1"`
	Name          string                 `protobuf:"bytes,1,opt,name=name,proto3" json:"name,omitempty"`
	Token         int64                  `protobuf:"varint,2,opt,name=token,proto3" json:"token,omitempty"`
	Loss          *Loss                  `protobuf:"bytes,3,opt,name=loss,proto3" json:"loss,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Lost) Reset() {
	*x = Lost{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[33]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Lost) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Lost) ProtoMessage() {}

func (x *Lost) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[33]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Lost.ProtoReflect.Descriptor instead.
func (*Lost) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{33}
}

func (x *Lost) GetName() string {
	if x != nil {
		return x.Name
	}
	return ""
}

func (x *Lost) GetToken() int64 {
	if x != nil {
		return x.Token
	}
	return 0
}

func (x *Lost) GetLoss() *Loss {
	if x != nil {
		return x.Loss
	}
	return nil
}

// ReleaseRequested says that an operator wants a lease to be released.
type ReleaseRequested struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	Name  string                 `protobuf:"bytes,1,opt,name=name,proto3" json:"name,omitempty"`
	Token int64                  `protobuf:"varint,2,opt,name=token,proto3" json:"token,omitempty"`
	// Who asks, as they call themselves.
	By string `protobuf:"bytes,3,opt,name=by,proto3" json:"by,omitempty"`
	// Why, in their words.
	Reason string `protobuf:"bytes,4,opt,name=reason,proto3" json:"reason,omitempty"`
	// How long from now until the lease is ended by force; absent: it is not.
	ForceIn       *durationpb.Duration `protobuf:"bytes,5,opt,name=force_in,json=forceIn,proto3" json:"force_in,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *ReleaseRequested) Reset() {
	*x = ReleaseRequested{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[34]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *ReleaseRequested) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*ReleaseRequested) ProtoMessage() {}

func (x *ReleaseRequested) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[34]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use ReleaseRequested.ProtoReflect.Descriptor instead.
func (*ReleaseRequested) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{34}
}

func (x *ReleaseRequested) GetName() string {
	if x != nil {
		return x.Name
	}
	return ""
}

func (x *ReleaseRequested) GetToken() int64 {
	if x != nil {
		return x.Token
	}
	return 0
}

func (x *ReleaseRequested) GetBy() string {
	if x != nil {
		return x.By
	}
	return ""
}

func (x *ReleaseRequested) GetReason() string {
	if x != nil {
		return x.Reason
	}
	return ""
}

func (x *ReleaseRequested) GetForceIn() *durationpb.Duration {
	if x != nil {
		return x.ForceIn
	}
	return nil
}

// HoldEnding says that no renewal will keep a lease for much longer: its holder had better come to an end, release it, and
// acquire it anew if there is more to do. It is known where the lease was granted or renewed, so a client that
// renews hears it of whichever server; it is a hint, and every renewal says the same in Lease.hold_ends_in.
type HoldEnding struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	Name  string                 `protobuf:"bytes,1,opt,name=name,proto3" json:"name,omitempty"`
	Token int64                  `protobuf:"varint,2,opt,name=token,proto3" json:"token,omitempty"`
	// How long from now until the hold, and the lease with it, is over.
	HoldEndsIn *durationpb.Duration `protobuf:"bytes,3,opt,name=hold_ends_in,json=holdEndsIn,proto3" json:"hold_ends_in,omitempty"`
	// How long it is in all.
	MaxHold       *durationpb.Duration `protobuf:"bytes,4,opt,name=max_hold,json=maxHold,proto3" json:"max_hold,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *HoldEnding) Reset() {
	*x = HoldEnding{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[35]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *HoldEnding) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*HoldEnding) ProtoMessage() {}

func (x *HoldEnding) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[35]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use HoldEnding.ProtoReflect.Descriptor instead.
func (*HoldEnding) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{35}
}

func (x *HoldEnding) GetName() string {
	if x != nil {
		return x.Name
	}
	return ""
}

func (x *HoldEnding) GetToken() int64 {
	if x != nil {
		return x.Token
	}
	return 0
}

func (x *HoldEnding) GetHoldEndsIn() *durationpb.Duration {
	if x != nil {
		return x.HoldEndsIn
	}
	return nil
}

func (x *HoldEnding) GetMaxHold() *durationpb.Duration {
	if x != nil {
		return x.MaxHold
	}
	return nil
}

type StatusRequest struct {
	state         protoimpl.MessageState `protogen:"open.v1"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *StatusRequest) Reset() {
	*x = StatusRequest{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[36]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *StatusRequest) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*StatusRequest) ProtoMessage() {}

func (x *StatusRequest) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[36]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use StatusRequest.ProtoReflect.Descriptor instead.
func (*StatusRequest) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{36}
}

type StatusResponse struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// The server's version.
	Version string `protobuf:"bytes,1,opt,name=version,proto3" json:"version,omitempty"`
	// This server process: random, new at every start.
	Instance string `protobuf:"bytes,2,opt,name=instance,proto3" json:"instance,omitempty"`
	// When this process began to serve.
	Started *timestamppb.Timestamp `protobuf:"bytes,3,opt,name=started,proto3" json:"started,omitempty"`
	// What keeps the leases.
	Store         *StoreStatus `protobuf:"bytes,4,opt,name=store,proto3" json:"store,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *StatusResponse) Reset() {
	*x = StatusResponse{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[37]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *StatusResponse) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*StatusResponse) ProtoMessage() {}

func (x *StatusResponse) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[37]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use StatusResponse.ProtoReflect.Descriptor instead.
func (*StatusResponse) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{37}
}

func (x *StatusResponse) GetVersion() string {
	if x != nil {
		return x.Version
	}
	return ""
}

func (x *StatusResponse) GetInstance() string {
	if x != nil {
		return x.Instance
	}
	return ""
}

func (x *StatusResponse) GetStarted() *timestamppb.Timestamp {
	if x != nil {
		return x.Started
	}
	return nil
}

func (x *StatusResponse) GetStore() *StoreStatus {
	if x != nil {
		return x.Store
	}
	return nil
}

// StoreStatus describes a store as last checked.
type StoreStatus struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// "memory", "redis" or "redlock".
	Kind string `protobuf:"bytes,1,opt,name=kind,proto3" json:"kind,omitempty"`
	// Whether new leases can be had, as last checked. Renew and release go on, if the store answers and
	// takes writes.
	Grants bool `protobuf:"varint,2,opt,name=grants,proto3" json:"grants,omitempty"`
	// Why they cannot; empty when they can.
	Refusal string `protobuf:"bytes,3,opt,name=refusal,proto3" json:"refusal,omitempty"`
	// What endangers the promises without breaking them, in words for the operator.
	Warnings []string `protobuf:"bytes,4,rep,name=warnings,proto3" json:"warnings,omitempty"`
	// The servers behind the store; none for memory.
	Nodes []*NodeStatus `protobuf:"bytes,5,rep,name=nodes,proto3" json:"nodes,omitempty"`
	// Answers that belonged to another call; each one cost the connections that were open.
	Desynchronised int64 `protobuf:"varint,6,opt,name=desynchronised,proto3" json:"desynchronised,omitempty"`
	// Acquisitions given up, and releases, whose effect is not yet sure.
	PendingCleanups int64 `protobuf:"varint,7,opt,name=pending_cleanups,json=pendingCleanups,proto3" json:"pending_cleanups,omitempty"`
	unknownFields   protoimpl.UnknownFields
	sizeCache       protoimpl.SizeCache
}

func (x *StoreStatus) Reset() {
	*x = StoreStatus{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[38]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *StoreStatus) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*StoreStatus) ProtoMessage() {}

func (x *StoreStatus) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[38]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use StoreStatus.ProtoReflect.Descriptor instead.
func (*StoreStatus) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{38}
}

func (x *StoreStatus) GetKind() string {
	if x != nil {
		return x.Kind
	}
	return ""
}

func (x *StoreStatus) GetGrants() bool {
	if x != nil {
		return x.Grants
	}
	return false
}

func (x *StoreStatus) GetRefusal() string {
	if x != nil {
		return x.Refusal
	}
	return ""
}

func (x *StoreStatus) GetWarnings() []string {
	if x != nil {
		return x.Warnings
	}
	return nil
}

func (x *StoreStatus) GetNodes() []*NodeStatus {
	if x != nil {
		return x.Nodes
	}
	return nil
}

func (x *StoreStatus) GetDesynchronised() int64 {
	if x != nil {
		return x.Desynchronised
	}
	return 0
}

func (x *StoreStatus) GetPendingCleanups() int64 {
	if x != nil {
		return x.PendingCleanups
	}
	return 0
}

// NodeStatus describes one server behind a store as last checked.
type NodeStatus struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// Where it is, without secrets.
	Address string `protobuf:"bytes,1,opt,name=address,proto3" json:"address,omitempty"`
	// Whether it answered the last check.
	Reachable bool `protobuf:"varint,2,opt,name=reachable,proto3" json:"reachable,omitempty"`
	// What went wrong at the last check; empty when nothing did.
	Error string `protobuf:"bytes,3,opt,name=error,proto3" json:"error,omitempty"`
	// Its software's version.
	Version string `protobuf:"bytes,4,opt,name=version,proto3" json:"version,omitempty"`
	// "master" or "slave", in Redis's words.
	Role string `protobuf:"bytes,5,opt,name=role,proto3" json:"role,omitempty"`
	// Its run id: a new one means that it was restarted.
	RunId string `protobuf:"bytes,6,opt,name=run_id,json=runId,proto3" json:"run_id,omitempty"`
	// Its clock minus this server's, give or take half a round trip.
	ClockSkew *durationpb.Duration `protobuf:"bytes,7,opt,name=clock_skew,json=clockSkew,proto3" json:"clock_skew,omitempty"`
	// How it persists: "aof always", "aof everysec", "aof no", "aof" (policy not readable), "rdb", "none",
	// "unknown" (settings not readable).
	Persistence string `protobuf:"bytes,8,opt,name=persistence,proto3" json:"persistence,omitempty"`
	// What it evicts when full: "noeviction" is the one that keeps leases.
	Eviction string `protobuf:"bytes,9,opt,name=eviction,proto3" json:"eviction,omitempty"`
	// Of a node of a quorum: why what it says does not count, as it may have forgotten what it promised; empty when it does.
	Out string `protobuf:"bytes,10,opt,name=out,proto3" json:"out,omitempty"`
	// When it may count again, at the earliest; unset when it does, and when it takes an operator.
	OutUntil      *timestamppb.Timestamp `protobuf:"bytes,11,opt,name=out_until,json=outUntil,proto3" json:"out_until,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *NodeStatus) Reset() {
	*x = NodeStatus{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[39]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *NodeStatus) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*NodeStatus) ProtoMessage() {}

func (x *NodeStatus) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[39]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use NodeStatus.ProtoReflect.Descriptor instead.
func (*NodeStatus) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{39}
}

func (x *NodeStatus) GetAddress() string {
	if x != nil {
		return x.Address
	}
	return ""
}

func (x *NodeStatus) GetReachable() bool {
	if x != nil {
		return x.Reachable
	}
	return false
}

func (x *NodeStatus) GetError() string {
	if x != nil {
		return x.Error
	}
	return ""
}

func (x *NodeStatus) GetVersion() string {
	if x != nil {
		return x.Version
	}
	return ""
}

func (x *NodeStatus) GetRole() string {
	if x != nil {
		return x.Role
	}
	return ""
}

func (x *NodeStatus) GetRunId() string {
	if x != nil {
		return x.RunId
	}
	return ""
}

func (x *NodeStatus) GetClockSkew() *durationpb.Duration {
	if x != nil {
		return x.ClockSkew
	}
	return nil
}

func (x *NodeStatus) GetPersistence() string {
	if x != nil {
		return x.Persistence
	}
	return ""
}

func (x *NodeStatus) GetEviction() string {
	if x != nil {
		return x.Eviction
	}
	return ""
}

func (x *NodeStatus) GetOut() string {
	if x != nil {
		return x.Out
	}
	return ""
}

func (x *NodeStatus) GetOutUntil() *timestamppb.Timestamp {
	if x != nil {
		return x.OutUntil
	}
	return nil
}

type DiagnoseRequest struct {
	state         protoimpl.MessageState `protogen:"open.v1"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *DiagnoseRequest) Reset() {
	*x = DiagnoseRequest{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[40]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *DiagnoseRequest) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*DiagnoseRequest) ProtoMessage() {}

func (x *DiagnoseRequest) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[40]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use DiagnoseRequest.ProtoReflect.Descriptor instead.
func (*DiagnoseRequest) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{40}
}

type DiagnoseResponse struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// What was found, the gravest first; none if all is well, as far as could be looked at.
	Findings []*Finding `protobuf:"bytes,1,rep,name=findings,proto3" json:"findings,omitempty"`
	// What could not be looked at: nothing is known of it.
	Unchecked []*Unchecked `protobuf:"bytes,2,rep,name=unchecked,proto3" json:"unchecked,omitempty"`
	// How many checks were made, a check of each server counted by itself.
	Made          int32 `protobuf:"varint,3,opt,name=made,proto3" json:"made,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *DiagnoseResponse) Reset() {
	*x = DiagnoseResponse{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[41]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *DiagnoseResponse) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*DiagnoseResponse) ProtoMessage() {}

func (x *DiagnoseResponse) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[41]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use DiagnoseResponse.ProtoReflect.Descriptor instead.
func (*DiagnoseResponse) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{41}
}

func (x *DiagnoseResponse) GetFindings() []*Finding {
	if x != nil {
		return x.Findings
	}
	return nil
}

func (x *DiagnoseResponse) GetUnchecked() []*Unchecked {
	if x != nil {
		return x.Unchecked
	}
	return nil
}

func (x *DiagnoseResponse) GetMade() int32 {
	if x != nil {
		return x.Made
	}
	return 0
}

// Finding is something that endangers leases.
type Finding struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// The check's name, as docs/doctor.md has it. It stays the same.
	Check    string           `protobuf:"bytes,1,opt,name=check,proto3" json:"check,omitempty"`
	Severity Finding_Severity `protobuf:"varint,2,opt,name=severity,proto3,enum=lockd.v1.Finding_Severity" json:"severity,omitempty"`
	// Of what: "redis at 10.0.0.1:6379", "the store", "this lockd". Without secrets.
	Subject string `protobuf:"bytes,3,opt,name=subject,proto3" json:"subject,omitempty"`
	// What is wrong with it; reads on after the subject. For people, as the next two.
	Problem string `protobuf:"bytes,4,opt,name=problem,proto3" json:"problem,omitempty"`
	// What that may lead to.
	Endangers string `protobuf:"bytes,5,opt,name=endangers,proto3" json:"endangers,omitempty"`
	// What would be right.
	Remedy        string `protobuf:"bytes,6,opt,name=remedy,proto3" json:"remedy,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Finding) Reset() {
	*x = Finding{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[42]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Finding) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Finding) ProtoMessage() {}

func (x *Finding) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[42]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Finding.ProtoReflect.Descriptor instead.
func (*Finding) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{42}
}

func (x *Finding) GetCheck() string {
	if x != nil {
		return x.Check
	}
	return ""
}

func (x *Finding) GetSeverity() Finding_Severity {
	if x != nil {
		return x.Severity
	}
	return Finding_SEVERITY_UNSPECIFIED
}

func (x *Finding) GetSubject() string {
	if x != nil {
		return x.Subject
	}
	return ""
}

func (x *Finding) GetProblem() string {
	if x != nil {
		return x.Problem
	}
	return ""
}

func (x *Finding) GetEndangers() string {
	if x != nil {
		return x.Endangers
	}
	return ""
}

func (x *Finding) GetRemedy() string {
	if x != nil {
		return x.Remedy
	}
	return ""
}

// Unchecked is a check that could not be made.
type Unchecked struct {
	state   protoimpl.MessageState `protogen:"open.v1"`
	Check   string                 `protobuf:"bytes,1,opt,name=check,proto3" json:"check,omitempty"`
	Subject string                 `protobuf:"bytes,2,opt,name=subject,proto3" json:"subject,omitempty"`
	// Why not, for people.
	Why           string `protobuf:"bytes,3,opt,name=why,proto3" json:"why,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Unchecked) Reset() {
	*x = Unchecked{}
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[43]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Unchecked) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Unchecked) ProtoMessage() {}

func (x *Unchecked) ProtoReflect() protoreflect.Message {
	mi := &file_proto_lockd_v1_lockd_proto_msgTypes[43]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Unchecked.ProtoReflect.Descriptor instead.
func (*Unchecked) Descriptor() ([]byte, []int) {
	return file_proto_lockd_v1_lockd_proto_rawDescGZIP(), []int{43}
}

func (x *Unchecked) GetCheck() string {
	if x != nil {
		return x.Check
	}
	return ""
}

func (x *Unchecked) GetSubject() string {
	if x != nil {
		return x.Subject
	}
	return ""
}

func (x *Unchecked) GetWhy() string {
	if x != nil {
		return x.Why
	}
	return ""
}

var File_proto_lockd_v1_lockd_proto protoreflect.FileDescriptor

const file_proto_lockd_v1_lockd_proto_rawDesc = "" +
	"\n" +
	"\x1aproto/lockd/v1/lockd.proto\x12\blockd.v1\x1a\x1egoogle/protobuf/duration.proto\x1a\x1fgoogle/protobuf/timestamp.proto\"\x9f\x04\n" +
	"\x05Lease\x12\x12\n" +
	"\x04name\x18\x01 \x01(\tR\x04name\x12\x14\n" +
	"\x05token\x18\x02 \x01(\x03R\x05token\x12\x14\n" +
	"\x05owner\x18\x03 \x01(\tR\x05owner\x12\x1c\n" +
	"\tprincipal\x18\x04 \x01(\tR\tprincipal\x120\n" +
	"\x05since\x18\x05 \x01(\v2\x1a.google.protobuf.TimestampR\x05since\x12+\n" +
	"\x03ttl\x18\x06 \x01(\v2\x19.google.protobuf.DurationR\x03ttl\x124\n" +
	"\bttl_left\x18\a \x01(\v2\x19.google.protobuf.DurationR\attlLeft\x129\n" +
	"\bmetadata\x18\b \x03(\v2\x1d.lockd.v1.Lease.MetadataEntryR\bmetadata\x124\n" +
	"\bmax_hold\x18\t \x01(\v2\x19.google.protobuf.DurationR\amaxHold\x12;\n" +
	"\fhold_ends_in\x18\n" +
	" \x01(\v2\x19.google.protobuf.DurationR\n" +
	"holdEndsIn\x128\n" +
	"\n" +
	"closed_for\x18\v \x01(\v2\x19.google.protobuf.DurationR\tclosedFor\x1a;\n" +
	"\rMetadataEntry\x12\x10\n" +
	"\x03key\x18\x01 \x01(\tR\x03key\x12\x14\n" +
	"\x05value\x18\x02 \x01(\tR\x05value:\x028\x01\"\x95\x01\n" +
	"\x04Held\x12%\n" +
	"\x05lease\x18\x01 \x01(\v2\x0f.lockd.v1.LeaseR\x05lease\x128\n" +
	"\n" +
	"expires_in\x18\x02 \x01(\v2\x19.google.protobuf.DurationR\texpiresIn\x12\x14\n" +
	"\x05place\x18\x03 \x01(\x03R\x05place\x12\x16\n" +
	"\x06ticket\x18\x04 \x01(\x03R\x06ticket\"\xab\x01\n" +
	"\x04Loss\x12*\n" +
	"\x05cause\x18\x01 \x01(\x0e2\x14.lockd.v1.Loss.CauseR\x05cause\x12\x0e\n" +
	"\x02by\x18\x02 \x01(\tR\x02by\x12\x16\n" +
	"\x06reason\x18\x03 \x01(\tR\x06reason\"O\n" +
	"\x05Cause\x12\x15\n" +
	"\x11CAUSE_UNSPECIFIED\x10\x00\x12\v\n" +
	"\aEXPIRED\x10\x01\x12\n" +
	"\n" +
	"\x06FORCED\x10\x02\x12\x16\n" +
	"\x12GRANTED_TO_ANOTHER\x10\x03\"\x9c\x01\n" +
	"\x06Waiter\x12\x14\n" +
	"\x05owner\x18\x01 \x01(\tR\x05owner\x12\x1c\n" +
	"\tprincipal\x18\x02 \x01(\tR\tprincipal\x120\n" +
	"\x05since\x18\x03 \x01(\v2\x1a.google.protobuf.TimestampR\x05since\x12\x16\n" +
	"\x06ticket\x18\x04 \x01(\x03R\x06ticket\x12\x14\n" +
	"\x05place\x18\x05 \x01(\x03R\x05place\"\xe2\x02\n" +
	"\x0eAcquireRequest\x12\x12\n" +
	"\x04name\x18\x01 \x01(\tR\x04name\x12\x19\n" +
	"\blease_id\x18\x02 \x01(\tR\aleaseId\x12\x18\n" +
	"\aattempt\x18\x03 \x01(\rR\aattempt\x12\x14\n" +
	"\x05owner\x18\x04 \x01(\tR\x05owner\x12+\n" +
	"\x03ttl\x18\x05 \x01(\v2\x19.google.protobuf.DurationR\x03ttl\x12-\n" +
	"\x04wait\x18\x06 \x01(\v2\x19.google.protobuf.DurationR\x04wait\x12B\n" +
	"\bmetadata\x18\a \x03(\v2&.lockd.v1.AcquireRequest.MetadataEntryR\bmetadata\x12\x14\n" +
	"\x05token\x18\b \x01(\x03R\x05token\x1a;\n" +
	"\rMetadataEntry\x12\x10\n" +
	"\x03key\x18\x01 \x01(\tR\x03key\x12\x14\n" +
	"\x05value\x18\x02 \x01(\tR\x05value:\x028\x01\"k\n" +
	"\x0fAcquireResponse\x12%\n" +
	"\x05lease\x18\x01 \x01(\v2\x0f.lockd.v1.LeaseR\x05lease\x121\n" +
	"\x06waited\x18\x02 \x01(\v2\x19.google.protobuf.DurationR\x06waited\"\x80\x01\n" +
	"\fRenewRequest\x12\x12\n" +
	"\x04name\x18\x01 \x01(\tR\x04name\x12\x19\n" +
	"\blease_id\x18\x02 \x01(\tR\aleaseId\x12+\n" +
	"\x03ttl\x18\x03 \x01(\v2\x19.google.protobuf.DurationR\x03ttl\x12\x14\n" +
	"\x05token\x18\x04 \x01(\x03R\x05token\"6\n" +
	"\rRenewResponse\x12%\n" +
	"\x05lease\x18\x01 \x01(\v2\x0f.lockd.v1.LeaseR\x05lease\"?\n" +
	"\x0eReleaseRequest\x12\x12\n" +
	"\x04name\x18\x01 \x01(\tR\x04name\x12\x19\n" +
	"\blease_id\x18\x02 \x01(\tR\aleaseId\"\x99\x01\n" +
	"\x0fReleaseResponse\x12;\n" +
	"\aoutcome\x18\x01 \x01(\x0e2!.lockd.v1.ReleaseResponse.OutcomeR\aoutcome\"I\n" +
	"\aOutcome\x12\x17\n" +
	"\x13OUTCOME_UNSPECIFIED\x10\x00\x12\b\n" +
	"\x04HELD\x10\x01\x12\b\n" +
	"\x04GONE\x10\x02\x12\x11\n" +
	"\rHELD_BY_OTHER\x10\x03\" \n" +
	"\n" +
	"GetRequest\x12\x12\n" +
	"\x04name\x18\x01 \x01(\tR\x04name\"\xdc\x01\n" +
	"\vGetResponse\x12\x12\n" +
	"\x04name\x18\x01 \x01(\tR\x04name\x12\x12\n" +
	"\x04held\x18\x02 \x01(\bR\x04held\x12%\n" +
	"\x05lease\x18\x03 \x01(\v2\x0f.lockd.v1.LeaseR\x05lease\x12*\n" +
	"\awaiters\x18\x04 \x03(\v2\x10.lockd.v1.WaiterR\awaiters\x12!\n" +
	"\fwaiter_count\x18\x05 \x01(\x03R\vwaiterCount\x12\x14\n" +
	"\x05nodes\x18\x06 \x01(\x05R\x05nodes\x12\x19\n" +
	"\bof_nodes\x18\a \x01(\x05R\aofNodes\"a\n" +
	"\vListRequest\x12\x16\n" +
	"\x06prefix\x18\x01 \x01(\tR\x06prefix\x12\x1b\n" +
	"\tpage_size\x18\x02 \x01(\x05R\bpageSize\x12\x1d\n" +
	"\n" +
	"page_token\x18\x03 \x01(\tR\tpageToken\"_\n" +
	"\fListResponse\x12'\n" +
	"\x06leases\x18\x01 \x03(\v2\x0f.lockd.v1.LeaseR\x06leases\x12&\n" +
	"\x0fnext_page_token\x18\x02 \x01(\tR\rnextPageToken\"=\n" +
	"\x11CheckTokenRequest\x12\x12\n" +
	"\x04name\x18\x01 \x01(\tR\x04name\x12\x14\n" +
	"\x05token\x18\x02 \x01(\x03R\x05token\"/\n" +
	"\x12CheckTokenResponse\x12\x19\n" +
	"\bin_force\x18\x01 \x01(\bR\ainForce\"5\n" +
	"\vCanIRequest\x12\x12\n" +
	"\x04verb\x18\x01 \x01(\tR\x04verb\x12\x12\n" +
	"\x04name\x18\x02 \x01(\tR\x04name\"F\n" +
	"\fCanIResponse\x12\x18\n" +
	"\aallowed\x18\x01 \x01(\bR\aallowed\x12\x1c\n" +
	"\tprincipal\x18\x02 \x01(\tR\tprincipal\"g\n" +
	"\x13ForceReleaseRequest\x12\x12\n" +
	"\x04name\x18\x01 \x01(\tR\x04name\x12\x14\n" +
	"\x05token\x18\x02 \x01(\x03R\x05token\x12\x16\n" +
	"\x06reason\x18\x03 \x01(\tR\x06reason\x12\x0e\n" +
	"\x02by\x18\x04 \x01(\tR\x02by\"=\n" +
	"\x14ForceReleaseResponse\x12%\n" +
	"\x05lease\x18\x01 \x01(\v2\x0f.lockd.v1.LeaseR\x05lease\"\x9f\x01\n" +
	"\x15RequestReleaseRequest\x12\x12\n" +
	"\x04name\x18\x01 \x01(\tR\x04name\x12\x14\n" +
	"\x05token\x18\x02 \x01(\x03R\x05token\x12\x16\n" +
	"\x06reason\x18\x03 \x01(\tR\x06reason\x12\x0e\n" +
	"\x02by\x18\x04 \x01(\tR\x02by\x124\n" +
	"\bforce_in\x18\x05 \x01(\v2\x19.google.protobuf.DurationR\aforceIn\"?\n" +
	"\x16RequestReleaseResponse\x12%\n" +
	"\x05lease\x18\x01 \x01(\v2\x0f.lockd.v1.LeaseR\x05lease\"&\n" +
	"\fWatchRequest\x12\x16\n" +
	"\x06prefix\x18\x01 \x01(\tR\x06prefix\"8\n" +
	"\rWatchResponse\x12'\n" +
	"\x06events\x18\x01 \x03(\v2\x0f.lockd.v1.EventR\x06events\"\x94\x03\n" +
	"\x05Event\x12(\n" +
	"\x04kind\x18\x01 \x01(\x0e2\x14.lockd.v1.Event.KindR\x04kind\x12\x12\n" +
	"\x04name\x18\x02 \x01(\tR\x04name\x12*\n" +
	"\x02at\x18\x03 \x01(\v2\x1a.google.protobuf.TimestampR\x02at\x12\x14\n" +
	"\x05token\x18\x04 \x01(\x03R\x05token\x12\x14\n" +
	"\x05owner\x18\x05 \x01(\tR\x05owner\x12\x1c\n" +
	"\tprincipal\x18\x06 \x01(\tR\tprincipal\x12\x16\n" +
	"\x06ticket\x18\a \x01(\x03R\x06ticket\x12\x0e\n" +
	"\x02by\x18\b \x01(\tR\x02by\x12\x16\n" +
	"\x06reason\x18\t \x01(\tR\x06reason\x12\x16\n" +
	"\x06missed\x18\n" +
	" \x01(\x03R\x06missed\"\x7f\n" +
	"\x04Kind\x12\x14\n" +
	"\x10KIND_UNSPECIFIED\x10\x00\x12\n" +
	"\n" +
	"\x06SYNCED\x10\x01\x12\f\n" +
	"\bACQUIRED\x10\x02\x12\f\n" +
	"\bRELEASED\x10\x03\x12\v\n" +
	"\aEXPIRED\x10\x04\x12\n" +
	"\n" +
	"\x06FORCED\x10\x05\x12\n" +
	"\n" +
	"\x06QUEUED\x10\x06\x12\b\n" +
	"\x04LEFT\x10\a\x12\n" +
	"\n" +
	"\x06MISSED\x10\b\"\xb3\x01\n" +
	"\x0eSessionRequest\x12%\n" +
	"\x05hello\x18\x01 \x01(\v2\x0f.lockd.v1.HelloR\x05hello\x123\n" +
	"\n" +
	"operations\x18\x02 \x03(\v2\x13.lockd.v1.OperationR\n" +
	"operations\x12\x18\n" +
	"\acancels\x18\x03 \x03(\x04R\acancels\x12+\n" +
	"\aresumed\x18\x04 \x03(\v2\x11.lockd.v1.ResumedR\aresumed\"\x1f\n" +
	"\x05Hello\x12\x16\n" +
	"\x06client\x18\x01 \x01(\tR\x06client\"\xc2\x01\n" +
	"\tOperation\x12\x0e\n" +
	"\x02id\x18\x01 \x01(\x04R\x02id\x124\n" +
	"\aacquire\x18\x02 \x01(\v2\x18.lockd.v1.AcquireRequestH\x00R\aacquire\x12.\n" +
	"\x05renew\x18\x03 \x01(\v2\x16.lockd.v1.RenewRequestH\x00R\x05renew\x124\n" +
	"\arelease\x18\x04 \x01(\v2\x18.lockd.v1.ReleaseRequestH\x00R\areleaseB\t\n" +
	"\arequest\"3\n" +
	"\aResumed\x12\x12\n" +
	"\x04name\x18\x01 \x01(\tR\x04name\x12\x14\n" +
	"\x05token\x18\x02 \x01(\x03R\x05token\"\xaa\x02\n" +
	"\x0fSessionResponse\x12+\n" +
	"\awelcome\x18\x01 \x01(\v2\x11.lockd.v1.WelcomeR\awelcome\x12*\n" +
	"\aanswers\x18\x02 \x03(\v2\x10.lockd.v1.AnswerR\aanswers\x12\"\n" +
	"\x04lost\x18\x03 \x03(\v2\x0e.lockd.v1.LostR\x04lost\x12\x1a\n" +
	"\bdraining\x18\x04 \x01(\bR\bdraining\x12G\n" +
	"\x11release_requested\x18\x05 \x03(\v2\x1a.lockd.v1.ReleaseRequestedR\x10releaseRequested\x125\n" +
	"\vhold_ending\x18\x06 \x03(\v2\x14.lockd.v1.HoldEndingR\n" +
	"holdEnding\"?\n" +
	"\aWelcome\x12\x1a\n" +
	"\binstance\x18\x01 \x01(\tR\binstance\x12\x18\n" +
	"\aversion\x18\x02 \x01(\tR\aversion\"\x9c\x02\n" +
	"\x06Answer\x12\x0e\n" +
	"\x02id\x18\x01 \x01(\x04R\x02id\x127\n" +
	"\bacquired\x18\x02 \x01(\v2\x19.lockd.v1.AcquireResponseH\x00R\bacquired\x123\n" +
	"\arenewed\x18\x03 \x01(\v2\x17.lockd.v1.RenewResponseH\x00R\arenewed\x127\n" +
	"\breleased\x18\x04 \x01(\v2\x19.lockd.v1.ReleaseResponseH\x00R\breleased\x12'\n" +
	"\x05error\x18\x05 \x01(\v2\x0f.lockd.v1.ErrorH\x00R\x05error\x12(\n" +
	"\x06queued\x18\x06 \x01(\v2\x0e.lockd.v1.HeldH\x00R\x06queuedB\b\n" +
	"\x06result\"\xe1\x01\n" +
	"\x05Error\x12\x12\n" +
	"\x04code\x18\x01 \x01(\x05R\x04code\x12\x16\n" +
	"\x06reason\x18\x02 \x01(\tR\x06reason\x12\x18\n" +
	"\amessage\x18\x03 \x01(\tR\amessage\x12\"\n" +
	"\x04held\x18\x04 \x01(\v2\x0e.lockd.v1.HeldR\x04held\x12\"\n" +
	"\x04loss\x18\x05 \x01(\v2\x0e.lockd.v1.LossR\x04loss\x12\x14\n" +
	"\x05field\x18\x06 \x01(\tR\x05field\x124\n" +
	"\bretry_in\x18\a \x01(\v2\x19.google.protobuf.DurationR\aretryIn\"T\n" +
	"\x04Lost\x12\x12\n" +
	"\x04name\x18\x01 \x01(\tR\x04name\x12\x14\n" +
	"\x05token\x18\x02 \x01(\x03R\x05token\x12\"\n" +
	"\x04loss\x18\x03 \x01(\v2\x0e.lockd.v1.LossR\x04loss\"\x9a\x01\n" +
	"\x10ReleaseRequested\x12\x12\n" +
	"\x04name\x18\x01 \x01(\tR\x04name\x12\x14\n" +
	"\x05token\x18\x02 \x01(\x03R\x05token\x12\x0e\n" +
	"\x02by\x18\x03 \x01(\tR\x02by\x12\x16\n" +
	"\x06reason\x18\x04 \x01(\tR\x06reason\x124\n" +
	"\bforce_in\x18\x05 \x01(\v2\x19.google.protobuf.DurationR\aforceIn\"\xa9\x01\n" +
	"\n" +
	"HoldEnding\x12\x12\n" +
	"\x04name\x18\x01 \x01(\tR\x04name\x12\x14\n" +
	"\x05token\x18\x02 \x01(\x03R\x05token\x12;\n" +
	"\fhold_ends_in\x18\x03 \x01(\v2\x19.google.protobuf.DurationR\n" +
	"holdEndsIn\x124\n" +
	"\bmax_hold\x18\x04 \x01(\v2\x19.google.protobuf.DurationR\amaxHold\"\x0f\n" +
	"\rStatusRequest\"\xa9\x01\n" +
	"\x0eStatusResponse\x12\x18\n" +
	"\aversion\x18\x01 \x01(\tR\aversion\x12\x1a\n" +
	"\binstance\x18\x02 \x01(\tR\binstance\x124\n" +
	"\astarted\x18\x03 \x01(\v2\x1a.google.protobuf.TimestampR\astarted\x12+\n" +
	"\x05store\x18\x04 \x01(\v2\x15.lockd.v1.StoreStatusR\x05store\"\xee\x01\n" +
	"\vStoreStatus\x12\x12\n" +
	"\x04kind\x18\x01 \x01(\tR\x04kind\x12\x16\n" +
	"\x06grants\x18\x02 \x01(\bR\x06grants\x12\x18\n" +
	"\arefusal\x18\x03 \x01(\tR\arefusal\x12\x1a\n" +
	"\bwarnings\x18\x04 \x03(\tR\bwarnings\x12*\n" +
	"\x05nodes\x18\x05 \x03(\v2\x14.lockd.v1.NodeStatusR\x05nodes\x12&\n" +
	"\x0edesynchronised\x18\x06 \x01(\x03R\x0edesynchronised\x12)\n" +
	"\x10pending_cleanups\x18\a \x01(\x03R\x0fpendingCleanups\"\xe2\x02\n" +
	"\n" +
	"NodeStatus\x12\x18\n" +
	"\aaddress\x18\x01 \x01(\tR\aaddress\x12\x1c\n" +
	"\treachable\x18\x02 \x01(\bR\treachable\x12\x14\n" +
	"\x05error\x18\x03 \x01(\tR\x05error\x12\x18\n" +
	"\aversion\x18\x04 \x01(\tR\aversion\x12\x12\n" +
	"\x04role\x18\x05 \x01(\tR\x04role\x12\x15\n" +
	"\x06run_id\x18\x06 \x01(\tR\x05runId\x128\n" +
	"\n" +
	"clock_skew\x18\a \x01(\v2\x19.google.protobuf.DurationR\tclockSkew\x12 \n" +
	"\vpersistence\x18\b \x01(\tR\vpersistence\x12\x1a\n" +
	"\beviction\x18\t \x01(\tR\beviction\x12\x10\n" +
	"\x03out\x18\n" +
	" \x01(\tR\x03out\x127\n" +
	"\tout_until\x18\v \x01(\v2\x1a.google.protobuf.TimestampR\boutUntil\"\x11\n" +
	"\x0fDiagnoseRequest\"\x88\x01\n" +
	"\x10DiagnoseResponse\x12-\n" +
	"\bfindings\x18\x01 \x03(\v2\x11.lockd.v1.FindingR\bfindings\x121\n" +
	"\tunchecked\x18\x02 \x03(\v2\x13.lockd.v1.UncheckedR\tunchecked\x12\x12\n" +
	"\x04made\x18\x03 \x01(\x05R\x04made\"\x8c\x02\n" +
	"\aFinding\x12\x14\n" +
	"\x05check\x18\x01 \x01(\tR\x05check\x126\n" +
	"\bseverity\x18\x02 \x01(\x0e2\x1a.lockd.v1.Finding.SeverityR\bseverity\x12\x18\n" +
	"\asubject\x18\x03 \x01(\tR\asubject\x12\x18\n" +
	"\aproblem\x18\x04 \x01(\tR\aproblem\x12\x1c\n" +
	"\tendangers\x18\x05 \x01(\tR\tendangers\x12\x16\n" +
	"\x06remedy\x18\x06 \x01(\tR\x06remedy\"I\n" +
	"\bSeverity\x12\x18\n" +
	"\x14SEVERITY_UNSPECIFIED\x10\x00\x12\b\n" +
	"\x04NOTE\x10\x01\x12\v\n" +
	"\aWARNING\x10\x02\x12\f\n" +
	"\bCRITICAL\x10\x03\"M\n" +
	"\tUnchecked\x12\x14\n" +
	"\x05check\x18\x01 \x01(\tR\x05check\x12\x18\n" +
	"\asubject\x18\x02 \x01(\tR\asubject\x12\x10\n" +
	"\x03why\x18\x03 \x01(\tR\x03why2\xfc\x03\n" +
	"\fLeaseService\x12>\n" +
	"\aAcquire\x12\x18.lockd.v1.AcquireRequest\x1a\x19.lockd.v1.AcquireResponse\x128\n" +
	"\x05Renew\x12\x16.lockd.v1.RenewRequest\x1a\x17.lockd.v1.RenewResponse\x12>\n" +
	"\aRelease\x12\x18.lockd.v1.ReleaseRequest\x1a\x19.lockd.v1.ReleaseResponse\x122\n" +
	"\x03Get\x12\x14.lockd.v1.GetRequest\x1a\x15.lockd.v1.GetResponse\x125\n" +
	"\x04List\x12\x15.lockd.v1.ListRequest\x1a\x16.lockd.v1.ListResponse\x12G\n" +
	"\n" +
	"CheckToken\x12\x1b.lockd.v1.CheckTokenRequest\x1a\x1c.lockd.v1.CheckTokenResponse\x12:\n" +
	"\x05Watch\x12\x16.lockd.v1.WatchRequest\x1a\x17.lockd.v1.WatchResponse0\x01\x12B\n" +
	"\aSession\x12\x18.lockd.v1.SessionRequest\x1a\x19.lockd.v1.SessionResponse(\x010\x012D\n" +
	"\vAuthService\x125\n" +
	"\x04CanI\x12\x15.lockd.v1.CanIRequest\x1a\x16.lockd.v1.CanIResponse2\xb2\x02\n" +
	"\fAdminService\x12M\n" +
	"\fForceRelease\x12\x1d.lockd.v1.ForceReleaseRequest\x1a\x1e.lockd.v1.ForceReleaseResponse\x12S\n" +
	"\x0eRequestRelease\x12\x1f.lockd.v1.RequestReleaseRequest\x1a .lockd.v1.RequestReleaseResponse\x12;\n" +
	"\x06Status\x12\x17.lockd.v1.StatusRequest\x1a\x18.lockd.v1.StatusResponse\x12A\n" +
	"\bDiagnose\x12\x19.lockd.v1.DiagnoseRequest\x1a\x1a.lockd.v1.DiagnoseResponseB/Z-github.com/lockd/lockd/proto/lockd/v1;lockdv1b\x06proto3"

var (
	file_proto_lockd_v1_lockd_proto_rawDescOnce sync.Once
	file_proto_lockd_v1_lockd_proto_rawDescData []byte
)

func file_proto_lockd_v1_lockd_proto_rawDescGZIP() []byte {
	file_proto_lockd_v1_lockd_proto_rawDescOnce.Do(func() {
		file_proto_lockd_v1_lockd_proto_rawDescData = protoimpl.X.CompressGZIP(unsafe.Slice(unsafe.StringData(file_proto_lockd_v1_lockd_proto_rawDesc), len(file_proto_lockd_v1_lockd_proto_rawDesc)))
	})
	return file_proto_lockd_v1_lockd_proto_rawDescData
}

var file_proto_lockd_v1_lockd_proto_enumTypes = make([]protoimpl.EnumInfo, 4)
var file_proto_lockd_v1_lockd_proto_msgTypes = make([]protoimpl.MessageInfo, 46)
var file_proto_lockd_v1_lockd_proto_goTypes = []any{
	(Loss_Cause)(0),                // 0: lockd.v1.Loss.Cause
	(ReleaseResponse_Outcome)(0),   // 1: lockd.v1.ReleaseResponse.Outcome
	(Event_Kind)(0),                // 2: lockd.v1.Event.Kind
	(Finding_Severity)(0),          // 3: lockd.v1.Finding.Severity
	(*Lease)(nil),                  // 4: lockd.v1.Lease
	(*Held)(nil),                   // 5: lockd.v1.Held
	(*Loss)(nil),                   // 6: lockd.v1.Loss
	(*Waiter)(nil),                 // 7: lockd.v1.Waiter
	(*AcquireRequest)(nil),         // 8: lockd.v1.AcquireRequest
	(*AcquireResponse)(nil),        // 9: lockd.v1.AcquireResponse
	(*RenewRequest)(nil),           // 10: lockd.v1.RenewRequest
	(*RenewResponse)(nil),          // 11: lockd.v1.RenewResponse
	(*ReleaseRequest)(nil),         // 12: lockd.v1.ReleaseRequest
	(*ReleaseResponse)(nil),        // 13: lockd.v1.ReleaseResponse
	(*GetRequest)(nil),             // 14: lockd.v1.GetRequest
	(*GetResponse)(nil),            // 15: lockd.v1.GetResponse
	(*ListRequest)(nil),            // 16: lockd.v1.ListRequest
	(*ListResponse)(nil),           // 17: lockd.v1.ListResponse
	(*CheckTokenRequest)(nil),      // 18: lockd.v1.CheckTokenRequest
	(*CheckTokenResponse)(nil),     // 19: lockd.v1.CheckTokenResponse
	(*CanIRequest)(nil),            // 20: lockd.v1.CanIRequest
	(*CanIResponse)(nil),           // 21: lockd.v1.CanIResponse
	(*ForceReleaseRequest)(nil),    // 22: lockd.v1.ForceReleaseRequest
	(*ForceReleaseResponse)(nil),   // 23: lockd.v1.ForceReleaseResponse
	(*RequestReleaseRequest)(nil),  // 24: lockd.v1.RequestReleaseRequest
	(*RequestReleaseResponse)(nil), // 25: lockd.v1.RequestReleaseResponse
	(*WatchRequest)(nil),           // 26: lockd.v1.WatchRequest
	(*WatchResponse)(nil),          // 27: lockd.v1.WatchResponse
	(*Event)(nil),                  // 28: lockd.v1.Event
	(*SessionRequest)(nil),         // 29: lockd.v1.SessionRequest
	(*Hello)(nil),                  // 30: lockd.v1.Hello
	(*Operation)(nil),              // 31: lockd.v1.Operation
	(*Resumed)(nil),                // 32: lockd.v1.Resumed
	(*SessionResponse)(nil),        // 33: lockd.v1.SessionResponse
	(*Welcome)(nil),                // 34: lockd.v1.Welcome
	(*Answer)(nil),                 // 35: lockd.v1.Answer
	(*Error)(nil),                  // 36: lockd.v1.Error
	(*Lost)(nil),                   // 37: lockd.v1.Lost
	(*ReleaseRequested)(nil),       // 38: lockd.v1.ReleaseRequested
	(*HoldEnding)(nil),             // 39: lockd.v1.HoldEnding
	(*StatusRequest)(nil),          // 40: lockd.v1.StatusRequest
	(*StatusResponse)(nil),         // 41: lockd.v1.StatusResponse
	(*StoreStatus)(nil),            // 42: lockd.v1.StoreStatus
	(*NodeStatus)(nil),             // 43: lockd.v1.NodeStatus
	(*DiagnoseRequest)(nil),        // 44: lockd.v1.DiagnoseRequest
	(*DiagnoseResponse)(nil),       // 45: lockd.v1.DiagnoseResponse
	(*Finding)(nil),                // 46: lockd.v1.Finding
	(*Unchecked)(nil),              // 47: lockd.v1.Unchecked
	nil,                            // 48: lockd.v1.Lease.MetadataEntry
	nil,                            // 49: lockd.v1.AcquireRequest.MetadataEntry
	(*timestamppb.Timestamp)(nil),  // 50: google.protobuf.Timestamp
	(*durationpb.Duration)(nil),    // 51: google.protobuf.Duration
}
var file_proto_lockd_v1_lockd_proto_depIdxs = []int32{
	50, // 0: lockd.v1.Lease.since:type_name -> google.protobuf.Timestamp
	51, // 1: lockd.v1.Lease.ttl:type_name -> google.protobuf.Duration
	51, // 2: lockd.v1.Lease.ttl_left:type_name -> google.protobuf.Duration
	48, // 3: lockd.v1.Lease.metadata:type_name -> lockd.v1.Lease.MetadataEntry
	51, // 4: lockd.v1.Lease.max_hold:type_name -> google.protobuf.Duration
	51, // 5: lockd.v1.Lease.hold_ends_in:type_name -> google.protobuf.Duration
	51, // 6: lockd.v1.Lease.closed_for:type_name -> google.protobuf.Duration
	4,  // 7: lockd.v1.Held.lease:type_name -> lockd.v1.Lease
	51, // 8: lockd.v1.Held.expires_in:type_name -> google.protobuf.Duration
	0,  // 9: lockd.v1.Loss.cause:type_name -> lockd.v1.Loss.Cause
	50, // 10: lockd.v1.Waiter.since:type_name -> google.protobuf.Timestamp
	51, // 11: lockd.v1.AcquireRequest.ttl:type_name -> google.protobuf.Duration
	51, // 12: lockd.v1.AcquireRequest.wait:type_name -> google.protobuf.Duration
	49, // 13: lockd.v1.AcquireRequest.metadata:type_name -> lockd.v1.AcquireRequest.MetadataEntry
	4,  // 14: lockd.v1.AcquireResponse.lease:type_name -> lockd.v1.Lease
	51, // 15: lockd.v1.AcquireResponse.waited:type_name -> google.protobuf.Duration
	51, // 16: lockd.v1.RenewRequest.ttl:type_name -> google.protobuf.Duration
	4,  // 17: lockd.v1.RenewResponse.lease:type_name -> lockd.v1.Lease
	1,  // 18: lockd.v1.ReleaseResponse.outcome:type_name -> lockd.v1.ReleaseResponse.Outcome
	4,  // 19: lockd.v1.GetResponse.lease:type_name -> lockd.v1.Lease
	7,  // 20: lockd.v1.GetResponse.waiters:type_name -> lockd.v1.Waiter
	4,  // 21: lockd.v1.ListResponse.leases:type_name -> lockd.v1.Lease
	4,  // 22: lockd.v1.ForceReleaseResponse.lease:type_name -> lockd.v1.Lease
	51, // 23: lockd.v1.RequestReleaseRequest.force_in:type_name -> google.protobuf.Duration
	4,  // 24: lockd.v1.RequestReleaseResponse.lease:type_name -> lockd.v1.Lease
	28, // 25: lockd.v1.WatchResponse.events:type_name -> lockd.v1.Event
	2,  // 26: lockd.v1.Event.kind:type_name -> lockd.v1.Event.Kind
	50, // 27: lockd.v1.Event.at:type_name -> google.protobuf.Timestamp
	30, // 28: lockd.v1.SessionRequest.hello:type_name -> lockd.v1.Hello
	31, // 29: lockd.v1.SessionRequest.operations:type_name -> lockd.v1.Operation
	32, // 30: lockd.v1.SessionRequest.resumed:type_name -> lockd.v1.Resumed
	8,  // 31: lockd.v1.Operation.acquire:type_name -> lockd.v1.AcquireRequest
	10, // 32: lockd.v1.Operation.renew:type_name -> lockd.v1.RenewRequest
	12, // 33: lockd.v1.Operation.release:type_name -> lockd.v1.ReleaseRequest
	34, // 34: lockd.v1.SessionResponse.welcome:type_name -> lockd.v1.Welcome
	35, // 35: lockd.v1.SessionResponse.answers:type_name -> lockd.v1.Answer
	37, // 36: lockd.v1.SessionResponse.lost:type_name -> lockd.v1.Lost
	38, // 37: lockd.v1.SessionResponse.release_requested:type_name -> lockd.v1.ReleaseRequested
	39, // 38: lockd.v1.SessionResponse.hold_ending:type_name -> lockd.v1.HoldEnding
	9,  // 39: lockd.v1.Answer.acquired:type_name -> lockd.v1.AcquireResponse
	11, // 40: lockd.v1.Answer.renewed:type_name -> lockd.v1.RenewResponse
	13, // 41: lockd.v1.Answer.released:type_name -> lockd.v1.ReleaseResponse
	36, // 42: lockd.v1.Answer.error:type_name -> lockd.v1.Error
	5,  // 43: lockd.v1.Answer.queued:type_name -> lockd.v1.Held
	5,  // 44: lockd.v1.Error.held:type_name -> lockd.v1.Held
	6,  // 45: lockd.v1.Error.loss:type_name -> lockd.v1.Loss
	51, // 46: lockd.v1.Error.retry_in:type_name -> google.protobuf.Duration
	6,  // 47: lockd.v1.Lost.loss:type_name -> lockd.v1.Loss
	51, // 48: lockd.v1.ReleaseRequested.force_in:type_name -> google.protobuf.Duration
	51, // 49: lockd.v1.HoldEnding.hold_ends_in:type_name -> google.protobuf.Duration
	51, // 50: lockd.v1.HoldEnding.max_hold:type_name -> google.protobuf.Duration
	50, // 51: lockd.v1.StatusResponse.started:type_name -> google.protobuf.Timestamp
	42, // 52: lockd.v1.StatusResponse.store:type_name -> lockd.v1.StoreStatus
	43, // 53: lockd.v1.StoreStatus.nodes:type_name -> lockd.v1.NodeStatus
	51, // 54: lockd.v1.NodeStatus.clock_skew:type_name -> google.protobuf.Duration
	50, // 55: lockd.v1.NodeStatus.out_until:type_name -> google.protobuf.Timestamp
	46, // 56: lockd.v1.DiagnoseResponse.findings:type_name -> lockd.v1.Finding
	47, // 57: lockd.v1.DiagnoseResponse.unchecked:type_name -> lockd.v1.Unchecked
	3,  // 58: lockd.v1.Finding.severity:type_name -> lockd.v1.Finding.Severity
	8,  // 59: lockd.v1.LeaseService.Acquire:input_type -> lockd.v1.AcquireRequest
	10, // 60: lockd.v1.LeaseService.Renew:input_type -> lockd.v1.RenewRequest
	12, // 61: lockd.v1.LeaseService.Release:input_type -> lockd.v1.ReleaseRequest
	14, // 62: lockd.v1.LeaseService.Get:input_type -> lockd.v1.GetRequest
	16, // 63: lockd.v1.LeaseService.List:input_type -> lockd.v1.ListRequest
	18, // 64: lockd.v1.LeaseService.CheckToken:input_type -> lockd.v1.CheckTokenRequest
	26, // 65: lockd.v1.LeaseService.Watch:input_type -> lockd.v1.WatchRequest
	29, // 66: lockd.v1.LeaseService.Session:input_type -> lockd.v1.SessionRequest
	20, // 67: lockd.v1.AuthService.CanI:input_type -> lockd.v1.CanIRequest
	22, // 68: lockd.v1.AdminService.ForceRelease:input_type -> lockd.v1.ForceReleaseRequest
	24, // 69: lockd.v1.AdminService.RequestRelease:input_type -> lockd.v1.RequestReleaseRequest
	40, // 70: lockd.v1.AdminService.Status:input_type -> lockd.v1.StatusRequest
	44, // 71: lockd.v1.AdminService.Diagnose:input_type -> lockd.v1.DiagnoseRequest
	9,  // 72: lockd.v1.LeaseService.Acquire:output_type -> lockd.v1.AcquireResponse
	11, // 73: lockd.v1.LeaseService.Renew:output_type -> lockd.v1.RenewResponse
	13, // 74: lockd.v1.LeaseService.Release:output_type -> lockd.v1.ReleaseResponse
	15, // 75: lockd.v1.LeaseService.Get:output_type -> lockd.v1.GetResponse
	17, // 76: lockd.v1.LeaseService.List:output_type -> lockd.v1.ListResponse
	19, // 77: lockd.v1.LeaseService.CheckToken:output_type -> lockd.v1.CheckTokenResponse
	27, // 78: lockd.v1.LeaseService.Watch:output_type -> lockd.v1.WatchResponse
	33, // 79: lockd.v1.LeaseService.Session:output_type -> lockd.v1.SessionResponse
	21, // 80: lockd.v1.AuthService.CanI:output_type -> lockd.v1.CanIResponse
	23, // 81: lockd.v1.AdminService.ForceRelease:output_type -> lockd.v1.ForceReleaseResponse
	25, // 82: lockd.v1.AdminService.RequestRelease:output_type -> lockd.v1.RequestReleaseResponse
	41, // 83: lockd.v1.AdminService.Status:output_type -> lockd.v1.StatusResponse
	45, // 84: lockd.v1.AdminService.Diagnose:output_type -> lockd.v1.DiagnoseResponse
	72, // [72:85] is the sub-list for method output_type
	59, // [59:72] is the sub-list for method input_type
	59, // [59:59] is the sub-list for extension type_name
	59, // [59:59] is the sub-list for extension extendee
	0,  // [0:59] is the sub-list for field type_name
}

func init() { file_proto_lockd_v1_lockd_proto_init() }
func file_proto_lockd_v1_lockd_proto_init() {
	if File_proto_lockd_v1_lockd_proto != nil {
		return
	}
	file_proto_lockd_v1_lockd_proto_msgTypes[27].OneofWrappers = []any{
		(*Operation_Acquire)(nil),
		(*Operation_Renew)(nil),
		(*Operation_Release)(nil),
	}
	file_proto_lockd_v1_lockd_proto_msgTypes[31].OneofWrappers = []any{
		(*Answer_Acquired)(nil),
		(*Answer_Renewed)(nil),
		(*Answer_Released)(nil),
		(*Answer_Error)(nil),
		(*Answer_Queued)(nil),
	}
	type x struct{}
	out := protoimpl.TypeBuilder{
		File: protoimpl.DescBuilder{
			GoPackagePath: reflect.TypeOf(x{}).PkgPath(),
			RawDescriptor: unsafe.Slice(unsafe.StringData(file_proto_lockd_v1_lockd_proto_rawDesc), len(file_proto_lockd_v1_lockd_proto_rawDesc)),
			NumEnums:      4,
			NumMessages:   46,
			NumExtensions: 0,
			NumServices:   3,
		},
		GoTypes:           file_proto_lockd_v1_lockd_proto_goTypes,
		DependencyIndexes: file_proto_lockd_v1_lockd_proto_depIdxs,
		EnumInfos:         file_proto_lockd_v1_lockd_proto_enumTypes,
		MessageInfos:      file_proto_lockd_v1_lockd_proto_msgTypes,
	}.Build()
	File_proto_lockd_v1_lockd_proto = out.File
	file_proto_lockd_v1_lockd_proto_goTypes = nil
	file_proto_lockd_v1_lockd_proto_depIdxs = nil
}
