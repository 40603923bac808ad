package machine

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Commands is what a Redis has been doing since its start: by command, also those that scripts call.
type Commands map[string]Command

// Command is one, by all callers.
type Command struct {
	Calls int64
	Time  time.Duration // what a script calls is in the script's time as well
}

var commandStats = regexp.MustCompile(`(?m)^cmdstat_([^:]+):calls=(\d+),usec=(\d+)`)

// ReadCommands asks a Redis. The asking is counted, too.
func ReadCommands(client *redis.Client) (Commands, error) {
	text, err := client.Info(context.Background(), "commandstats").Result()
	if err != nil {
		return nil, err
	}
	return parseCommands(text), nil
}

func parseCommands(text string) Commands {
	all := make(Commands)
	for _, found := range commandStats.FindAllStringSubmatch(text, -1) {
		calls, _ := strconv.ParseInt(found[2], 10, 64) // digits
		us, _ := strconv.ParseInt(found[3], 10, 64)
		all[found[1]] = Command{calls, time.Duration(us) * time.Microsecond}
	}
	return all
}

// Since is what was done after before.
func (c Commands) Since(before Commands) Commands {
	since := make(Commands)
	for name, now := range c {
		if was := before[name]; now.Calls > was.Calls {
			since[name] = Command{now.Calls - was.Calls, now.Time - was.Time}
		}
	}
	return since
}

// Sum adds up the commands of these names, or of all but INFO if there are none.
func (c Commands) Sum(names ...string) (sum Command) {
	if len(names) == 0 {
		for name := range c {
			if name != "info" {
				names = append(names, name)
			}
		}
	}
	for _, name := range names {
		sum.Calls += c[name].Calls
		sum.Time += c[name].Time
	}
	return sum
}

// Scripts adds up what was sent as scripts, with all that they call in its time.
func (c Commands) Scripts() Command { return c.Sum("eval", "evalsha") }

// UsedMemory is how many bytes a Redis has allocated.
func UsedMemory(client *redis.Client) (int64, error) {
	text, err := client.Info(context.Background(), "memory").Result()
	if err != nil {
		return 0, err
	}
	found := regexp.MustCompile(`(?m)^used_memory:(\d+)`).FindStringSubmatch(text)
	if found == nil {
		return 0, fmt.Errorf("INFO memory without used_memory: %q", text)
	}
	return strconv.ParseInt(found[1], 10, 64)
}
