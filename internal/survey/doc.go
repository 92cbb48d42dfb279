// Package survey measures what the network between this machine and others
// does to UDP: where it gets out, what a NAT makes of it, what gets in, how
// large it may be.
//
// It asks servers that answer STUN binding requests, qft's helpers or others,
// through several own sockets:
//
//	socket 0   every server at its port and at those that get out where others
//	           do not: what is reached, and at which outside address a NAT shows
//	           this socket to each destination (nat.NewProfile draws the conclusion)
//	socket 1   one server at one port. It is asked to answer from another port
//	           (RFC 5780 section 4.4): what gets in is not filtered by port.
//	           Sockets 0 and 1 then send to each other's outside address
//	           (section 4.6: hairpinning).
//	socket 2…  each joins a room at a helper, is silent for a while, and then
//	           somebody else joins (socket 1), of whom the helper tells it. What
//	           arrives has gone through a mapping that nobody had kept open.
//
// Requests of several sizes, which must not be fragmented, show how large a
// packet may be on its way to the server (RFC 8899 calls for full-size probes
// in any case, since no one can be sure to hear of a packet that was too big).
//
// A request is sent again after 250 ms, 500 ms and 1 s; one that has no answer
// after 3 s counts as lost.
//
// # Limitations
//
//   - Whether a NAT's filter goes by address takes a second address of one
//     server, which helpers do not have: all that is told apart is a filter by
//     port (and address) from anything more open.
//   - With a single destination that answers, nothing is known of the mapping.
//   - A port at which nothing answers may be blocked, or nobody listens there.
//   - The way from the server, which may be narrower, is not measured.
package survey
