package congestion

import "time"

// driver is what decides about a flow: a Controller, or the model of a rival.
type driver interface {
	Sent(now time.Time, p *Packet, size, inFlight int)
	Acked(now time.Time, p *Packet, size int)
	Lost(now time.Time, p *Packet, size int)
	Update(now time.Time, rtt time.Duration, inFlight int)
	AppLimited(now time.Time, inFlight int)
	Blackout(now time.Time)
	Rate() float64
	Window() int
}

type flowConfig struct {
	driver   driver
	start    time.Duration
	total    int     // units to bring across; 0: no end
	payload  int     // bytes of a packet as the controller sees them; 0: 1452
	back     int64   // ns, return path
	ackLoss  float64 // on the return path
	ackRate  float64 // bytes/s of the return path; 0: infinite
	ackEvery int     // packets per acknowledgement; 0: as the transport does
	limit    float64 // application rate, bytes/s; 0: always has data
}

const wireHeader = 48 // IPv6 and UDP, or what makes 1452 bytes a 1500-byte packet

type fateKind uint8

const (
	inFlight fateKind = iota + 1
	acked
	lost
)

type record struct {
	cc   Packet
	at   int64
	unit uint32
	size uint16
	fate fateKind
}

type ackRecord struct {
	from, to  int // in the receiver's log
	newestPN  uint32
	delivered int64
}

// flow is a sender and its receiver.
type flow struct {
	s   *sim
	id  int
	cfg flowConfig
	tx  sender
	rx  receiver

	doneAt int64
}

type sender struct {
	ring     []record
	next     uint32 // packet number
	scan     uint32 // all below have met their fate
	inFlight int
	newest   uint32 // newest acked
	anyAcked bool
	reorder  int64
	rtt      rttModel
	probes   int

	repeat   []uint32 // units to send again
	fresh    uint32   // next unit never sent
	have     []uint64 // units known to have arrived
	arrived  int      // and their number
	tail     []uint32 // the pass at hand
	tailAt   int64    // when the next pass may begin
	tokens   float64
	paced    int64 // when tokens were counted
	wake     int64 // pending timer
	lastSent int64
	lossAt   int64
	sentPk   int
	lostPk   int
	spurious int
	appLeft  float64
	appAt    int64
}

type receiver struct {
	seen    []uint64
	log     []uint32
	acks    []ackRecord
	unacked int
	due     int64
	units   int
	bytes   int64 // unique payload
	ackFree int64
	newest  uint32
}

type rttModel struct {
	smoothed, variance, least int64
}

func (r *rttModel) sample(d int64) {
	if r.least == 0 {
		r.least, r.smoothed, r.variance = d, d, d/2
		return
	}
	r.least = min(r.least, d)
	diff := r.smoothed - d
	if diff < 0 {
		diff = -diff
	}
	r.variance = (3*r.variance + diff) / 4
	r.smoothed = (7*r.smoothed + d) / 8
}

func (s *sim) add(cfg flowConfig) *flow {
	if cfg.payload == 0 {
		cfg.payload = 1452
	}
	f := &flow{s: s, id: len(s.flows), cfg: cfg}
	f.tx.ring = make([]record, 1<<12)
	s.flows = append(s.flows, f)
	s.call(cfg.start, func() { f.tx.paced = s.now; f.send() })
	return f
}

func clock(ns int64) time.Time { return time.Unix(0, 1e18+ns) }

func (f *flow) rec(pn uint32) *record { return &f.tx.ring[pn&uint32(len(f.tx.ring)-1)] }

func bit(b []uint64, i uint32) bool {
	return int(i/64) < len(b) && b[i/64]&(1<<(i%64)) != 0
}

func setBit(b []uint64, i uint32) []uint64 {
	for int(i/64) >= len(b) {
		b = append(b, 0)
	}
	b[i/64] |= 1 << (i % 64)
	return b
}

// pick chooses what to send next.
func (f *flow) pick() (unit uint32, ok bool) {
	t := &f.tx
	if f.cfg.limit > 0 {
		t.appLeft = min(t.appLeft+float64(f.s.now-t.appAt)*f.cfg.limit/1e9, 64<<10)
		t.appAt = f.s.now
		if t.appLeft < float64(f.cfg.payload) {
			return 0, false
		}
		t.appLeft -= float64(f.cfg.payload)
	}
	for len(t.repeat) > 0 {
		u := t.repeat[0]
		t.repeat = t.repeat[1:]
		if !bit(t.have, u) {
			return u, true
		}
	}
	if f.cfg.total == 0 || int(t.fresh) < f.cfg.total {
		t.fresh++
		return t.fresh - 1, true
	}
	if t.arrived >= f.cfg.total {
		return 0, false
	}
	// The tail: what is unacknowledged, again and again.
	if len(t.tail) == 0 && f.s.now >= t.tailAt {
		t.tailAt = f.s.now + max(t.rtt.smoothed/8, 1e6)
		for u := range uint32(f.cfg.total) {
			if !bit(t.have, u) {
				t.tail = append(t.tail, u)
			}
		}
	}
	for len(t.tail) > 0 {
		u := t.tail[0]
		t.tail = t.tail[1:]
		if !bit(t.have, u) {
			return u, true
		}
	}
	return 0, false
}

func (f *flow) send() {
	t := &f.tx
	now := f.s.now
	cc := f.cfg.driver
	rate := cc.Rate()
	burst := max(rate*0.002, float64(2*f.cfg.payload))
	t.tokens = min(t.tokens+rate*float64(now-t.paced)/1e9, burst)
	t.paced = now
	sent := false
	for t.tokens > 0 && t.inFlight < cc.Window() {
		u, ok := f.pick()
		if !ok {
			if !sent {
				cc.AppLimited(clock(now), t.inFlight)
			}
			if f.cfg.limit > 0 {
				f.arm(now + 2e6)
			} else if t.tailAt > now {
				f.arm(t.tailAt)
			}
			break
		}
		f.transmit(u)
		sent = true
	}
	if t.tokens <= 0 && t.inFlight < cc.Window() {
		quantum := max(min(rate*0.0005, 64<<10), float64(f.cfg.payload))
		f.arm(now + int64((quantum-t.tokens)/rate*1e9) + 1)
	}
	if t.inFlight > 0 {
		f.arm(t.lastSent + f.pto())
	}
}

func (f *flow) transmit(u uint32) {
	t := &f.tx
	now := f.s.now
	pn := t.next
	if pn-t.scan >= uint32(len(t.ring)) {
		f.grow()
	}
	t.next++
	r := f.rec(pn)
	*r = record{at: now, unit: u, size: uint16(f.cfg.payload), fate: inFlight}
	f.cfg.driver.Sent(clock(now), &r.cc, f.cfg.payload, t.inFlight)
	t.inFlight += f.cfg.payload
	t.tokens -= float64(f.cfg.payload)
	t.lastSent = now
	t.sentPk++
	if at, ok := f.s.link.offer(now, f.id, f.cfg.payload+wireHeader); ok {
		f.s.push(at, evArrive, f.id, int(pn))
	}
}

func (f *flow) grow() {
	t := &f.tx
	old := t.ring
	t.ring = make([]record, 4*len(old))
	for pn := t.next - uint32(len(old)); pn != t.next; pn++ {
		t.ring[pn&uint32(len(t.ring)-1)] = old[pn&uint32(len(old)-1)]
	}
}

func (f *flow) pto() int64 {
	t := &f.tx
	base := t.rtt.smoothed + max(4*t.rtt.variance, 1e6) + 20e6
	if t.rtt.least == 0 {
		base = 1e9
	}
	return min(base<<min(t.probes, 10), max(1e9, base*3/2))
}

func (f *flow) arm(at int64) {
	t := &f.tx
	if t.wake > f.s.now && t.wake <= at {
		return
	}
	t.wake = max(at, f.s.now+1)
	f.s.push(t.wake, evSend, f.id, 0)
}

func (f *flow) timer(at int64) {
	t := &f.tx
	if t.wake != at {
		return
	}
	t.wake = 0
	now := f.s.now
	if t.lossAt != 0 && now >= t.lossAt {
		f.detect()
		f.cfg.driver.Update(clock(now), 0, t.inFlight)
	}
	if t.inFlight > 0 && now >= t.lastSent+f.pto() {
		t.probes++
		if t.probes == 3 {
			f.cfg.driver.Blackout(clock(now))
		}
		if u, ok := f.pick(); ok {
			f.transmit(u)
		} else {
			f.transmit(f.rec(t.scan).unit)
		}
	}
	f.send()
}

func (f *flow) arrive(pn uint32) {
	rx := &f.rx
	now := f.s.now
	u := f.rec(pn).unit
	if !bit(rx.seen, u) {
		rx.seen = setBit(rx.seen, u)
		rx.units++
		rx.bytes += int64(f.cfg.payload)
		if rx.units == f.cfg.total {
			f.doneAt = now
		}
	}
	rx.log = append(rx.log, pn)
	rx.newest = max(rx.newest, pn)
	rx.unacked++
	every := f.cfg.ackEvery
	if every == 0 {
		every = 32
		if len(rx.log) <= 64 {
			every = 2
		}
	}
	if rx.unacked >= every {
		f.ack()
	} else if rx.due == 0 {
		rx.due = now + min(max(f.tx.rtt.smoothed/8, 1e6), 20e6)
		f.s.push(rx.due, evAckDue, f.id, 0)
	}
}

func (f *flow) ackDue(at int64) {
	if f.rx.due == at {
		f.ack()
	}
}

// ack sends an acknowledgement; it repeats what the eight before it said.
func (f *flow) ack() {
	rx := &f.rx
	now := f.s.now
	rx.unacked, rx.due = 0, 0
	from := 0
	if n := len(rx.acks); n >= 8 {
		from = rx.acks[n-8].to
	}
	rx.acks = append(rx.acks, ackRecord{from: from, to: len(rx.log), newestPN: rx.newest})
	if f.s.link.down || f.cfg.ackLoss > 0 && f.s.dice.unit() < f.cfg.ackLoss {
		return
	}
	if f.cfg.ackRate > 0 {
		rx.ackFree = max(rx.ackFree, now) + int64(100/f.cfg.ackRate*1e9)
		now = rx.ackFree
	}
	f.s.push(now+f.cfg.back, evAck, f.id, len(rx.acks)-1)
}

func (f *flow) onAck(i uint32) {
	t := &f.tx
	now := f.s.now
	a := f.rx.acks[i]
	news := false
	var sample int64
	for _, pn := range f.rx.log[a.from:a.to] {
		if t.next-pn > uint32(len(t.ring)) {
			continue
		}
		r := f.rec(pn)
		if r.fate == acked {
			continue
		}
		news = true
		if r.fate == lost {
			t.spurious++
			t.reorder = max(t.reorder, (f.rec(t.newest).at-r.at)*5/4)
		} else {
			t.inFlight -= int(r.size)
			if pn == a.newestPN {
				sample = now - r.at
			}
		}
		r.fate = acked
		if !t.anyAcked || pn > t.newest {
			t.newest, t.anyAcked = pn, true
		}
		f.cfg.driver.Acked(clock(now), &r.cc, int(r.size))
		if !bit(t.have, r.unit) {
			t.have = setBit(t.have, r.unit)
			t.arrived++
		}
	}
	if !news {
		return
	}
	if sample > 0 {
		t.rtt.sample(sample)
	}
	t.probes = 0
	f.detect()
	f.cfg.driver.Update(clock(now), time.Duration(sample), t.inFlight)
	f.send()
}

// detect marks packets lost as RACK does (RFC 8985).
func (f *flow) detect() {
	t := &f.tx
	t.lossAt = 0
	if !t.anyAcked {
		return
	}
	window := min(max(t.rtt.least/4, 1e6, t.reorder), max(t.rtt.smoothed+4*t.rtt.variance, 4e6))
	edge := f.rec(t.newest).at
	for t.scan < t.newest {
		r := f.rec(t.scan)
		if r.fate == inFlight {
			if overdue := r.at + t.rtt.smoothed + window; edge-r.at < window && overdue > f.s.now {
				t.lossAt = overdue
				f.arm(overdue)
				return
			}
			r.fate = lost
			t.inFlight -= int(r.size)
			t.lostPk++
			f.cfg.driver.Lost(clock(f.s.now), &r.cc, int(r.size))
			t.repeat = append(t.repeat, r.unit)
		}
		t.scan++
	}
}
