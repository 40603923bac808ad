package redisconn

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

//go:embed scripts/try.lua
var tryLua string

// RightsScript is the source of a script that tries commands, in ways that change nothing, and answers the names of those that
// Redis denies: a right that is missing shall be known at the start, and not when it is needed. See scripts/try.lua.
func RightsScript(tries string) string { return tryLua + tries + "return {ARGV[1], '', denied}" }

// TryRights answers what c denies of the commands that try puts, which are no part of scripts, and of listening to channel.
func TryRights(ctx context.Context, c redis.UniversalClient, channel string, try func(redis.Pipeliner) []redis.Cmder) ([]string, error) {
	var cmds []redis.Cmder
	_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
		cmds = try(p)
		return nil
	})
	var denied []string
	for _, cmd := range cmds {
		if redis.HasErrorPrefix(cmd.Err(), "NOPERM") {
			denied, err = append(denied, deniedCommand(cmd.Err(), cmd.Name())), nil
		}
	}
	var answered redis.Error
	if err != nil && !errors.Is(err, redis.Nil) && !errors.As(err, &answered) {
		return nil, err
	}
	sub := c.Subscribe(ctx, channel)
	defer sub.Close()
	_, err = sub.ReceiveTimeout(ctx, CallTimeout)
	if err == nil {
		err = sub.Unsubscribe(ctx)
	}
	if err == nil {
		_, err = sub.ReceiveTimeout(ctx, CallTimeout)
	}
	if redis.HasErrorPrefix(err, "NOPERM") {
		return append(denied, deniedCommand(err, "subscribe")), nil
	}
	return denied, err
}

// deniedCommand reads which command a NOPERM is about; one about keys or channels names none.
func deniedCommand(err error, tried string) string {
	if _, rest, found := strings.Cut(err.Error(), "'"); found {
		if command, _, found := strings.Cut(rest, "'"); found {
			return strings.ToLower(command)
		}
	}
	return tried
}

// DeniedProblem says of a server that denies us these commands what would be right; "" if it denies none.
func DeniedProblem(denied []string, keyPrefix string) string {
	if len(denied) == 0 {
		return ""
	}
	denied = slices.Compact(slices.Sorted(slices.Values(denied)))
	return fmt.Sprintf("denies us %[1]s; want +%[2]s in the ACL, and ~%[3]s:* and &%[3]s:* in any case; docs/operations.md has all that lockd needs",
		strings.Join(denied, ", "), strings.Join(denied, " +"), keyPrefix)
}
