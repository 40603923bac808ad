// Package abuse holds the test that one tenant at full abuse slows no other: an abuser's own processes, at the lowest
// priority, do to a real lockd all that its credentials, or none, let them do, and beside them other tenants take and give
// leases.
//
// What is held to a bound is lockd's handling time for the others, from the moment a message has been read until its answer
// was given to the connection, as measured inside lockd: what their clients see has the scheduling of both processes in it, which a
// machine of two cores that is full of abusers makes longer whatever lockd does. So a probe is built into the lockd that is
// abused (probe/probe.go, go build -overlay), and into no other. It also tells how many goroutines there are; /proc
// tells the rest.
//
// The race detector slows lockd so much that no such bound says anything: under it the package is empty.
package abuse
