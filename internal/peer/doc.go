// Package peer finds and connects to the one other machine that knows the
// phrase; it owns the socket and the only loop.
//
// A Peer is a machine made of machines. It goes down this ladder, and up again
// where the arrows say so:
//
//	sender                       place                       receiver
//	  |  join room (number, role)  |   join room (number, role)  |
//	  |--------------------------->|<----------------------------|
//	  |<-- "a receiver is here" ---|--- "a sender is here" ----->|   meeting
//	  |  m1: CPace share, ML-KEM key                             |
//	  |--------------------------->|---------------------------->|
//	  |  m2: CPace share, ML-KEM ciphertext, tag, {addresses}    |
//	  |<---------------------------|<----------------------------|
//	  |  m3: tag, {addresses}                                    |
//	  |--------------------------->|---------------------------->|
//	  |                                                          |
//	  |<== probes on all pairs of addresses, both directions ===>|   punching
//	  |                                                          |
//	  |<== packets on the best path; both leave the helper =====>|   connected
//	  |                                                          |
//	  |  contact lost: join the room whose name is derived from  |
//	  |  the session key, pass new {addresses}, probe again      |   searching
//
// Braces mean sealed under the session key. The sender speaks first and the
// receiver shows its tag first, so whoever guesses a sender's words has
// committed to the guess before learning anything, and the sender can count.
//
// Whoever fails the phrase is told so and counted; a sender goes on waiting
// until its guesses are used up. After the first success further members that
// know the phrase are told that it is taken; by a sender of many, that it comes
// back for them: it leaves the room soon, and the peer of its next meeting,
// which is told whom the others have met and how many guesses are left, joins.
//
// Where UDP does not pass, the same packets take lines, which are TCP
// connections (Lines): to the helper when it has not answered for 1.5 s, and to
// the partner when either side has none but those, or UDP has been of no use for
// 5 s. Both sides then listen on one port and dial each other from it.
//
// # Places
//
// The two sides meet in several places at once: at the helper; at the sender's
// own server, which a receiver finds by a beacon on its network or is told the
// host of. The ladder up to "punching" is gone through in each of them, and the
// first handshake that succeeds is the meeting:
//
//	          ┌ helper ───────── public room ──────────┐
//	receiver ─┼ found by beacon ─┐                     ├─ sender
//	          └ host, as told ───┴─ sender's own room ─┘
//
// Guesses are counted over all of them. One receiver may finish in two places;
// each side knows the other by what is sealed into the handshake, and a sender
// searches under both sessions until the receiver's probes tell which it has.
//
// # Limitations
//
// A Peer makes one connection. The helper is asked at the addresses that were
// given; looking up its name again is the caller's matter.
package peer
