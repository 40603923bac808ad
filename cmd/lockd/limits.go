package main

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// limitSettings are the settings of limits but those of time: how much may be held, waited for and asked, by all together
// (max-…) and by each who is authenticated (tenant-…). All of them change while lockd serves.
var limitSettings = []string{
	"max-metadata", "max-leases", "max-waiters", "max-streams", "max-rate", "max-connections", "max-connections-from-one",
	"tenant-leases", "tenant-waiters", "tenant-line", "tenant-streams", "tenant-rate",
}

// limitFlags adds the flags of limitSettings.
func (c *config) limitFlags(flags *pflag.FlagSet) {
	all, each := &c.Limits.All, &c.Limits.Each
	flags.IntVar(&c.Limits.MaxMetadata, "max-metadata", 1024, "most metadata of a lease, in `BYTES`, up to 1024")
	flags.IntVar(&all.Leases, "max-leases", 1_000_000, "most leases held through this lockd, or asked for; 0: no limit, here and below")
	flags.IntVar(&all.Waiters, "max-waiters", 200_000, "most acquisitions that wait at this lockd")
	flags.IntVar(&c.Bounds.All.Streams, "max-streams", 100_000, "most calls open at this lockd, streams and unary ones")
	flags.IntVar(&c.Bounds.All.Rate, "max-rate", 0, "most requests in a second at this lockd; renewals and releases are refused at twice as many")
	flags.IntVar(&c.Bounds.Connections, "max-connections", 10_000, "most connections to this lockd; others are closed at once")
	flags.IntVar(&c.Bounds.FromOne, "max-connections-from-one", 5_000, "of those, from one address")
	flags.IntVar(&each.Leases, "tenant-leases", 100_000, "most leases that one identity holds through this lockd, or asks for")
	flags.IntVar(&each.Waiters, "tenant-waiters", 50_000, "most acquisitions of one identity that wait at this lockd")
	flags.IntVar(&each.Line, "tenant-line", 10_000, "of those, for one name")
	flags.IntVar(&c.Bounds.Each.Streams, "tenant-streams", 10_000, "most calls that one identity has open at this lockd")
	flags.IntVar(&c.Bounds.Each.Rate, "tenant-rate", 0, "most requests of one identity in a second at this lockd")
}

// checkLimits adds what is wrong with limits. What is wrong by itself hides no fault of the others: what they would have
// to fit to is then taken for what fits, and the rest for its default, which does.
func (c *config) checkLimits(wrong *problems) {
	limits := c.Limits
	if !wrong.spare("min-ttl") {
		limits.MinTTL = time.Millisecond
	}
	if !wrong.spare("max-ttl") {
		limits.MaxTTL = 24 * time.Hour
	}
	if !wrong.spare("default-ttl") {
		limits.DefaultTTL = limits.MinTTL
	}
	about := append([]string{"min-ttl", "default-ttl", "max-ttl", "max-wait"}, limitSettings...)
	about = slices.DeleteFunc(about, func(setting string) bool { return !wrong.spare(setting) })
	for _, err := range []error{limits.Validate(), c.Bounds.Validate()} {
		if err == nil {
			continue
		}
		for line := range strings.SplitSeq(err.Error(), "\n") {
			of := about
			if name, _, _ := strings.Cut(line, " "); slices.Contains(about, name) {
				of = []string{name}
			}
			c.addAbout(wrong, of, errors.New(line))
		}
	}
}
