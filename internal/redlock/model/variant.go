package model

// A variant is the protocol with one thing wrong in it. A model that does not catch each of them would
// not have caught the same thing in the protocol either.
type variant string

const (
	asBuilt variant = ""

	// Agreeing on a token (safety.md F1, F3).
	noWriteBack            variant = "no write-back: the largest node token is taken, and no node is told"
	unconditionalWriteBack variant = "round 2 writes whatever stands"
	writeBackByID          variant = "round 2 compares the lease id alone"
	anyQuorum              variant = "one round when merely a quorum granted"
	fenceLowered           variant = "round 2 sets the fence to T, though it was higher"
	fenceNotRaised         variant = "round 2 stores T and leaves the fence"
	commitDownwards        variant = "a commit is sent to a node that gave a larger token, too"
	commitWithoutT         variant = "round 2 counts a node that has committed another token"
	minority               variant = "half of the nodes are a quorum"

	// Time.
	validFromReply variant = "validity is not reduced by the time spent"
	noNotAfter     variant = "late copies are executed"
	noGrace        variant = "a node keeps a name for the ttl and no longer"
	noSkewGuard    variant = "a node grants whatever its clock says"

	// Replays and undos.
	undoByID        variant = "undo compares the lease id alone"
	undoOnce        variant = "undo does not wait until the acquisition can take no more effect"
	renewCreates    variant = "a renewal re-creates what is gone"
	renewByID       variant = "a renewal compares the lease id alone"
	forceWhereFound variant = "a force raises the fence only where it finds the lease"
	forceLow        variant = "a force raises the fence, but not past the token"
	forceByToken    variant = "a force compares the token at each node"
	forceQuietly    variant = "a force leaves the fences"

	// A lease on a bare quorum (F4).
	repairReadsLate    variant = "repair reads the fence after the renewal"
	repairSameRound    variant = "repair believes a fence that was read while the renewal was under way"
	repairBlindly      variant = "repair does not compare the fence"
	repairCountsAtOnce variant = "a repaired node counts in the same round"

	// Nodes without memory (F5).
	amnesiacVotes    variant = "a node without memory votes"
	rejoinAtOnce     variant = "a node without memory is repaired, but does not wait"
	rejoinUnrepaired variant = "a node without memory waits, but its fence is not repaired"
	rejoinReadsEarly variant = "the fences for a node without memory are read before its wait"
	rejoinAsksOne    variant = "the fence of a node without memory is repaired from one node"
)

// wrong are all of them.
var wrong = []variant{
	noWriteBack, unconditionalWriteBack, writeBackByID, anyQuorum, fenceLowered, fenceNotRaised, commitDownwards, commitWithoutT, minority,
	validFromReply, noNotAfter, noGrace, noSkewGuard,
	undoByID, undoOnce, renewCreates, renewByID, forceWhereFound, forceLow, forceByToken, forceQuietly,
	repairReadsLate, repairSameRound, repairBlindly, repairCountsAtOnce,
	amnesiacVotes, rejoinAtOnce, rejoinUnrepaired, rejoinReadsEarly, rejoinAsksOne,
}
