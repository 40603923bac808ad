package model

// A hold is a message that does not arrive before the script has come so far: what an interleaving needs. The other
// messages come as they like.
type hold struct {
	call  int // which step of the script has sent it, from 1
	round int8
	node  int // from 1; 0: every one
	until int // how many steps of the script have been taken then; 0: it never arrives
	copy  bool
}

// leaseOf is the lease that a step of the script asks for.
func leaseOf(at int) int { return at * labelsPerCall }

// plans are small cases, each built around an interleaving that some rule prevents, and named after it.
func plans() []plan {
	ask, askElsewhere := step{do: asks}, step{do: asks, lockd: 1}
	renew := step{do: renews, lease: leaseOf(1)}
	release := func(at int) step { return step{do: releases, lockd: 1, lease: leaseOf(at)} }
	forget, crash, wipe, start, back := step{do: forgets}, step{do: crashes}, step{do: wipes}, step{do: starts}, step{do: comesBack, lockd: 1}
	third := hold{call: 1, round: 1, node: 3}
	const low = 1 // a proposal that tells the nodes nothing
	return []plan{
		{name: "in turn", fences: []int64{0, 1, 3}, hint: low, script: []step{ask, release(1), askElsewhere}},
		{
			name: "a copy of round 1 before round 2", fences: []int64{5, 9, 9}, hint: low, forgetful: true,
			script: []step{ask, {do: isCopied, call: leaseOf(1), round: 1}, forget, askElsewhere, release(4), {do: passes}},
			holds:  []hold{third, {call: 1, round: 1, copy: true, until: 6}, {call: 1, round: 2, until: 6}},
		},
		{
			name: "asked again, committed once", fences: []int64{0, 4, 8}, hint: low, timeouts: 1,
			script: []step{ask, {do: asksMore, lockd: 1, lease: leaseOf(1)}, release(1), askElsewhere},
			holds:  []hold{third, {call: 1, round: 2, node: 2}, {call: 2, round: 1, node: 2}, {call: 4, round: 1, node: 3}},
		},
		{
			name: "granted again by a copy", fences: []int64{0, 2, 5}, hint: low, forgetful: true,
			script: []step{ask, {do: isCopied, call: leaseOf(1), round: 1, node: 1}, forget, {do: forgets, node: 1}, askElsewhere, release(5), renew},
			holds:  []hold{{call: 1, round: 1, node: 2, copy: true, until: 6}, {call: 1, round: 2, node: 3}, {call: 5, round: 1, node: 3}},
		},
		{
			name: "a repair meets a grant", fences: []int64{0, 0, 0}, hint: low, forgetful: true,
			script: []step{ask, renew, renew, forget, askElsewhere, release(5), renew},
			holds:  []hold{third, {call: 3, round: 2, node: 3, until: 6}},
		},
		{
			name: "a grant while a renewal is under way", fences: []int64{0, 0, 0}, hint: low, forgetful: true,
			script: []step{ask, renew, forget, askElsewhere, release(4), renew},
			holds:  []hold{third, {call: 2, round: 1, node: 3, until: 5}, {call: 2, round: 1, node: 2, until: 5}},
		},
		{
			name: "a grant between a look and a repair", fences: []int64{0, 0, 0}, hint: low, forgetful: true,
			script: []step{ask, renew, renew, forget, askElsewhere, release(5), renew},
			holds:  []hold{third, {call: 3, round: 1, node: 2, until: 6}, {call: 3, round: 1, node: 3}},
		},
		{
			name: "a minority renews", fences: []int64{0, 0, 0}, hint: low, forgetful: true,
			script: []step{ask, forget, askElsewhere, release(3), renew},
			holds:  []hold{third},
		},
		{
			name: "a force meets a straggler", fences: []int64{4, 0, 2}, hint: low,
			script: []step{ask, {do: forces, lockd: 1, lease: leaseOf(1)}, renew},
			holds:  []hold{{call: 1, round: 2, node: 1, until: 2}},
		},
		{
			name: "a force meets a smaller token", fences: []int64{0, 2, 2}, hint: low,
			script: []step{ask, {do: forces, lockd: 1, lease: leaseOf(1)}, renew},
			holds:  []hold{{call: 1, round: 2, node: 1}, {call: 2, round: 1, node: 3}},
		},
		{
			name: "a force meets a repair", fences: []int64{0, 0, 0}, hint: low,
			script: []step{ask, renew, renew, {do: forces, lockd: 1, lease: leaseOf(1)}, renew},
			holds:  []hold{third, {call: 3, round: 2, node: 3, until: 4}, {call: 4, round: 1, node: 2}},
		},
		{
			name: "a lease shortly before its end", fences: []int64{0, 0, 0},
			script: []step{ask, {do: passes, d: 9850}, {do: jumps, d: 200}, askElsewhere},
			holds:  []hold{third},
		},
		{
			name: "a clock steps far", fences: []int64{0, 0, 0},
			script: []step{ask, {do: jumps, d: 3_600_000}, askElsewhere},
			holds:  []hold{third},
		},
		{
			name: "a node is wiped", fences: []int64{0, 0, 0}, hint: low,
			script: []step{ask, crash, wipe, start, back, {do: passes, d: 12_000}, back, askElsewhere},
			holds:  []hold{third, {call: 7, round: 1, node: 2, until: 8}},
		},
		{
			name: "a grant while a node is out", fences: []int64{0, 0, 0}, hint: 5, timeouts: 2, patient: true,
			script: []step{ask, crash, wipe, start, back, {do: passes, d: 12_000}, back, {do: asks, lockd: 1, d: low}},
			holds:  []hold{{call: 1, round: 1, node: 2, until: 5}, third, {call: 8, round: 1, node: 2}},
		},
	}
}
