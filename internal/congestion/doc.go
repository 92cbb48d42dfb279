// Package congestion decides how fast to send, from what was acknowledged,
// lost and delayed.
//
// # Model
//
// A path is thought of as one bottleneck: a rate, a delay without queue, and a
// share of packets that is lost whatever one does. The controller sends at
// that rate, with as little queue as it can, and looks now and then whether
// the path takes more. Where its ideas come from:
//
//   - Acknowledgements say when a packet arrived, by the receiver's clock, and
//     how many bytes had arrived by then. Rate and queueing delay of the way
//     there are taken from that; the way back has no part in them.
//   - What was sent between two packets, over the time between their arrivals,
//     is the rate of the bottleneck while it is busy, however much is lost
//     behind it: random loss needs no correction. Losses count as too much only
//     when they grow with the rate.
//   - The first packets leave as a train, whose spacing at the receiver shows
//     the rate in one round trip (packet dispersion, Dovrolis 2001).
//   - Probing adds no more in a round trip than a queue that would just be
//     noticed, in steps that double for as long as the path takes them.
//   - Everybody adds the same, whatever he has, so that shares become equal.
//   - A queue that does not become shorter when less is sent is somebody
//     else's. It is then competed for as CUBIC would (RFC 9438), for a while.
//
// # States
//
//	Startup ──confirmed──► Up ──a queue, losses, or nothing more──► Down
//	   │                   ▲ └─► Up, twice the step, while it grows   │
//	   │ a queue,          │                                          │
//	   │ or losses         └──────── Cruise ◄─────────────────────────┘
//	   │                              │  ▲                  ▲
//	   │     a foreign queue          ▼  │ gone, or to see  │
//	   └──────────────► Down         Compete ───────────────┘
//
// # Limitations
//
// Two controllers that take each other for somebody else's queue keep one for
// seconds. A delay that wanders by more than 20 ms is taken for a queue.
// docs/congestion.md has the reason for each constant, docs/performance.md the
// figures.
package congestion
