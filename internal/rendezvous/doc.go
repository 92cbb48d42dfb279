// Package rendezvous lets two strangers who name the same room pass notes:
// messages, client, server.
//
// A room has two roles. A member sees, and writes to, the members of the other
// role only. Client and Server are machines: they are handed packets and the
// time. The server, called the helper, answers standard STUN binding requests
// (RFC 8489) on the same port.
//
// # Course
//
//	client                          helper
//	  hello (padded)         ──►                  keeps nothing
//	                         ◄──   cookie         MAC of the source address
//	  join (cookie, key)     ──►                  makes or refreshes the member
//	                         ◄──   joined         number, address, roster
//	  ack (roster)           ──►
//	                         ◄──   joined         pushed when the roster changes
//	  note                   ──►   push  ──► the other client
//	                         ◄──   acked ◄── ack
//	  join, every 10 s       ──►                  keep-alive
//	  leave                  ──►
//	                         ◄──   left
//
// Everything at the helper is soft. A join is complete each time: it serves as
// first contact, as keep-alive, after a change of address and after a restart
// of the helper, which needs no other recovery. A request whose cookie does not
// hold (the address changed, the helper restarted, a minute went by) is
// answered by a fresh cookie and nothing else, and the client joins again.
//
// Streams of notes run from client to client: notes are numbered for each pair
// of members, confirmed by the reader, and kept by the author until then. The
// helper holds copies, to retransmit over the reader's half of the way; when it
// forgets them, the author's retransmissions put that right.
//
// A member's ID is the hash of a key that only it and the helper learn. Others
// learn the ID, which suffices to write to it, and not to take its place.
//
// # Messages
//
// One message to a datagram, integers big endian. All of them begin and end
// alike, in this and in every later version:
//
//	0    magic     0x51
//	1    type
//	2    version   1
//	3    token     8    drawn by the client for each address of the helper,
//	                    echoed in every answer
//	...
//	n-4  checksum  4    CRC-32C (RFC 3720 appendix B.4) of all before it
//
// Requests other than hello go on with the 16-byte cookie. What then follows,
// with sizes in bytes:
//
//	01 hello    zeros up to 64 bytes in all
//	02 join     req 4, kind 1, role 1, room name 16, key 16, mac 16
//	03 note     from 16, to 16, seq 4, part 1, data up to 1000
//	04 ack      from 16, to 16 (zero: the roster), next seq or version 4
//	05 leave    from 16, req 4
//
//	11 cookie   cookie 16, address 18, count 1, count times port 2
//	12 joined   cookie 16, address 18, req 4, born 4, version 4, number 4,
//	            count 1, count times ID 16
//	13 push     from 16, seq 4, part 1, data up to 1000
//	14 acked    from 16, next seq 4
//	15 refused  code 1 (1 version, 2 taken, 3 busy, 4 unknown, 5 expired,
//	            6 denied), req 4
//	16 left
//
// An address is 16 bytes of IPv6 (IPv4 mapped) and 2 of port, XORed with the
// token, repeated. A part is the index of the note in its message (high four
// bits) and the number of notes of it (low ones). A room's kind is 1 numbered,
// 2 shared, 3 private, a role 1 sender, 2 receiver. The name of a numbered or
// shared room is its number in the last four bytes. A mac is of the cookie and the
// key, by a secret of the helper, or zeros. The ports of a cookie are those on
// which the helper listens beside the one that was asked.
//
// req numbers a member's joins, so that one which was overtaken on the way is
// told from a newer one; born changes when the helper has forgotten the member;
// version changes with the roster.
//
// Instances that share their rooms have messages of their own (wire).
//
// A helper that gets a hello of another version answers refused, with its own
// version in the header.
//
// # Client
//
//	          hello to all        cookie                joined
//	seeking ─────────────► ... ──────────► joining ──────────────► joined
//	                                        ▲   │                  │    │
//	                                        │   │ refused: busy,   │    │ Leave
//	                       every 5 s: join  │   ▼ taken            │    ▼
//	                                       refused ◄───────────────┘  leaving
//	                                                                    │ left, or
//	                                                                    ▼ 3 copies
//	                                                                  done
//
// When nothing has answered by UDP for 1.5 s, other ports of the helper's hosts
// are asked as well (ClientConfig.Ports), and lines to it are welcome (LineUp):
// TCP connections, which are addresses of the helper like others.
//
// The other ports that a cookie names are asked once what they see of our
// address: that shows what our NAT does (Observed).
//
// While joined, a join leaves every 10 s ± 20 %, and a hello to each other
// address of the helper, so that NAT mappings of 30 s hold in both families. An
// answer that does not come is asked for again after two round trips to the
// helper (0.15 s while that is not known, 0.1 to 1 s), then after twice and four
// times as long, then every 5 s, forever; from the third try on through the
// other addresses, too. Notes are sent again after four round trips, then after
// twice as long each time, up to every 2.5 s.
//
// # Helper
//
// Nothing is answered by more bytes than were asked with, and nothing is
// remembered but a rate, before the source address has shown a cookie. The
// exception is a STUN response, which its standard makes larger than the
// smallest request. Cookies hold for 30 to 60 s. Members expire after 60 s of
// silence, and have to go when nothing was said in their room for its lifetime.
// Timers are a heap, so that no packet costs more than the logarithm of the number
// of members; rates are token buckets per source (an IPv4 address or IPv6 /64),
// per neighbourhood (a /24 or /48), and for all together, where the second half is
// for sources that were not there lately. The limits stand beside ServerConfig and
// in admit.go. What shows no cookie, and may so be forged, has buckets of its own.
//
// A member that waits alone costs 128 bytes, its room 64, its source 64, and the
// maps by which they are found about 130.
//
// Numbers are random and free, from the smallest decade (1 to 99, 100 to 999,
// ...) that is less than half full; in a helper's first 15 s, from 100 on, so
// that a number below is still there for who held it before a restart. A number
// in whose room notes were written is given to nobody else for a day after the
// room has emptied: its members may come back from a transfer that was
// interrupted. Those who name it may enter at any time.
//
// # Instances
//
// Servers that are told to (ServerConfig.Bus) share their rooms through a bus on
// which each publishes and listens: soft state again, announced with every join
// and forgotten 30 s after the last announcement.
//
//	client    instance A            bus           instance B    client
//	  join ──►  listens to the room
//	            ── who, here ──────────────────►
//	            ◄────────────────────── here ──  (has a member in it)
//	  ◄── joined (both are on the roster) ──►              joined ──►
//	  note ──►  ── note ───────────────────────►  holds it,  push ──►
//	  ◄── acked ◄────────────────────── ack ──             ◄── ack
//
// A member is at the instance where it joined last. A number is claimed first,
// and assigned when nobody has objected for 100 ms. Of two members with one seat,
// whose instances had not heard of each other, the one in the older room stays.
//
// # Limitations
//
// Who sees the packets between a client and the helper can forge them, and so
// can the helper: end a meeting, delay it, impersonate a member. What the notes
// hold has to be protected by those who write them.
//
// All addresses that a client is given must be of one helper, or of instances
// that share their rooms. Instances trust each other and their bus. While the bus
// is away, each serves its own members only; those of a lost instance come to
// another with their next keep-alive, after 12 s at most. In a shared room with
// more than 16 of a role, spread over instances, not all see the same 16.
//
// A hostile member can write useless notes to the
// others, and sit in the seats of a numbered room. A source with very many
// /48s can use up the places of a helper, or the short numbers. A restart of the
// helper forgets which numbers rest. A member forgotten by its peers, which
// takes 16 newer ones, cannot go on with its old streams.
package rendezvous
