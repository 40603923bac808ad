package lockd

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	bootTime = bootTimeInTests
	goleak.VerifyTestMain(m)
}

// bootTimeInTests goes on with synctest's clock where that is the other one, which begins in the year 2000: the real
// one would bring deadlines nearer by whatever the processor has to do meanwhile.
func bootTimeInTests() time.Duration {
	if t := time.Now(); t.Year() < 2020 {
		return time.Duration(t.UnixNano())
	}
	return readBootTime()
}
