package diagnosis

import (
	"fmt"
	"time"
)

// Certificate is what matters of one here. The zero value is none.
type Certificate struct {
	What        string // which one it is: a setting, "the certificate that it shows"
	From, Until time.Time
}

// nearEnd is how long before its end a certificate is worth saying, unless a quarter of its life is less: what is made for a
// day is replaced within it.
const nearEnd = 14 * 24 * time.Hour

// expires says when, if that is near or past; else "".
func (c Certificate) expires(now time.Time) string {
	if c.Until.IsZero() {
		return ""
	}
	left := c.Until.Sub(now)
	switch near := min(nearEnd, c.Until.Sub(c.From)/4); {
	case left <= 0:
		return fmt.Sprintf("%s expired on %s", c.What, c.Until.UTC().Format(time.RFC3339))
	case left < near:
		return fmt.Sprintf("%s expires in %s, on %s", c.What, left.Round(time.Minute), c.Until.UTC().Format(time.RFC3339))
	}
	return ""
}
