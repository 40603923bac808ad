// Package redlock keeps leases in a quorum of independent Redis nodes, with fencing tokens that strictly increase.
//
// A lease is a key on a majority of the nodes, with one token there: package ballot says which, and why tokens increase
// as long as no node forgets its fence. redsync counts the nodes' answers; what they are asked, how long they have,
// and what becomes of answers that come late is decided here, see round.go. What holds under which assumption is in
// docs/guarantees.md.
//
// Who waits stands in the line of one server: first come, first served there, and fair between servers.
package redlock
