// Package lab is an internet on a desk: links, routers, NATs, loss and time, from a seed; imported by tests only.
//
// A World holds everything and is single-threaded: it takes the earliest
// event, sets its clock to it, and lets it happen. Nothing waits in real time
// and nothing reads a clock, so a run is as fast as its packets, and the same
// program with the same seed runs the same to the bit (Trace tells).
//
// # Topology
//
// The world is a tree around one public internet, the core. Routers may
// translate IPv4 (NAT, RFC 4787), filter (Firewall), or do neither; a home
// router behind a carrier-grade NAT is a router below a router. Every host
// and every router but the core has one line to its parent: a Pipe up and a
// Pipe down, each with its own Link.
//
//	              core (public internet, nil in the API)
//	     ┌───────────────┼──────────────────┐
//	     │ up/down       │ up/down          │ up/down
//	host "helper"   router: NAT        router: NAT (carrier)
//	198.18.0.2      LAN 192.168.1/24   LAN 100.64/10
//	                 ┌───┴───┐              │ up/down
//	               host    host        router: NAT, Firewall (IPv6)
//	                                        │
//	                                      host 192.168.2.2, 2001:db8:4::2
//
// Hosts behind one router reach each other through their own pipes and the
// router, not through the router's line: put what a home's access line does in
// the router's links and what its Wi-Fi does in the hosts'.
//
// IPv4 addresses are unique among the neighbours of one NAT (two homes may
// both be 192.168.1.0/24); IPv6 is never translated, only filtered. Packets to
// an address nobody has, to a family the host lacks, or to a private address
// of another home vanish, as they do outside.
//
// # A pipe
//
// Each direction of a line treats a packet in this order, the one of the
// emulated links used against real sockets (queue, transmitter, wire, delay):
//
//	offered ─► MTU ─► policer ─► drop-tail queue ─► transmitter
//	                                                     │
//	 delivered ◄─ delay, jitter ◄─ held back? ◄─ copied? ◄─ damaged? ◄─ lost?
//
// A lost packet has used its share of the rate, as on a radio link.
//
// # Machines
//
// A host runs machines (Machine), one per UDP port; a machine may have further
// ports (Open), which tell themselves apart by udp.Path.Local. All packets that arrive at
// one instant are handed over with Receive; then Send is called until it
// appends nothing or Deadline is later than now; then the world goes on to
// the next event. Whoever changes a machine from outside calls Host.Wake.
//
//	     ┌────────── Deadline reached, Wake ──────────┐
//	     ▼                                            │
//	Send ... Send ── Deadline later or zero ──► asleep
//	     ▲                                            │
//	     └───────────── Receive ... Receive ◄─────────┘
//
// # Limitations
//
//   - UDP, no ICMP, and of TCP only how connections come about and end (Lines):
//     what they carry is lost and reordered like datagrams. A port nobody
//     listens on and a packet too large are silence. No fragmentation, no ECN,
//     no queue management but drop-tail.
//   - Machines and routers take no time, so nothing is ever slow for want of CPU.
//   - A port that a router opened (Map) stays open until the router forgets;
//     there is no lease, and no protocol to ask for it.
//   - A mapping and each permission of its filter expire on their own timers of
//     the same length; nothing but silence, Forget and Renumber ends them.
//   - A host has one line at a time; several addresses of one family all use
//     it, and the first of them is the source.
//   - Pipe.Set leaves alone what was already queued: it drains at the old rate.
package lab
