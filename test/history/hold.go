package history

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Hold is a lease as its holder saw it.
type Hold struct {
	Name   string
	Token  int64
	Client string
	Worker int
	Asked  int64 // when its acquisition was called
	From   int64 // when that returned
	To     int64 // a moment at which the holder still might have acted on it; never too late
	Ended  int64 // when the holder was done with it, or gone; 0 if that was not seen
}

func (h Hold) String() string {
	return fmt.Sprintf("token %d of %s/%d, from %d to %d", h.Token, h.Client, h.Worker, h.From, h.To)
}

// Holds returns the leases of a history in the order of their grants.
//
// A lease was held until its release was called. If the holder saw it lost, until it last looked before. If
// the process was killed, until then or the lease's deadline, whichever was first; and never beyond
// its being forced.
func Holds(records []Record) []Hold {
	killed := make(map[string]int64)
	var all []*Hold
	of := make(map[lease]*Hold)
	until := make(map[*Hold]int64)
	for _, r := range records {
		switch r.Kind {
		case Killed:
			killed[r.Client] = r.Call
		case Granted:
			h := &Hold{Name: r.Name, Token: r.Token, Client: r.Client, Worker: r.Worker, Asked: r.Call, From: r.Return, To: r.Return}
			all, of[leaseOf(r)], until[h] = append(all, h), h, r.Until
		}
	}
	forced := make(map[lease]int64)
	for _, r := range records {
		if r.Kind == Forced {
			forced[lease{name: r.Name, token: r.Token}] = r.Call
		}
		h := of[leaseOf(r)]
		if h == nil {
			continue
		}
		switch r.Kind {
		case Holding:
			h.To = max(h.To, r.Call)
		case Released:
			h.To, h.Ended = max(h.To, r.Call), r.Call
		case Lost:
			h.Ended = r.Call
		}
	}
	holds := make([]Hold, 0, len(all))
	for _, h := range all {
		if death, dead := killed[h.Client]; dead && h.Ended == 0 {
			h.Ended = death
			h.To = max(h.To, min(until[h], death))
		}
		if at, ok := forced[lease{name: h.Name, token: h.Token}]; ok {
			h.To = max(h.From, min(h.To, at))
		}
		holds = append(holds, *h)
	}
	slices.SortFunc(holds, func(a, b Hold) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.Token, b.Token))
	})
	return holds
}

// lease identifies a lease in the eyes of one worker: that two workers were told the same token is for
// the checks to find.
type lease struct {
	name   string
	token  int64
	client string
	worker int
}

func leaseOf(r Record) lease { return lease{r.Name, r.Token, r.Client, r.Worker} }

// CheckExclusive returns what is wrong if two held one name at the same time, or were given the same token.
func CheckExclusive(holds []Hold) (wrong []error) {
	last := make(map[string]Hold) // by name, the one that ends last so far
	tokens := make(map[lease]Hold)
	for _, h := range holds { // in the order of From
		same := lease{name: h.Name, token: h.Token}
		if other, ok := tokens[same]; ok {
			wrong = append(wrong, fmt.Errorf("%s: one token, two leases: %v; %v", h.Name, other, h))
		}
		tokens[same] = h
		before, ok := last[h.Name]
		if ok && h.From < before.To {
			wrong = append(wrong, fmt.Errorf("%s: two holders for %s: %v; %v", h.Name, time.Duration(min(before.To, h.To)-h.From), before, h))
		}
		if !ok || h.To > before.To {
			last[h.Name] = h
		}
	}
	return wrong
}

// CheckTokens returns what is wrong if a lease that was asked for after the grant of another has not the larger
// token.
func CheckTokens(holds []Hold) (wrong []error) {
	asked := slices.Clone(holds)
	slices.SortFunc(asked, func(a, b Hold) int { return cmp.Compare(a.Asked, b.Asked) })
	largest := make(map[string]Hold) // by name, of those granted before
	granted := holds                 // in the order of From
	for _, h := range asked {
		for len(granted) > 0 && granted[0].From < h.Asked {
			if g := granted[0]; g.Token > largest[g.Name].Token {
				largest[g.Name] = g
			}
			granted = granted[1:]
		}
		if before := largest[h.Name]; before.Token >= h.Token {
			wrong = append(wrong, fmt.Errorf("%s: %v was granted before %v was asked for at %d", h.Name, before, h, h.Asked))
		}
	}
	return wrong
}
