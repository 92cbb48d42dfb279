// Package udp moves batches of packets between this machine and the network as
// fast as the OS allows.
//
// A Socket is up to two kernel sockets on one port, one per IP version, so
// that a NAT sees one source port whichever family a packet takes:
//
//	           ┌─ IPv4 socket ── reader ─┐
//	network ──►│                         ├─► Incoming() ─► the loop ─► Release()
//	           └─ IPv6 socket ── reader ─┘        ▲                        │
//	                                              └──── pool of buffers ◄──┘
//	network ◄── trains and single packets ◄── Write(Batch)
//
// Most of the price of a small datagram is the way through the kernel, not the
// copy. On Linux that way is paid once per train instead of once per packet.
// Sending (generic segmentation offload, GSO): neighbours in a batch that have
// one destination and one size, of which the last may be shorter, leave in one
// sendmsg, and the kernel or the network card cuts them apart. Receiving (GRO):
// the kernel strings the packets of one source together, one recvmmsg fetches
// several such trains, and the segment size that comes with each says where to
// cut. Other systems send and receive one by one.
//
// A server's packets are small and of as many addresses as there are clients.
// For it (Config.Crowd) one recvmmsg or sendmmsg takes up to 64 packets instead
// of trains. It may have several ports (Config.Also), which Path.Local tells
// apart.
//
// What fails, fails by degrees. A packet that the system will not send (too
// big, no route, a firewall) is counted and skipped: for the protocols above it
// is a lost packet. A train that the system will not take is sent again packet
// by packet, at once and whole; if segmentation was the reason, it stays off
// for the rest of the socket's life, and Hints says so. Don't-fragment is set
// and the kernel's own idea of the path MTU is disregarded, because the
// transport probes for it (RFC 8899, section 3).
//
// Beside its first port a Socket may have others: those that it is given at the
// start, and those that Open adds later, hundreds of them if need be. A reader of
// the latter takes a buffer only when something has arrived, and its kernel socket
// is as the system makes it, until Promote. Path.Local tells all of them apart.
//
// Memory is bounded by the pool: when the loop falls behind, the readers stop
// and the kernel's socket buffer takes what it can; beyond that packets are
// lost, which the sender notices.
//
// # Limitations
//
//   - No segmentation on Windows (USO), no private batch calls on macOS.
//   - Segmentation that is accepted but done wrong further down (a driver, a
//     hypervisor) cannot be seen from here; whoever measures the loss calls
//     StopOffload. Kernels known for it start without.
//   - Only Linux can be told to disregard the path MTU it has cached.
//   - Android 11 and later does not let programs list Interfaces.
//   - A wildcard socket leaves the choice of source address to routing.
//   - ECN marks and kernel time stamps are neither set nor read.
package udp
