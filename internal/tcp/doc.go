// Package tcp carries packets over TCP, for networks that let no UDP out.
//
// A line is one TCP connection that carries packets both ways, each behind its
// length:
//
//	0  length  2   big endian, 1 to 65,507
//	2  packet  …   what would else be the payload of one UDP datagram
//
// The first frame each way is a greeting, "qft" and a 1. Until the other side's
// has come, nothing but the own one is sent: whoever has us dial the port of
// something else, a printer or a web server, makes it read these six bytes. A
// wrong greeting or a wrong length closes the line.
//
//	dial or accept ──► greeting ──► up ──► down
//	                      │                 ▲
//	                      └── 10 s, or wrong┘ never told of
//
// Lines has one port: it listens there and dials from there, so that the
// address which somebody outside sees of one line is one at which a NAT may let
// another one in (RFC 5382 section 4.1). When two sides dial each other at the
// same time, their NATs see two SYNs leave, and each the other's come in: TCP's
// simultaneous open (RFC 9293 section 3.5) makes one connection of them. Dial
// goes on trying, since the first SYNs usually meet a closed NAT.
//
// When a line has broken, Renew takes another port beside the old one: routers
// that have seen a reset remember the pair of ports for a while.
//
// To the protocol machines a line is a udp.Path whose Local is udp.FirstLine or
// above, and a lossy one like all others: Write never waits, and drops packets
// when the line's queue is full. The queue is small, and the kernel is told to
// hold little that it has not sent, so that our rate control sees the delay and
// not a buffer of megabytes.
//
// A line that has carried nothing whole for 30 s is closed unless it is
// trusted: bytes that trickle in keep none open. The number of lines that were
// accepted is bounded for each source and in all. Reading takes a buffer that
// grows with the frames that come, to four times the largest one allowed.
//
// # Limitations
//
//   - TCP's own retransmissions and its order stay: a lost segment delays all
//     behind it, and a path that loses much is slow.
//   - Only Linux and macOS can be told to hold little that is unsent; elsewhere
//     the system's buffers stand before our rate control.
//   - NATs that map each destination to another port cannot be met by
//     simultaneous open; nothing is predicted here.
package tcp
