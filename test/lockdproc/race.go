//go:build race

package lockdproc

// raceFlag builds commands as the test is built.
var raceFlag = []string{"-race"}
