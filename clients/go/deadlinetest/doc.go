// Package deadlinetest holds the tests of package lockd that assert how soon a lease's context ends
// after its safe deadline: 50 ms of running. Such a bound is about a machine that is not overloaded,
// so they are run alone and without the race detector (under it the package is empty).
package deadlinetest
