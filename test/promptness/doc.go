// Package promptness holds the tests that assert how soon something is known or done: a holder hears that its lease is gone
// within 100 ms while its stream lives, and every lockd grants within 2 s of a fail-over's end. Such bounds are about a
// machine that is not overloaded, so they are run alone and without the race detector (under it the package is empty).
package promptness
