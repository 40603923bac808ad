package main

import (
	"errors"
	"strconv"
)

// token is the value of --token.
type token int64

// Set implements pflag.Value.
func (t *token) Set(text string) error {
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return errors.New(`want the number that tells this lease from those before and after it, as "lockctl get NAME" shows it`)
	}
	*t = token(value)
	return nil
}

// String implements pflag.Value. None is "", or help would call 0 the default.
func (t *token) String() string {
	if *t == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*t), 10)
}

// Type implements pflag.Value.
func (t *token) Type() string { return "token" }

// exitCode is the value of --conflict-exit-code.
type exitCode int

// Set implements pflag.Value.
func (c *exitCode) Set(text string) error {
	value, err := strconv.ParseUint(text, 10, 8)
	if err != nil {
		return errors.New("want 0 to 255")
	}
	*c = exitCode(value)
	return nil
}

// String implements pflag.Value.
func (c *exitCode) String() string { return strconv.Itoa(int(*c)) }

// Type implements pflag.Value.
func (c *exitCode) Type() string { return "code" }
