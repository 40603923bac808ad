package model

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/redlock/ballot"
	"github.com/lockd/lockd/test/redisproc"
)

// scripted is a Redis on which the scripts run, asked as the model's node is.
type scripted struct {
	t      *testing.T
	client *redis.Client
	now    int64 // what time it is in the model, in which none passes

	batches, plants, enrols *redis.Script
	calls                   int
}

const (
	markerKey = "lockd:{0}:marker"
	fenceKey  = "lockd:{0}:fence"
	mark      = "may vote"
)

func newScripted(t *testing.T, now int64) *scripted {
	t.Helper()
	client := redisproc.Start(t).Client()
	t.Cleanup(func() { client.Close() })
	script := func(files ...string) *redis.Script {
		var text strings.Builder
		for _, f := range files {
			b, err := os.ReadFile("../scripts/" + f)
			if err != nil {
				t.Fatal(err)
			}
			text.Write(b)
		}
		return redis.NewScript(text.String())
	}
	return &scripted{
		t: t, client: client, now: now,
		batches: script("value.lua", "batch.lua"), plants: script("value.lua", "plant.lua"), enrols: script("enrol.lua"),
	}
}

func (s *scripted) lock(name int) string { return fmt.Sprintf("lockd:{0}:lock:n%d", name) }
func (s *scripted) want(name int) string { return fmt.Sprintf("lockd:{0}:want:n%d", name) }

// do is a command that cannot fail.
func (s *scripted) do(command ...any) any {
	s.t.Helper()
	got, err := s.client.Do(s.t.Context(), command...).Result()
	if err != nil && err != redis.Nil {
		s.t.Fatalf("%v = %v", command, err)
	}
	return got
}

// run runs a script and answers its body.
func (s *scripted) run(script *redis.Script, keys []string, args ...any) []any {
	s.t.Helper()
	s.calls++
	nonce := strconv.Itoa(s.calls)
	got, err := script.Run(s.t.Context(), s.client, keys, append([]any{nonce}, args...)...).Slice()
	if err != nil || len(got) != 3 || got[0] != nonce {
		s.t.Fatalf("a script = %v, %v", got, err)
	}
	body, _ := got[2].([]any)
	return body
}

// micros turns a time of the model's clock into one of the server's, which is this process's as well.
func (s *scripted) micros(at int64) int64 { return time.Now().UnixMicro() + (at-s.now)*1000 }

func spelled(exec int) string { return fmt.Sprintf("%016x", exec) }

// batch runs batch.lua, and answers what came of each request, the fence with the last one.
func (s *scripted) batch(requests []request) []outcome {
	keys := []string{markerKey, fenceKey}
	args := []any{s.micros(requests[0].clock), scriptSkew * 1000, mark, "lockd:notices", "lockd:events", len(s.lock(0)) - len("n0")}
	for _, q := range requests {
		keys = append(keys, s.lock(q.name), s.want(q.name))
		args = append(args, s.operation(q)...)
	}
	body := s.run(s.batches, keys, args...)
	told := make([]outcome, len(requests))
	if body[0] == "AMNESIA" {
		for i := range told {
			told[i].code = noMemory
		}
		return told
	}
	replies := body[2].([]any)
	for i, q := range requests {
		reply, ok := replies[i].([]any)
		if !ok {
			reply = []any{replies[i]}
		}
		if told[i], ok = understood(q, reply); !ok {
			s.t.Fatalf("%+v is answered %v", q, reply)
		}
	}
	told[len(told)-1].fence, _ = strconv.ParseInt(body[0].(string), 10, 64)
	return told
}

// operation spells a request as batch.lua takes it. A caller that was told a token is not granted another one.
func (s *scripted) operation(q request) []any {
	switch q.op {
	case opAcquire:
		flags := "G"
		if q.told != 0 {
			flags = ""
		}
		tag := fmt.Sprintf("%s|%d|%s", q.id, q.attempt, spelled(q.exec))
		rest := fmt.Sprintf("0|%d|%d|1|{}", scriptTTL, scriptPX)
		return []any{"ACQUIRE", tag, flags, q.token, s.micros(q.notAfter), "", "", scriptPX, rest}
	case opCommit:
		return []any{"COMMIT", q.id, q.token, q.want, 0}
	case opRenew:
		return []any{"RENEW", q.id, scriptTTL, scriptPX}
	case opRelease:
		return []any{"RELEASE", q.id}
	case opUndo:
		return []any{"UNDO", q.id, q.attempt, spelled(q.exec)}
	case opForce:
		return []any{"FORCE", q.id, q.token, "forced"}
	default:
		return []any{"LOOK"}
	}
}

// words are what the scripts call what the model calls otherwise.
var words = map[op]map[string]outcome{
	opAcquire: {"STANDS": {code: mine}, "HELD": {code: held}, "FREE": {code: lost}, "SUPERSEDED": {code: superseded}, "LATE": {code: late}, "SKEW": {code: skewed}},
	opCommit:  {"STANDS": {code: mine}, "NONE": {code: refused}},
	opRenew:   {"NONE FREE": {code: free}, "NONE HELD": {code: lost}},
	opRelease: {"HELD": {code: done, freed: true}, "GONE": {code: done}, "OTHER": {code: done}},
	opUndo:    {"UNDONE": {code: done, freed: true}, "NONE": {code: done}},
	opForce:   {"FORCED": {code: done, freed: true}, "NONE": {code: done}},
	opRead:    {"HELD": {code: held}, "FREE": {code: free}},
}

// understood is a reply of batch.lua in the model's words.
func understood(q request, reply []any) (outcome, bool) {
	if number, ok := reply[0].(int64); ok {
		switch {
		case q.op == opAcquire:
			return outcome{code: granted, token: number}, true
		case q.op == opRelease && number == 1:
			return outcome{code: done, freed: true}, true
		}
		return outcome{}, false
	}
	word := reply[0].(string)
	if q.op == opRenew && len(reply) == 1 { // its own ttl was set
		l := parse(word)
		return outcome{code: mine, token: l.Token, committed: l.Committed, left: scriptPX / hour}, l.ID == q.id
	}
	if q.op == opRenew && len(reply) == 2 {
		word += " " + reply[1].(string)
	}
	o, ok := words[q.op][word]
	switch o.code {
	case mine:
		l := parse(reply[1].(string))
		o.token, o.committed, o.left = l.Token, l.Committed, inHours(reply[3].(int64))
		ok = ok && l.ID == q.id
	case held:
		o.left = inHours(reply[2].(int64))
		if l := parse(reply[1].(string)); q.op == opRead {
			o.token, o.committed = l.Token, l.Committed
		}
	}
	return o, ok
}

// peek runs the first half of plant.lua, which has to find the name free or not.
func (s *scripted) peek(name int, isFree bool) (fence int64, run string) {
	body := s.run(s.plants, []string{markerKey, fenceKey, s.lock(name)}, mark, "PEEK")
	if (body[0] == "FREE") != isFree {
		s.t.Fatalf("a look at name %d answers %v, and in the model it is free: %t", name+1, body, isFree)
	}
	if !isFree {
		return 0, "none"
	}
	fence, _ = strconv.ParseInt(body[1].(string), 10, 64)
	return fence, body[2].(string)
}

func (s *scripted) plant(q request, run string) outcome {
	value := fmt.Sprintf("%s|%d|%s|%d|1|%d|%d|1|{}", q.id, q.attempt, spelled(q.exec), q.token, scriptTTL, scriptPX)
	body := s.run(s.plants, []string{markerKey, fenceKey, s.lock(q.name)},
		mark, "PLANT", q.fence, run, s.micros(q.notAfter), s.micros(q.clock), scriptSkew*1000, scriptPX, value)
	switch {
	case body[0] == "PLANTED":
		return outcome{code: mine}
	case body[1] == "it has no memory":
		return outcome{code: noMemory}
	}
	return outcome{code: refused}
}

var runID = regexp.MustCompile(`run_id:(\w+)`)

// admit runs enrol.lua as a lockd does that takes a node back.
func (s *scripted) admit(q request) outcome {
	run := runID.FindStringSubmatch(s.do("INFO", "server").(string))[1]
	there := s.do("MGET", markerKey, "lockd:{0}:memory").([]any)
	marker, _ := there[0].(string)
	memory, _ := there[1].(string)
	least := ""
	if q.fence != 0 {
		least = strconv.FormatInt(q.fence, 10)
	}
	keys := []string{markerKey, "lockd:{0}:memory", fenceKey, "lockd:{0}:claim", "lockd:layout", "lockd:prefix"}
	if s.run(s.enrols, keys, "", run, marker, memory, mark, "run="+run, least, "layout", "lockd", 0)[0] == "DONE" {
		return outcome{code: done}
	}
	return outcome{code: refused}
}

// expire lets a lock run out by itself, and asks until it has.
func (s *scripted) expire(name int) {
	s.do("PEXPIRE", s.lock(name), 1)
	for end := time.Now().Add(10 * time.Second); s.do("EXISTS", s.lock(name)) != int64(0); {
		if time.Now().After(end) {
			s.t.Fatal("a key does not expire")
		}
	}
}

// stands is what is there, until being the hours for which it is. A fence that is none is 0.
func (s *scripted) stands() (fence int64, locks [maxNames]lock) {
	pipe := s.client.Pipeline()
	at := pipe.Get(s.t.Context(), fenceKey)
	var values [maxNames]*redis.StringCmd
	var left [maxNames]*redis.DurationCmd
	for n := range values {
		values[n], left[n] = pipe.Get(s.t.Context(), s.lock(n)), pipe.PTTL(s.t.Context(), s.lock(n))
	}
	if _, err := pipe.Exec(s.t.Context()); err != nil && err != redis.Nil {
		s.t.Fatal(err)
	}
	for n := range locks {
		if text := values[n].Val(); text != "" {
			locks[n] = parse(text)
			locks[n].until = inHours(left[n].Val().Milliseconds())
		}
	}
	fence, _ = strconv.ParseInt(at.Val(), 10, 64)
	return fence, locks
}

// parse reads a value of a lock key.
func parse(text string) lock {
	fields := strings.SplitN(text, "|", 9)
	number := func(i, base int) int64 {
		n, err := strconv.ParseInt(fields[i], base, 64)
		if err != nil {
			panic(fmt.Sprintf("%q is no lock's value: %v", text, err))
		}
		return n
	}
	l := lock{Value: ballot.Value{ID: fields[0], Token: number(3, 10), Committed: fields[4] == "1"}, attempt: int(number(1, 10)), exec: replayed}
	if fields[2] != "*" {
		l.exec = int(number(2, 16))
	}
	return l
}

// inHours rounds to the hour: a run takes less than half of one.
func inHours(ms int64) int64 { return (ms + hour/2) / hour }
