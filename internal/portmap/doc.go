// Package portmap asks the local router to open a port, so that the other side
// can send first.
//
// There are three protocols for it, and a router speaks any of them or none.
// All are asked at the same time, for each router that leads out of this
// network; nobody waits for an answer, which comes by Config.Found:
//
//	            ┌─ PCP      MAP, IPv4 and IPv6      ─┐ one socket: a door
//	Start ─► router                                  ├──► Found(mappings)
//	            ├─ NAT-PMP  external address, map   ─┘
//	            └─ UPnP     search, description, AddPortMapping or AddPinhole
//
//	PCP      RFC 6887. In IPv6 there is no address to map, only a firewall to open.
//	NAT-PMP  RFC 6886, IPv4 only. Used where it answers and PCP does not.
//	UPnP     Internet Gateway Device 1 and 2: WANIPConnection 1 and 2,
//	         WANPPPConnection 1, WANIPv6FirewallControl 1. Used in IPv4 where
//	         neither of the others has opened a port by then.
//
// A search lasts 3 s, and is repeated every 5 minutes if it finds nothing, and
// at once when the way out changes. What was opened is renewed at half of its
// lease and closed by Close; if the program is killed, it lapses with the
// lease, after 20 minutes.
//
// # Trust
//
// Whoever is on the network can answer in the router's place, so an answer is a
// hint of where to be reached and nothing else. Only what comes from the
// router's own address is read, datagrams of 1,100 bytes and documents of
// 256 KiB at most. UPnP's addresses of documents and controls must be the
// router's too, literally, and redirections are not followed: no answer sends a
// request anywhere else. A lease counts as at least 2 minutes and at most
// a day, so none makes the client hammer. An outside address that is not public
// is reported and not offered as a candidate (Mapping.Public).
//
// # Limitations
//
//   - The routing table is read on Linux only. Elsewhere, and where it cannot
//     be read (Android), the router is taken to have the first or the last
//     address of the network of an interface, and IPv6 is not opened.
//   - A router that has restarted is noticed at the next renewal: its
//     announcements (RFC 6887, section 14.1) are not listened for.
//   - Some UPnP routers know only mappings without an end. Such a one stays
//     if the program is killed.
//   - The router of the router (two NATs in a row) is not asked.
package portmap
