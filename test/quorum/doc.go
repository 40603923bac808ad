// Package quorum looks at a lockd on five Redis of a quorum while two or three of them fail, and while clocks are wrong.
// What it bounds by a node's deadline is about a machine that is not overloaded, so it is run alone and without the race detector (under it
// the package is empty).
package quorum
