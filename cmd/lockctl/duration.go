package main

import (
	"errors"
	"time"

	"github.com/spf13/pflag"
)

// duration is the value of a flag such as --ttl.
type duration time.Duration

// durationVar defines a flag for a duration; shorthand may be empty.
func durationVar(flags *pflag.FlagSet, to *time.Duration, name, shorthand string, value time.Duration, usage string) {
	*to = value
	flag := flags.VarPF((*duration)(to), name, shorthand, usage)
	if value == 0 {
		flag.DefValue = "" // help says "(default 0s)" otherwise, which is not what 0 means
	}
}

// Set implements pflag.Value.
func (d *duration) Set(text string) error {
	value, err := time.ParseDuration(text)
	if err != nil {
		return errors.New("want a duration with a unit, such as 500ms, 30s or 5m")
	}
	*d = duration(value)
	return nil
}

// String implements pflag.Value.
func (d *duration) String() string { return time.Duration(*d).String() }

// Type implements pflag.Value.
func (d *duration) Type() string { return "duration" }
