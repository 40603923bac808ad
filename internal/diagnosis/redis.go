package diagnosis

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Redis is what is known of one Redis server at a moment.
type Redis struct {
	Address string
	At      time.Time // of ours
	Error   string    // why it did not answer; then nothing else is known

	Info     map[string]string // INFO's lines
	Settings map[string]string // what CONFIG GET told
	Denied   map[string]string // what it did not let us ask, by the need, in its words

	TooOld string        // why its version is, "" if it is not
	Skew   time.Duration // its clock minus ours
	Ping   time.Duration // the quickest of several round trips
	Write  time.Duration // the quickest of several writes; 0: none was made
	Slow   []Stall       // calls, of SLOWLOG
	Stalls []Stall       // of LATENCY

	User        string // whom Redis takes us for; "": it does not say, so we may not do everything
	MayAll      bool   // we may ask for users' rights, which nobody may who may not do everything
	NoPassword  bool   // that user needs none
	Certificate Certificate
	Restarted   time.Time // when it was found to be another run than before, by this lockd; zero: never
	Follows     bool      // whoever takes its place is found by itself: Sentinel, Cluster
	Cluster     bool      // it is a node of one
}

// Stall is a time in which a server did nothing else.
type Stall struct {
	What string // a command's name or an event's, without arguments
	At   time.Time
	Took time.Duration
}

// What a check of a Redis may need to be allowed to ask.
const (
	needSettings need = "config"
	needSlow     need = "slowlog"
	needStalls   need = "latency"
)

// recent is how far back a look reaches.
const recent = 15 * time.Minute

func judgeRedis(r Redis) Report {
	subject := "redis at " + r.Address
	report := look(redisAway, subject, r, all)
	missing := func(n need) string { return r.Denied[string(n)] }
	if r.Error != "" {
		missing = func(need) string { return "it does not answer" }
	}
	report.add(look(redisChecks, subject, r, missing))
	return report
}

// number reads a whole number of INFO; 0 if there is none.
func (r Redis) number(key string) int64 {
	n, _ := strconv.ParseInt(r.Info[key], 10, 64)
	return n
}

// setting reads a whole number of the settings; -1 if there is none.
func (r Redis) setting(key string) int64 {
	n, err := strconv.ParseInt(r.Settings[key], 10, 64)
	if err != nil {
		return -1
	}
	return n
}

func (r Redis) aof() bool { return r.Info["aof_enabled"] == "1" }

// replicas counts those that follow, and names those that do so badly.
func (r Redis) replicas() (online int, bad []string) {
	for i := range r.number("connected_slaves") {
		fields := make(map[string]string)
		for part := range strings.SplitSeq(r.Info[fmt.Sprintf("slave%d", i)], ",") {
			key, value, _ := strings.Cut(part, "=")
			fields[key] = value
		}
		at := fields["ip"] + ":" + fields["port"]
		lag, _ := strconv.Atoi(fields["lag"])
		switch {
		case fields["state"] != "online":
			bad = append(bad, fmt.Sprintf("%s is %s", at, fields["state"]))
			continue
		case time.Duration(lag)*time.Second > lagged:
			bad = append(bad, fmt.Sprintf("%s was last heard of %d s ago", at, lag))
		}
		online++
	}
	return online, bad
}

// slowest answers how many stalls there were of late that took at least long, and the longest of them, in words; "" if none.
func slowest(all []Stall, now time.Time, long time.Duration) string {
	n, worst := 0, Stall{}
	for _, s := range all {
		if s.Took >= long && now.Sub(s.At) < recent {
			if n++; s.Took > worst.Took {
				worst = s
			}
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d of at least %s in the last %s, the longest of them %s for %s, %s ago", n, long, recent, worst.What,
		worst.Took.Round(time.Millisecond), max(0, now.Sub(worst.At)).Round(time.Second))
}

// share is a part of a whole in words, "" if it is no more than most, in hundredths, or if there is no whole.
func share(part, whole, most int64, what string) string {
	if whole <= 0 || part*100 <= whole*most {
		return ""
	}
	return fmt.Sprintf("%d %% of its %s", part*100/whole, what)
}
