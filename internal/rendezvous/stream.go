package rendezvous

import "time"

// outgoing is the author's end of the stream of notes to one member. Notes are
// numbered from 1; those from base on are kept until the other end has them.
type outgoing struct {
	base  uint32 // of the first note kept; 0 stands for 1
	notes []note
	sent  int       // how many of them have been sent
	left  int       // how many of those, the last ones, are to be sent again now
	due   time.Time // when to send all of those again; zero: none are under way
	tries int       // rounds since the latest confirmation
}

type note struct {
	part part
	data []byte
}

func (o *outgoing) first() uint32 { return max(o.base, 1) }

// post cuts a message into notes. It reports false if the stream has no room
// for them, now or ever.
func (o *outgoing) post(msg []byte) bool {
	count := max(1, (len(msg)+noteData-1)/noteData)
	last := int(o.first()) + len(o.notes) + count - 1
	if len(o.notes)+count > maxQueued || last > maxNotes {
		return false
	}
	for i := range count {
		data := msg[i*noteData : min(len(msg), (i+1)*noteData)]
		o.notes = append(o.notes, note{newPart(i, count), append([]byte(nil), data...)})
	}
	return true
}

// acked takes the other end's word that it has every note below next, and
// reports whether that is news. A number that was not sent yet is a lie.
func (o *outgoing) acked(next uint32) bool {
	n := int(next - o.first())
	if n < 1 || n > o.sent {
		return false
	}
	o.base = next
	o.notes = o.notes[n:]
	o.sent -= n
	o.left = min(o.left, o.sent)
	o.tries = 0
	return true
}

// stuck reports whether the other end still wants the first note under way.
func (o *outgoing) stuck(next uint32) bool { return o.sent > 0 && next == o.first() }

// ready reports whether there is a note to be sent now.
func (o *outgoing) ready() bool { return o.left > 0 || o.sent < min(window, len(o.notes)) }

// take returns the index of the note to be sent now, and counts it as sent.
func (o *outgoing) take() int {
	if o.left > 0 {
		o.left--
		return o.sent - o.left - 1
	}
	o.sent++
	return o.sent - 1
}

// again makes every note that is under way ready.
func (o *outgoing) again() { o.left = o.sent }

// incoming is the reader's end: it holds notes that came early, at most a
// window of them, and the message that is not complete, at most MaxMessage.
type incoming struct {
	had   uint32       // notes taken, in order
	ahead [window]note // note n at n modulo window; without parts: none
	msg   []byte
	parts int // of msg
}

// next is the number of the note that is wanted.
func (in *incoming) next() uint32 { return in.had + 1 }

// accept takes a valid note and returns the messages that it completes.
func (in *incoming) accept(seq uint32, p part, data []byte) (msgs [][]byte) {
	if seq < in.next() || seq >= in.next()+window {
		return nil // had it already; or an author that ignores the window
	}
	if slot := &in.ahead[seq%window]; slot.part == 0 {
		*slot = note{p, append([]byte(nil), data...)}
	}
	for {
		slot := &in.ahead[in.next()%window]
		if slot.part == 0 {
			return msgs
		}
		if msg, ok := in.join(*slot); ok {
			msgs = append(msgs, msg)
		}
		*slot = note{}
		in.had++
	}
}

// join adds the next note to the message. One that does not continue it, which
// no honest author sends, discards it and may start another.
func (in *incoming) join(n note) (msg []byte, complete bool) {
	if n.part.index() != in.parts {
		in.msg, in.parts = nil, 0
		if n.part.index() != 0 {
			return nil, false
		}
	}
	in.msg = append(in.msg, n.data...)
	in.parts++
	if !n.part.last() {
		return nil, false
	}
	msg = in.msg
	in.msg, in.parts = nil, 0
	if msg == nil {
		msg = []byte{}
	}
	return msg, true
}
