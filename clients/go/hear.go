package lockd

import (
	"google.golang.org/protobuf/proto"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// read hands out what is received until the stream ends.
func (s *stream) read() {
	for {
		var message delivery
		err := s.rpc.RecvMsg(&message)
		if err == nil {
			err = s.hear(message.ReadOnlyData())
			message.Free()
		}
		if err != nil {
			s.end(err)
			return
		}
	}
}

// hear takes a message, of which it keeps nothing. An error says that it is none.
func (s *stream) hear(message []byte) error {
	came := now()
	s.heard.Store(int64(came.mono.Sub(s.born)))
	f := fields{rest: message}
	var lost, asked, holds [][]byte
	draining := false
	s.mu.Lock()
	s.clock = came
	for f.next() {
		switch f.field {
		case receivedAnswers:
			f.err = s.answeredLocked(f.bytes, came)
		case receivedLost:
			lost = append(lost, f.bytes)
		case receivedAsked:
			asked = append(asked, f.bytes)
		case receivedHolds:
			holds = append(holds, f.bytes)
		case receivedDraining:
			draining = f.number != 0
		}
	}
	last := s.retired && len(s.calls) == 0
	s.mu.Unlock()
	// Before the answers: whoever is granted what is gone already shall not see it stand.
	for _, b := range lost {
		notice := new(lockdv1.Lost)
		if err := proto.Unmarshal(b, notice); err != nil {
			return err // end passes the answers on
		}
		s.link.lost(notice)
	}
	s.passOn()
	for _, b := range asked {
		notice := new(lockdv1.ReleaseRequested)
		if err := proto.Unmarshal(b, notice); err != nil {
			return err
		}
		s.link.releaseAsked(notice)
	}
	for _, b := range holds {
		notice := new(lockdv1.HoldEnding)
		if err := proto.Unmarshal(b, notice); err != nil {
			return err
		}
		s.link.holdEnds(notice)
	}
	if last {
		s.wakeWriter()
	}
	if draining {
		s.drains()
	}
	return f.err
}

// answeredLocked takes an answer. Answers to what is not unanswered are none.
func (s *stream) answeredLocked(b []byte, came instant) error {
	id, kind, body, err := readAnswer(b)
	c := s.calls[id]
	if err != nil || c == nil {
		return err
	}
	got := answer{kind: kind, came: came}
	if err := got.read(c, b, body); err != nil {
		return err
	}
	if queued := got.rest.GetQueued(); queued == nil {
		delete(s.calls, c.id)
		c.final = got
		<-c.slots
	} else if c.left {
		return nil
	} else {
		c.queued = queued
	}
	s.noteLocked(c)
	return nil
}

// noteLocked has passOn tell whoever the call is of that there is something new.
func (s *stream) noteLocked(c *call) {
	switch {
	case !c.left:
		s.waited = append(s.waited, c)
	case c.then != nil:
		s.heeded = append(s.heeded, c)
	}
}

// passOn wakes those who wait, all of them after the whole message was read, and tells the listeners.
func (s *stream) passOn() {
	for _, c := range s.waited {
		c.signal()
	}
	for _, c := range s.heeded {
		c.then.told(&c.final) // nobody changes it any more: it is in no map
	}
	clear(s.waited)
	clear(s.heeded)
	s.waited, s.heeded = s.waited[:0], s.heeded[:0]
}
