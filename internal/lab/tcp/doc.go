// Package tcp is a TCP flow for the lab to share a link with; imported by tests only.
//
// A Sender and a Receiver are lab machines that speak a format of their own
// over UDP, in IP packets of the size that TCP's would have (1,500 bytes with
// 1,448 of payload, acknowledgements of 52 to 80 bytes). What decides how a
// flow shares a bottleneck is modelled after Linux 6: SACK with three blocks,
// loss detection by RACK and three duplicates (RFC 8985), an acknowledgement
// for every second packet, RTO with exponential backoff (RFC 6298, at least
// 200 ms), Proportional Rate Reduction (RFC 6937 with the slow-start part),
// CUBIC (RFC 9438) with HyStart as tcp_cubic.c has it, and BBRv1 as tcp_bbr.c
// has it. CUBIC is not paced: it leaves in the bursts that acknowledgements
// clock out, as without the fq qdisc.
//
//	         data: segment number ──────────────►
//	Sender                                        Receiver
//	         ◄── ack: next expected, SACK blocks
//
// On an emulated link of 20 Mbit/s, 30 ms and a queue of 100 ms, Linux 6.18's
// cubic has a window of 154 to 221 segments and sends 38 again in 65 s; this
// one has 152 to 221 and 32. TestBenchShare of the e2e tests has the two side by
// side.
//
// Left out: the handshake, flow control, tail loss probes, undoing of spurious
// reductions, BBR's policer detection and its allowance for aggregated acks.
package tcp
