// Package model is the protocol of a quorum without sockets and clocks: nodes, lockds and callers in one world in which
// every message may come late, twice or never, nodes crash, forget and are wiped, and clocks step. Its tests look
// whether what is promised of leases and tokens holds in every order of events that they get to try, and whether a
// protocol with one thing wrong in it, of which there are many (variant.go), would have been noticed.
//
// A client decides by package ballot, as the store does. A node does what scripts/batch.lua, plant.lua and enrol.lua do, and
// a test asks both the same; and what the guard over nodes (judge.go) does: see node.go and rejoin.go. Not in it: names that share a script call, the line,
// connections, and persistence other than all, nothing or a former state.
//
// Three ways of trying:
//
//	histories  drawn at random in several kinds of weather, and once more from each point where a rule made a difference
//	plans      small cases built around an interleaving that a rule prevents, everything else drawn at random
//	orders     of the same cases, every one up to a bound
//
// What breaks a promise is told with as few steps as break it, see shrink.go.
package model
