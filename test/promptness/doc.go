// Package promptness holds the tests that assert how soon a holder hears that its lease is gone: 100 ms while
// its stream lives. Such a bound is about a machine that is not overloaded, so they are run alone and
// without the race detector (under it the package is empty).
package promptness
