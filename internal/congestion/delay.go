package congestion

const (
	leastQueue  = 3e6  // ns: less than this is not taken for a queue
	baseTime    = 10e9 // ns that a smallest delay counts at least
	leastRTT    = 20e6 // ns: shorter rounds would be noise
	queueShare  = 16   // one in so many of the RTT may be queued
	noiseFactor = 2
	deepQueue   = 10e6 // ns
	mostShake   = 15e6 // ns
	shakeTime   = 4e9  // ns after which it is halved
)

// delayState is what is known of times: the round trip, and how long packets
// wait in the queue on their way to the peer. The latter comes from the peer's
// clock, so that the way back, its queue and its bunching have no part in it;
// what differs between the two clocks is in the smallest delay as well.
type delayState struct {
	rtt    minFilter // of baseTime
	recent minFilter // of a few round trips

	base    minFilter // one-way delay without a queue
	short   minFilter // of the latest quarter of a round trip
	latest  int64
	noise   float64 // ns by which one packet differs from the next
	high    int64   // ns since when a queue has been standing; 0: there is none
	highest int64   // the longest queue since then
	shake   int64   // ns by which the delay has been seen to vary for no reason of ours
	shakeAt int64
}

// roundTrip is the path's own, at least leastRTT.
func (d *delayState) roundTrip() int64 { return max(d.rtt.least(), leastRTT) }

func (d *delayState) sampleRTT(t, rtt int64) {
	if rtt <= 0 {
		return
	}
	d.rtt.add(t, baseTime, rtt)
	d.recent.add(t, 2*max(rtt, leastRTT), rtt)
}

// sample takes the one-way delay of the newest packet.
func (d *delayState) sample(t, owd int64) {
	if !d.base.any {
		d.base = minFilter{owd, owd, t, true}
		d.latest = owd
	}
	step := owd - d.latest
	if step < 0 {
		step = -step
	}
	d.noise += (float64(step) - d.noise) / 16
	d.latest = owd
	d.short.add(t, min(max(d.roundTrip()/8, 4e6), 20e6), owd)
	switch {
	case owd < d.base.least():
		d.base = minFilter{owd, owd, t, true}
	case d.queue() <= d.limit():
		// Only a path that is seen without a queue lets the smallest delay
		// age; otherwise the queue would become the base.
		d.base.add(t, baseTime, owd)
	}
	d.watch(t)
}

// watch notes since when there is a queue.
func (d *delayState) watch(t int64) {
	if d.shake > 0 && t-d.shakeAt > shakeTime {
		d.shake, d.shakeAt = d.shake/2, t
	}
	q := d.queue()
	switch {
	case q <= d.limit():
		d.high, d.highest = 0, 0
	case d.high == 0:
		d.high, d.highest = t, q
	default:
		d.highest = max(d.highest, q)
	}
}

// queue is how long packets have had to wait at least, lately, in ns.
func (d *delayState) queue() int64 {
	if !d.short.any {
		return 0
	}
	return d.short.least() - d.base.least()
}

// limit is the longest wait that means nothing.
func (d *delayState) limit() int64 {
	return max(d.rtt.least()/queueShare, leastQueue) + d.tremble()
}

// tremble is what the wait of packets may differ by without a reason.
func (d *delayState) tremble() int64 { return int64(noiseFactor*min(d.noise, 10e6)) + d.shake }

// shook notes a queue that has gone faster than we had it drained: most likely
// it was none, but a delay that wanders, as on a radio link.
func (d *delayState) shook(t, highest int64) {
	if highest < 2*mostShake { // more than that is no radio link, but somebody else's burst
		d.shake, d.shakeAt = min(d.shake+(highest-d.limit())/2, mostShake), t
	}
}

// rising reports whether a queue begins to form beyond what there was. On a
// long path it is seen long before it is worth doing something about.
func (d *delayState) rising(from int64) bool { return d.queue()-from > leastQueue+d.tremble() }

// standing reports whether there is a queue.
func (d *delayState) standing() bool { return d.high > 0 }

// deep reports whether there is one that no wandering delay explains.
func (d *delayState) deep() bool {
	return d.standing() && d.queue() > max(deepQueue, 2*d.limit())
}
