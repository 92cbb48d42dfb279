// Package rival has the congestion controllers that qft's own is compared with; imported by tests only.
//
// They are written from their papers, for the same transport, the same
// acknowledgements and the same first window as congestion.Controller:
//
//	BBR1  BBRv1, Cardwell et al., CACM 60(2) 2017, and tcp_bbr.c
//	BBR3  BBRv3, draft-ietf-ccwg-bbr
//	Copa  Copa, Arun and Balakrishnan, NSDI 2018
//
// All take the round-trip time and the delivery rate at this end, as their
// papers do. Left out: what tcp_bbr.c does to conserve packets in the first
// round of a recovery, for want of recoveries here, its policer detection and
// its allowance for aggregated acknowledgements.
package rival
