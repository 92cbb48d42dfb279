// Package beacon lets a receiver find senders on its own network, with no
// helper and no name.
//
// A receiver asks everybody on the network for a number; a sender that has it
// answers, and also tells it unasked:
//
//	receiver                                          sender, number 7
//	  query 7      ──► to everybody, port 4278 ──►
//	                   ◄── to who asked ──            announce 7, port
//	                   ◄── to everybody ──            announce 7, port
//
// What is found is an address at which to meet, and nothing more: anybody may
// answer anything. Who is meant, the handshake decides.
//
// The number is the first part of a code, which is no secret. For a phrase of
// the user's own it is 0: not even a few bits of its hash are told, or a network
// full of listeners could test guesses at leisure.
//
// # Message
//
// 9 bytes, integers big endian; what has another size, version or type, or a
// nonsensical port, is dropped:
//
//	0  mark     0x53
//	1  type     1 query, 2 announce
//	2  version  1
//	3  number   4
//	7  port     2    announce: where the sender meets people, at the address
//	                 from which this came; query: 0
//
// A query and its answer have the same size, and answers are limited to 20 in a
// second, so that nobody gains by forging the address of a query.
//
// # To everybody
//
// Messages to everybody go to port 4278, to the groups 239.255.71.70 (of the
// organisation-local scope of RFC 2365; the last bytes are "GF") and ff02::7166
// (link-local scope of RFC 4291), which no standard has assigned, on every
// interface; the socket adds IPv4 broadcasts, for networks that carry no
// multicast. Routers pass none of them on.
//
// # Limitations
//
// Networks that keep their members apart ("client isolation", guest networks)
// carry no beacons.
package beacon
