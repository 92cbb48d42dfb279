package rival

import (
	"time"

	"qft/internal/congestion"
)

const (
	initialPackets = 48 // as ours
	minPackets     = 4
	forever        = 1e18
)

// record is what is remembered of a packet in flight
// (draft-ietf-ccwg-bbr section 4.1.1.1).
type record struct {
	upTo, sentAt, firstAt  int64
	delivered, deliveredAt int64
	lost                   int64
	inFlight               int // with it
	limited                bool
}

// loss is one packet given up.
type loss struct {
	inFlight int   // when it left
	since    int64 // bytes lost since then
}

// base is what every rival needs: it is told of packets and makes samples of
// acknowledgements.
type base struct {
	cfg   congestion.Config
	epoch time.Time
	open  map[int64]record // by Packet.UpTo
	sent  int64

	delivered, deliveredAt int64
	firstAt                int64
	lost                   int64
	limitedUntil           int64 // of delivered; 0: not limited

	newest record
	acked  int
	losses []loss
}

func newBase(cfg congestion.Config) base {
	if cfg.MaxDatagram == 0 {
		cfg.MaxDatagram = 1200
	}
	if cfg.InitialWindow == 0 {
		cfg.InitialWindow = initialPackets * cfg.MaxDatagram
	}
	return base{cfg: cfg, open: make(map[int64]record)}
}

func (b *base) ns(now time.Time) int64 {
	if b.epoch.IsZero() {
		b.epoch = now.Add(-1)
	}
	return int64(now.Sub(b.epoch))
}

// SetMaxRate bounds the pacing rate, in bytes per second; 0: it has no bound.
func (b *base) SetMaxRate(r float64) { b.cfg.MaxRate = r }

// Sent notes a packet that leaves.
func (b *base) Sent(now time.Time, p *congestion.Packet, size, inFlight int) bool {
	t := b.ns(now)
	if inFlight == 0 {
		b.firstAt, b.deliveredAt = t, t
	}
	b.cfg.MaxDatagram = max(b.cfg.MaxDatagram, size)
	b.sent += int64(size)
	*p = congestion.Packet{SentAt: t, UpTo: b.sent}
	b.open[b.sent] = record{upTo: b.sent, sentAt: t, firstAt: b.firstAt, delivered: b.delivered,
		deliveredAt: b.deliveredAt, lost: b.lost, inFlight: inFlight + size, limited: b.limitedUntil != 0}
	return false
}

// Acked notes a packet that has arrived.
func (b *base) Acked(now time.Time, p *congestion.Packet, size int) {
	b.delivered += int64(size)
	b.deliveredAt = b.ns(now)
	b.acked += size
	if b.limitedUntil != 0 && b.delivered > b.limitedUntil {
		b.limitedUntil = 0
	}
	if r, ok := b.open[p.UpTo]; ok {
		delete(b.open, p.UpTo)
		if r.upTo > b.newest.upTo {
			b.newest = r
		}
	}
}

// Lost notes a packet that is given up.
func (b *base) Lost(now time.Time, p *congestion.Packet, size int) {
	b.lost += int64(size)
	if r, ok := b.open[p.UpTo]; ok {
		delete(b.open, p.UpTo)
		b.losses = append(b.losses, loss{r.inFlight, b.lost - r.lost})
	}
}

// Found notes a packet that has arrived though it was given up.
func (b *base) Found(now time.Time, p *congestion.Packet, size int) {
	b.lost = max(0, b.lost-int64(size))
	b.Acked(now, p, size)
}

// AppLimited notes that there is nothing to send.
func (b *base) AppLimited(now time.Time, inFlight int) {
	b.limitedUntil = max(b.delivered+int64(inFlight), 1)
}

// Blackout changes nothing: what is lost is lost.
func (b *base) Blackout(now time.Time) {}

// sample is one acknowledgement.
type sample struct {
	t, rtt    int64 // ns; rtt 0: none
	acked     int   // bytes newly acknowledged
	losses    []loss
	prior     int64   // delivered when the newest packet left; -1: none
	delivered int64   // since then
	rate      float64 // bytes per second; 0: none
	limited   bool
	inFlight  int // now
	flown     int // when the newest packet left, with it
}

// take makes the sample of an acknowledgement, valid until the next packet.
func (b *base) take(now time.Time, f congestion.Feedback, inFlight int, minRTT int64) sample {
	s := sample{t: b.ns(now), rtt: int64(f.RTT), acked: b.acked, losses: b.losses, prior: -1, inFlight: inFlight}
	if n := b.newest; n.upTo > 0 {
		s.prior, s.delivered, s.limited, s.flown = n.delivered, b.delivered-n.delivered, n.limited, n.inFlight
		b.firstAt = n.sentAt
		if took := max(n.sentAt-n.firstAt, b.deliveredAt-n.deliveredAt); took > 0 && took >= minRTT {
			s.rate = float64(s.delivered) / float64(took) * 1e9
		}
	}
	b.newest, b.acked, b.losses = record{}, 0, b.losses[:0]
	return s
}

// capped is a rate within what was asked for, and never zero.
func (b *base) capped(r float64) float64 {
	if b.cfg.MaxRate > 0 {
		r = min(r, b.cfg.MaxRate)
	}
	return max(r, float64(4*b.cfg.MaxDatagram))
}

func (b *base) least() float64 { return float64(minPackets * b.cfg.MaxDatagram) }

// rounds counts round trips.
type rounds struct {
	count int
	end   int64 // of delivered
	began bool  // with the latest sample
}

func (r *rounds) update(b *base, s *sample) {
	r.began = s.prior >= 0 && s.prior >= r.end
	if r.began {
		r.end = b.delivered
		r.count++
	}
}

// floor is the smallest round-trip time and when it was seen.
type floor struct{ rtt, at int64 }

// update reports whether the smallest one had not been seen again for so long.
func (f *floor) update(t, rtt, keep int64) (old bool) {
	old = f.rtt > 0 && t > f.at+keep
	if rtt > 0 && (f.rtt == 0 || rtt <= f.rtt || old) {
		f.rtt, f.at = rtt, t
	}
	return old
}

// plateau ends a search after three rounds without a quarter more.
type plateau struct {
	best float64
	flat int
	full bool
}

func (p *plateau) update(bw float64) {
	if bw >= 1.25*p.best {
		p.best, p.flat = bw, 0
		return
	}
	p.flat++
	p.full = p.full || p.flat >= 3
}
