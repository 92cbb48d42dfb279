// Package congestion decides how fast to send, from what was acknowledged,
// lost and delayed.
//
// # Model
//
// A path is thought of as one bottleneck: a rate, a round-trip time without
// queue, and a share of packets that is lost whatever one does. The controller
// sends at that rate, with as little queue as it can, and looks now and then
// whether the model still holds. It is of the BBR family
// (draft-ietf-ccwg-bbr), with these differences:
//
//   - Random loss is measured and made up for. The delivery rate of a path that
//     loses a share p shows only 1-p of the bottleneck's rate; a sender that
//     paces at it loses p again, and so on down. What is delivered is therefore
//     divided by 1-p. To be sure that p is not our own doing, it is measured
//     only on packets that were sent below the bottleneck's rate while the
//     round-trip time showed no queue.
//   - The first window leaves as a train. The spacing in which the bottleneck
//     passes it on shows its rate in one round trip (packet dispersion), so
//     that a path of one second does not cost ten seconds to learn. Three
//     quarters of that rate are tried next; more only as it is confirmed.
//   - Startup also ends when a queue stands, seen by the round-trip time.
//   - A standing queue together with a lower delivery rate bounds the rate at
//     once: the path has become slower.
//
// # States
//
//	Startup ──no growth, or a queue──► Drain ──queue gone──► Cruise ◄─────────┐
//	                                                         │  │            │
//	                              min RTT not seen for 10 s  │  │ 5 phases   │
//	                        MinRTT ◄─────────────────────────┘  ▼            │
//	                          └─────────────► Cruise            Up ─► Down ──┘
//	                                                  goes on while it grows
//
// A phase is the smallest round-trip time, at least 20 ms.
//
// # Limitations
//
// Competing senders that fill the queue are not competed with beyond a small
// queue; a policer is met with the same means as a short queue. docs/congestion.md
// has the figures and the reason for each constant.
package congestion
