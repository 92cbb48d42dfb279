package congestion

import "time"

// Config says what is known beforehand.
type Config struct {
	InitialWindow int           // bytes that leave before anything is known. If zero, 10 to 48 packets, by RTT
	RTT           time.Duration // of the path as far as it is known. If zero, not known
	MaxDatagram   int           // bytes of a full packet. If zero, 1200
	MaxRate       float64       // bytes per second; pacing never exceeds it. If zero, no limit

	// Background makes the controller yield to other traffic: it never
	// competes for a queue that is not its own (in the spirit of RFC 6817).
	Background bool
}

// State is what the controller is doing.
type State uint8

const (
	// Startup looks for the bandwidth: by the spacing of the first train, then
	// by sending more and more. Next: Up, Down.
	Startup State = iota
	// Cruise sends what the path takes. Next: Up, Compete.
	Cruise
	// Up tries whether the path takes more, for as long as it does. Next: Down.
	Up
	// Down gives back what Up may have queued, and shows how much is lost when
	// nothing is asked of the path that it cannot do. Next: Cruise.
	Down
	// Compete takes a fair share of a queue that others keep full, as TCP
	// would. Next: Cruise.
	Compete
)

func (s State) String() string {
	return [...]string{"startup", "cruise", "up", "down", "compete"}[s]
}

// Controller decides how fast one path may be used. See the package comment
// for the model.
type Controller struct {
	cfg     Config
	epoch   time.Time
	now     int64  // ns; of the latest call
	sent    int64  // bytes
	idle    uint32 // see Packet.Idle
	past    history
	delay   delayState
	loss    lossState
	bw      maxFilter // bytes per second that the path carries
	fresh   maxFilter // the same, of the latest round trip only
	whole   maxFilter // the largest of a longer time
	anew    int64     // ns; packets that left before say nothing about the bandwidth any more
	round   roundState
	phase   phaseState
	probe   probeState
	start   startState
	foreign foreignState
	compete competeState
	quiet   quietState
}

// New returns a controller for a path of which little is known.
func New(cfg Config) *Controller {
	if cfg.MaxDatagram == 0 {
		cfg.MaxDatagram = 1200
	}
	if cfg.InitialWindow == 0 {
		cfg.InitialWindow = cfg.train() * cfg.MaxDatagram
	}
	c := &Controller{cfg: cfg}
	c.loss.size = float64(cfg.MaxDatagram)
	return c
}

// train is how many packets leave before anything is known: as many as make a
// good measurement, but on a short path, where measuring again costs little,
// no more than a small queue can hold (RFC 6928 has ten).
func (cfg *Config) train() int {
	if cfg.RTT <= 0 {
		return mostTrain
	}
	return min(max(int(cfg.RTT/trainShare), leastTrain), mostTrain)
}

// SetMaxRate changes Config.MaxRate. While the caller sends less than the path
// takes because of it, it says so by AppLimited.
func (c *Controller) SetMaxRate(rate float64) { c.cfg.MaxRate = rate }

func (c *Controller) ns(now time.Time) int64 {
	if c.epoch.IsZero() {
		c.epoch = now.Add(-1)
	}
	c.now = int64(now.Sub(c.epoch))
	return c.now
}

// Sent notes a packet that leaves now; inFlight is in bytes, without it. It
// reports whether the peer should be asked to acknowledge it at once.
func (c *Controller) Sent(now time.Time, p *Packet, size, inFlight int) (atOnce bool) {
	t := c.ns(now)
	c.cfg.MaxDatagram = max(c.cfg.MaxDatagram, size)
	c.loss.size = float64(c.cfg.MaxDatagram)
	if c.cfg.MaxRate > 0 && c.wanted() > c.cfg.MaxRate {
		c.idle++ // what the limit holds back says nothing about the path
	}
	if c.phase.state != Compete && inFlight+size >= c.Window() {
		c.idle++ // nor does what waits for acknowledgements that were lost
	}
	if c.phase.state == Startup {
		atOnce = c.start.onSent(t, c.sent, int64(c.cfg.InitialWindow), inFlight <= trainGap*c.cfg.MaxDatagram)
	}
	c.sent += int64(size)
	*p = Packet{SentAt: t, UpTo: c.sent, Idle: c.idle, Mark: c.mark(t)}
	return atOnce
}

// mark says for which end a packet leaves now.
func (c *Controller) mark(t int64) Mark {
	switch {
	case c.phase.state == Compete || c.phase.state == Startup && c.sent <= c.start.end:
		return searching
	case c.phase.state == Up || c.phase.state == Startup:
		return above
	case c.phase.state == Down && t-c.phase.began < c.phase.length/2:
		return above // what Up has filled is not empty yet
	case c.phase.state == Down || c.delay.standing():
		return below
	}
	return at
}

// Acked notes a packet that is newly acknowledged. The controller learns
// from Update what it needs.
func (c *Controller) Acked(now time.Time, p *Packet, size int) {}

// Lost notes a packet that is given up.
func (c *Controller) Lost(now time.Time, p *Packet, size int) {
	if p.SentAt >= c.quiet.until && c.phase.state == Compete {
		c.compete.lost(p, size)
	}
}

// Found notes a packet that arrived though it had been given up.
func (c *Controller) Found(now time.Time, p *Packet, size int) {
	if c.phase.state == Compete {
		c.compete.found(p, size)
	}
}

// AppLimited notes that there is nothing to send though more could leave.
func (c *Controller) AppLimited(now time.Time, inFlight int) { c.idle++ }

// Blackout notes that the peer has stopped answering, or that this end was
// asleep: what is in flight says nothing about the path.
func (c *Controller) Blackout(now time.Time) {
	if c.bw.best() > 0 {
		c.quiet.silent = true
	}
}

// Update draws the conclusions from an acknowledgement.
func (c *Controller) Update(now time.Time, f Feedback, inFlight int) {
	t := c.ns(now)
	p := f.Packet
	if p != nil && c.quiet.silent {
		c.resume(t)
	}
	if p == nil || p.UpTo <= c.past.tip.upTo || p.SentAt < c.quiet.until {
		return
	}
	c.delay.sampleRTT(t, int64(f.RTT))
	tip := point{p.SentAt, p.UpTo, int64(f.Arrived), f.Received, p.Idle}
	c.delay.sample(t, tip.arrived-tip.sentAt)
	if c.past.n > 0 {
		c.countLosses(p.Mark, p.SentAt, between(&c.past.tip, &tip))
	}
	c.loss.late = c.bandwidth() * 2 * c.delay.noise / 1e9
	c.past.add(tip, c.delay.roundTrip()/32)
	c.start.onFeedback(t, &tip)
	c.round.update(t, p)
	c.measure(t)
	c.step(t, p)
}

// countLosses notes what became of what left since the previous feedback.
func (c *Controller) countLosses(m Mark, sentAt int64, s stretch) {
	switch {
	case float64(s.sent) > outage*c.loss.size && s.received*outage < s.sent:
		// Nothing at all came through: no answer to how much was sent.
		c.past.clear()
	case m == at && (sentAt < c.anew || c.delay.rising(0)):
		// What a queue that can be seen has dropped needs no policer to explain.
	default:
		c.loss.count(m, s)
	}
}

// resume starts anew after a silence, with the bandwidth that was known.
func (c *Controller) resume(t int64) {
	c.quiet = quietState{until: t, gentle: t + c.delay.roundTrip()}
	c.past.clear()
	c.delay.high = 0
	c.delay.recent.any = false
	if c.phase.state != Startup {
		c.enter(t, Cruise)
	}
}

// measure takes a sample of the bandwidth.
func (c *Controller) measure(t int64) {
	rtt := c.delay.roundTrip()
	span, since := rtt, int64(0)
	switch {
	case c.phase.state == Up:
		// While the rate changes, a whole round trip would tell of the past.
		span, since = max(rtt/4, leastSpan), c.phase.began
	case c.phase.state == Startup && !c.start.over:
		span = max(rtt/8, leastSpan)
		c.bw.add(t, bwTime, c.start.atLeast(&c.past.tip, rtt))
	case c.phase.state == Startup:
		span, since = max(rtt/8, leastSpan), c.start.sentAt+1
	}
	s, ok := c.past.last(span, max(since, c.anew))
	if !ok || s.sending <= 0 || s.arriving <= 0 {
		return
	}
	if c.phase.state == Startup && s.sending < span/2 {
		return // the train's own spacing is not trusted with more than a hint
	}
	base, n := c.loss.random()
	carried := s.carried(min(base+c.loss.deviation(base, n)+sampleSlack, randomMost)) * 1e9
	// Not faster than was sent: what arrives faster has only been held up.
	bw := carried / float64(max(s.sending, s.arriving))
	if c.delay.standing() {
		// But while a queue stands the path is busy, and what leaves the
		// queue is what it carries, however little is put in.
		bw = max(bw, min(carried/float64(s.arriving), c.bandwidth()))
	} else if (s.limited || c.phase.state == Down) && bw <= c.bandwidth() {
		return // what was not asked for cannot be delivered
	}
	c.bw.add(t, max(2*rtt, bwTime), bw)
	c.fresh.add(t, rtt/2, bw)
	c.whole.add(t, wholeTime, c.bw.best())
}

// police believes that the path drops what exceeds a rate, and sets the
// bandwidth to that.
func (c *Controller) police(t int64, bw float64) {
	c.revise(t, bw)
	c.loss.renew()
}

// revise sets the bandwidth against what the latest samples say.
func (c *Controller) revise(t int64, bw float64) {
	c.bw.set(t, bw)
	c.fresh.set(t, bw)
	c.anew = t
}

// bandwidth is what the path is thought to carry, in bytes per second; 0 if
// not known yet.
func (c *Controller) bandwidth() float64 {
	if c.delay.deep() && c.phase.state != Startup && c.fresh.best() > 0 {
		// More than is remembered is being asked of the path.
		return min(c.bw.best(), c.fresh.best())
	}
	return c.bw.best()
}

// wanted is the pacing rate without the limit that was asked for.
func (c *Controller) wanted() float64 {
	switch c.phase.state {
	case Startup:
		return c.startupRate()
	case Compete:
		return c.compete.rate(c)
	}
	r := max(c.bandwidth()*c.gain(), c.floor())
	if c.quiet.gentle > 0 {
		r /= 2
	}
	return r
}

// Rate is the pacing rate in bytes per second; it is never zero.
func (c *Controller) Rate() float64 {
	r := c.wanted()
	if c.cfg.MaxRate > 0 {
		r = min(r, c.cfg.MaxRate)
	}
	return max(r, float64(leastRate*c.cfg.MaxDatagram))
}

// floor is a packet in a round trip with its queue: less would learn nothing
// any more, and a path that cannot bear it lengthens the round trip.
func (c *Controller) floor() float64 {
	if !c.delay.recent.any {
		return 0
	}
	return float64(c.cfg.MaxDatagram) / float64(max(c.delay.recent.least(), leastRTT)) * 1e9
}

// Window is how many bytes may be in flight.
func (c *Controller) Window() int {
	bw := c.bandwidth()
	if bw == 0 || !c.delay.rtt.any {
		return c.cfg.InitialWindow
	}
	if c.phase.state == Compete {
		return c.compete.limit(c)
	}
	rtt := float64(c.delay.rtt.least())
	if c.delay.recent.any {
		rtt = float64(c.delay.recent.least())
	}
	// Acknowledgements wait for company, packets in flight for their fate, and
	// this machine for its turn: none of that should stop the sending.
	slack := max(bw*rtt/8e9+min(bw*turnWait, turnBytes), min(bw*ackWait, ackWaitBytes))
	w := int(windowGain*bw*rtt/1e9+slack) + leastWindow*c.cfg.MaxDatagram
	if c.phase.state == Startup || c.phase.state == Up {
		// What is in flight must be allowed to grow at the rate that is being
		// tried, or the window hides what the path can do.
		w = max(w, c.cfg.InitialWindow, int(1.5*c.wanted()*rtt/1e9)+leastWindow*c.cfg.MaxDatagram)
	}
	return w
}

// Stats is a snapshot for people.
type Stats struct {
	State     State
	Bandwidth float64       // bytes per second that the path carries, random loss included
	MinRTT    time.Duration // smallest recent round-trip time
	Queue     time.Duration // that packets have waited on their way to the peer
	Loss      float64       // share of packets lost without a queue
}

// Stats reports the model.
func (c *Controller) Stats() Stats {
	return Stats{State: c.phase.state, Bandwidth: c.bandwidth(), MinRTT: time.Duration(c.delay.rtt.least()),
		Queue: time.Duration(c.delay.queue()), Loss: c.loss.base()}
}
