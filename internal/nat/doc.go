// Package nat finds a pair of addresses through which two peers can exchange
// packets.
//
// # Algorithm
//
// A pair is an own socket and an address of the peer. All candidates are tried
// from the first socket, which there is one of per address family; further ones
// serve to meet NATs whose ports have to be guessed. An Agent is given the
// peer's candidates (addresses that the peer believes it has, see Kind), sends
// probes to all of them and answers the probes that come in. A probe from an address that no candidate
// named is how a NAT with port-dependent mapping (RFC 4787 section 4.1) shows
// itself: the address is learned as peer-reflexive (RFC 8445 section 7.3.1.3)
// and checked at once. That opening rounds are lost in the NATs' filters is
// expected: each outgoing probe opens the own filter for the peer's next one.
//
// A pair is proven on one side when a full-size ping (1,200 bytes of UDP
// payload) was answered there by a full-size pong, which shows both
// directions. It is mutual when that side also knows that the peer has proven
// it: every probe carries the sender's "proven" flag for the pair it travels.
// Only proven pairs can be chosen, so a path that lets small packets through
// and swallows large ones is never called connected.
//
// The first path that works is used at once, by each side when it has proven
// it. The controlling side (the sender of the transfer) then moves to what is
// better: lowest cost, which is the round-trip time plus a penalty by class
// (class.cost). It nominates what it uses, by a flag in its pings, until an
// answer says that the peer has proven that too; the other side follows the
// latest nomination it has proven itself. The transport follows the source of
// authenticated packets anyway, so a nomination has to be good, not perfect.
// What could be better still is looked for as long as the Agent lives: seldom,
// and at once when either side's addresses change.
//
// # Guesses
//
// Where a NAT gives each destination another port, the port that the peer's
// packets need is one that nobody has seen. Profile says what the NATs of both
// sides do, and tactics what to do about each pair of them:
//
//	                 own socket                         the peer's NAT
//	preserving   a fresh one, whose first packet ──►  its outside port is the
//	             goes to the right place               inside one: it can be told
//	sequential   pings in an order that both   ──►    the n-th mapping has the
//	             sides know                            n-th port after the last
//	random       one of 256 that all ping the  ──►    one of 1,000 ports per second
//	             peer's fixed endpoint                 that the other side looks at
//
// The last is the birthday paradox: half of such pairs meet within a second.
// Guesses are small pings without memory. Whatever they meet, on either side,
// becomes a learned pair and is from then on probed like any other. The socket
// of the pair that is chosen is promoted, the others are shut.
//
// # States
//
// Of a pair, as one side sees it (stage, and pair.peerFull for "mutual"):
//
//	silent ──ping comes──► heard ──small pong──► thin ──full pong──► full
//	   └───────────────────── any pong ───────────┴──────────────────►┘
//	full and the peer's flag says proven: mutual
//
// Of the agent:
//
//	         first address               first proven pair
//	 idle ───────────────► searching ─────────────────────────► settled
//	                        ▲  │  ▲                                │
//	               Restart, │  │  └── nomination not confirmed ────┘
//	or the peer restarted ──┘  └─ Timeout: Failed reports, the search goes
//	(from any state)              on more slowly, probes are still answered
//
// The controlled side settles on what it has proven first, and pings it until
// a nomination comes: its peer may have proven nothing so far.
//
// A restart begins a new generation: nothing proven before it counts, the old
// pair is probed first. The generation travels in every probe, and whoever
// sees a later one than its own begins it too, so one side's restart is
// enough.
//
// # Probe
//
//	offset size
//	0      1    0x52
//	1      4    session tag, in the clear, equal on both sides
//	5      24   nonce                       \
//	29     n    sealed body                  > Box, overhead 40
//	29+n   16   authenticator               /
//
// The additional data of the Box is bytes 0 to 4 followed by the sender's
// role (1 controlling, 2 controlled), so that a probe thrown back at its
// sender does not open. The body, big-endian:
//
//	0      1    kind: 1 ping, 2 pong
//	1      1    flags: 0x01 proven, 0x02 nominated; the rest 0, ignored
//	2      4    generation
//	6      8    sequence: strictly increasing over all probes of one sender
//	14     8    transaction: random in a ping, copied into its pong
//	22     16   pong: address the ping came from (IPv4 as ::ffff:a.b.c.d), else 0
//	38     2    pong: port the ping came from, else 0
//	40     -    zeros up to the size of the probe
//
// There are two sizes, 85 bytes (small) and 1,200 (full); a pong is as large
// as its ping. Any other size is dropped before it is opened.
//
// # Candidates
//
//	0      1    count, 0 to 48, then for each:
//	0      1    kind: 1 host, 2 reflexive, 3 peer-reflexive, 4 mapped,
//	            5 TCP host, 6 TCP reflexive, 7 TCP mapped, 8 predicted
//	1      1    family: 4 or 6
//	2      4/16 address
//	6/18   2    port, not 0
//
// and behind them the profile of the IPv4 NAT (Profile) and the flags:
//
//	0      1    mapping: 0 unknown, 1 independent, 2 preserving, 3 sequential, 4 random
//	1      2    step, signed
//	3      4    address of the outside endpoint seen last, 0: none
//	7      2    its port
//	9      1    flags: 0x01 this side cannot use UDP; the rest 0, ignored
//
// # Hostile packets
//
// Whatever does not open under the Box changes nothing and is not answered.
// Each sequence number is accepted once, within a window of 4,096. A learned
// address is sent at most three times what came from it (as RFC 9000 section
// 8 has it) until a pong with the right transaction has come from there, and
// only such a pong can prove a pair. So a recorded ping, sent again from an
// attacker's address, is dropped; one that was held back and delivered from
// there first costs a pong and two checks, and moves nothing.
//
// # Limitations
//
// Two NATs that give each destination another port cannot be passed if one of
// them draws it at random: the Report says so. Ports of a sequential NAT are told
// only as long as little else happens behind it; Profile.Last is as old as the
// last new question to the helper. Between two NATs of which one draws ports at
// random and the other one is a Linux router that takes unexpected packets to be
// its own (below), a guess spoils the port it was for unless it came first: one
// in ten takes some seconds more, and a few fail. No relay. An authenticated peer
// may name addresses of third parties, which then get up to 50 kB/s of probes
// from here while the search lasts, and 1,000 small ones a second for 20 s if its
// profile asks for guesses. Someone near a peer who forwards probes in both
// directions from his own address can become the path; then he can drop and delay
// packets, not read or change them. A Linux router that does not drop unexpected
// packets to itself, as masquerade without a filter rule, changes a mapping's
// port if the peer's ping came before the own one left; two such pass only if
// both sides begin within the one-way delay, one at once only if its side begins
// first or the other NAT does not filter by port, and else by guessing. An Agent
// lives as long as its Box key: a second Agent under the same key would have its
// probes dropped as replays. Whether contact is lost later is for the transport
// to notice.
package nat
