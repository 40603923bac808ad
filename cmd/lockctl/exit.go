package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"syscall"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockd "github.com/lockd/lockd/clients/go"
)

// Exit codes, as in sysexits.h where that has one.
const (
	exitOK          = 0
	exitOther       = 1
	exitUsage       = 64
	exitUnavailable = 69
	exitLost        = 70
	exitHeld        = 75
	exitDenied      = 77
	exitFound       = 78 // by doctor
	exitNotStarted  = 126
	exitNotFound    = 127
	exitSignal      = 128 // and the signal's number
)

// exitError is an error whose exit code is known where it arises.
type exitError struct {
	code int
	err  error // nil: there is nothing to say
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func exitWith(code int, format string, args ...any) error {
	return &exitError{code, fmt.Errorf(format, args...)}
}

func usagef(format string, args ...any) error { return exitWith(exitUsage, format, args...) }

// interrupted is the cause of a context that a signal has ended.
type interrupted struct{ signal syscall.Signal }

func (i *interrupted) Error() string { return fmt.Sprintf("interrupted (%s)", i.signal) }

// explain is the one place that turns an error into an exit code and what is said about it.
func explain(err error) (code int, text string) {
	var known *exitError
	var held *lockd.HeldError
	var by *interrupted
	var answer interface{ GRPCStatus() *status.Status }
	switch {
	case errors.As(err, &known):
		return known.code, known.Error()
	case errors.As(err, &by):
		return exitSignal + int(by.signal), by.Error()
	case errors.As(err, &held):
		return exitHeld, describeHeld(held)
	case errors.Is(err, lockd.ErrInvalid):
		return exitUsage, plainText(err)
	case errors.Is(err, lockd.ErrDenied):
		text := strings.TrimPrefix(whatWasDone.ReplaceAllString(plainText(err), ""), "denied: ")
		return exitDenied, "denied: " + text // which names what
	case errors.Is(err, lockd.ErrLost), errors.Is(err, lockd.ErrExpired):
		return exitLost, plainText(err)
	case errors.Is(err, lockd.ErrUnavailable):
		return exitUnavailable, plainText(err)
	case errors.As(err, &answer): // not status.FromError, which says "rpc error: code = …" of what is wrapped
		code, text = explainStatus(answer.GRPCStatus())
		return code, inert(saidOnce(text))
	}
	return exitOther, plainText(err)
}

// explainStatus does so for what lockd, or the way to it, has answered.
func explainStatus(st *status.Status) (code int, text string) {
	switch st.Code() {
	case codes.InvalidArgument:
		return exitUsage, st.Message()
	case codes.PermissionDenied, codes.Unauthenticated:
		return exitDenied, "denied: " + st.Message()
	case codes.Unavailable, codes.ResourceExhausted: // of the store's memory or of lockd's room
		return exitUnavailable, st.Message()
	case codes.DeadlineExceeded:
		return exitUnavailable, "lockd did not answer in time"
	case codes.FailedPrecondition:
		switch reason(st) {
		case "LEASE_LOST", "TOKEN_NOT_IN_FORCE": // gone, whether it was one's own or one to be forced
			return exitLost, st.Message()
		}
	case codes.Unimplemented:
		return exitOther, "this lockd does not know that request: " + st.Message()
	}
	return exitOther, st.Message()
}

// endsWith reports whether err is one that lockctl ends with this code for.
func endsWith(err error, code int) bool {
	if err == nil {
		return false
	}
	is, _ := explain(err)
	return is == code
}

// reason is lockd's own word for what went wrong, as listed at the head of lockd.proto, or "".
func reason(st *status.Status) string {
	for _, detail := range st.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetDomain() == "lockd" {
			return info.GetReason()
		}
	}
	return ""
}

// plainText is an error's text without the client's name in front.
func plainText(err error) string { return saidOnce(strings.TrimPrefix(err.Error(), "lockd: ")) }

var whatWasDone = regexp.MustCompile(`[a-z-]+ "(?:[^"\\]|\\.)*": `)

// saidOnce is text with each operation named once only: the client and lockd both say what they were about.
func saidOnce(text string) string {
	said := make(map[string]bool)
	return whatWasDone.ReplaceAllStringFunc(text, func(what string) string {
		if said[what] {
			return ""
		}
		said[what] = true
		return what
	})
}

// describeHeld says who stands in the way, since when and for how much longer, and how far one has got.
func describeHeld(held *lockd.HeldError) string {
	text := fmt.Sprintf("%s is held by another", plain(held.Name))
	switch {
	case held.ClosedFor > 0:
		text = fmt.Sprintf("%s is closed for %s after an unclean loss", plain(held.Name), rounded(held.ClosedFor))
		if held.Token != 0 {
			text += fmt.Sprintf(" by %s (token %d), who had it since %s", plain(held.Owner), held.Token, held.Since.UTC().Format(time.RFC3339))
		}
	case held.Token != 0:
		text = fmt.Sprintf("%s is held by %s (token %d) since %s, for another %s unless renewed",
			plain(held.Name), plain(held.Owner), held.Token, held.Since.UTC().Format(time.RFC3339), rounded(held.ExpiresIn))
	}
	if held.Position > 0 {
		text += fmt.Sprintf("; you were %s in line", ordinal(held.Position))
	}
	return text
}
