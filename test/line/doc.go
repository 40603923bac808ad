// Package line holds the tests of waiting in line with whole processes: clients, lockd and Redis killed,
// stopped and restarted while many wait.
package line
