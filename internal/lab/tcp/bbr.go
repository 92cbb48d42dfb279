package tcp

import (
	"math/rand/v2"
	"net/netip"
	"time"
)

const (
	bbrHighGain    = 2.885 // 2/ln 2: doubles delivery each round
	bbrMargin      = 0.99  // pacing stays that much below the measured bandwidth
	bbrBwRounds    = 10
	bbrMinRTTFor   = int64(10 * time.Second)
	bbrProbeRTTFor = int64(200 * time.Millisecond)
	bbrMinWindow   = 4
)

// bbrCycle are the pacing gains of PROBE_BW.
var bbrCycle = [8]float64{1.25, 0.75, 1, 1, 1, 1, 1, 1}

type bbrMode uint8

const (
	bbrStartup  bbrMode = iota // Next: bbrDrain.
	bbrDrain                   // Next: bbrProbeBw.
	bbrProbeBw                 // Next: bbrProbeRTT.
	bbrProbeRTT                // Next: bbrProbeBw, or bbrStartup if the pipe was not full yet.
)

// bbr is BBRv1 as tcp_bbr.c has it.
type bbr struct {
	dice *rand.Rand
	mode bbrMode

	bw     [bbrBwRounds]float64 // best of each of the latest rounds, segments per ns
	round  int
	ends   int64 // Sender.delivered that ends the round
	begins bool  // this acknowledgement began a round

	fullBw   float64
	fullCnt  int
	full     bool
	cycle    int
	cycleAt  int64
	minRTT   int64
	minRTTAt int64
	probeEnd int64 // ends bbrProbeRTT; 0: the flight is not down yet
	probed   bool  // a round has passed in it

	conserve bool // first round of a recovery
	prior    int  // window before recovery or bbrProbeRTT
	was      recovery
	pacing   float64
}

// NewBBR returns a sender like NewCubic's that runs BBRv1.
func NewBBR(to netip.AddrPort, seed uint64) *Sender {
	return newSender(to, &bbr{dice: rand.New(rand.NewPCG(seed, 1)), pacing: bbrHighGain * initialWindow / float64(time.Millisecond)})
}

func (b *bbr) rate() float64 { return b.pacing }

// threshold only notes the window to come back to: BBR has no threshold.
func (b *bbr) threshold(s *Sender) int {
	b.savePrior(s)
	return 1 << 30
}

// savePrior is bbr_save_cwnd.
func (b *bbr) savePrior(s *Sender) {
	if b.was == open && b.mode != bbrProbeRTT {
		b.prior = s.cwnd
	} else {
		b.prior = max(b.prior, s.cwnd)
	}
}

func (b *bbr) timedOut(s *Sender) {
	b.fullBw, b.was = 0, timedOut
	b.ends = s.delivered
}

func (b *bbr) best() float64 {
	best := 0.0
	for _, v := range b.bw {
		best = max(best, v)
	}
	return best
}

func (b *bbr) acked(s *Sender, a ack) {
	b.updateBw(s, a)
	b.updateCycle(s, a)
	b.updateFull()
	b.updateDrain(s, a)
	b.updateMinRTT(s, a)
	if bw := b.best(); bw > 0 {
		if r := bw * b.pacingGain() * bbrMargin; b.full || r > b.pacing {
			b.pacing = r
		}
	} else if s.rtt.smoothed > 0 {
		b.pacing = bbrHighGain * float64(s.cwnd) / float64(s.rtt.smoothed)
	}
	b.setWindow(s, a)
}

func (b *bbr) updateBw(s *Sender, a ack) {
	b.begins = false
	if a.prior >= b.ends && a.delivered > 0 {
		b.ends = s.delivered
		b.round++
		b.bw[b.round%bbrBwRounds] = 0
		b.begins = true
		b.conserve = false
	}
	b.bw[b.round%bbrBwRounds] = max(b.bw[b.round%bbrBwRounds], a.rate)
}

func (b *bbr) updateCycle(s *Sender, a ack) {
	if b.mode != bbrProbeBw {
		return
	}
	long := a.now-b.cycleAt > b.minRTT
	next := long
	switch gain := bbrCycle[b.cycle]; {
	case gain > 1:
		next = long && (a.lost > 0 || s.inFlight() >= b.target(gain))
	case gain < 1:
		next = long || s.inFlight() <= b.target(1)
	}
	if next {
		b.cycle = (b.cycle + 1) % len(bbrCycle)
		b.cycleAt = a.now
	}
}

func (b *bbr) enterProbeBw(now int64) {
	b.mode = bbrProbeBw
	b.cycle = (len(bbrCycle) - b.dice.IntN(7)) % len(bbrCycle) // any but the one below 1
	b.cycleAt = now
}

// updateFull ends the growth after three rounds without a quarter more.
func (b *bbr) updateFull() {
	if b.full || !b.begins {
		return
	}
	if bw := b.best(); bw >= 1.25*b.fullBw {
		b.fullBw, b.fullCnt = bw, 0
		return
	}
	b.fullCnt++
	b.full = b.fullCnt >= 3
}

func (b *bbr) updateDrain(s *Sender, a ack) {
	if b.mode == bbrStartup && b.full {
		b.mode = bbrDrain
	}
	if b.mode == bbrDrain && s.inFlight() <= b.target(1) {
		b.enterProbeBw(a.now)
	}
}

func (b *bbr) updateMinRTT(s *Sender, a ack) {
	old := b.minRTT > 0 && a.now > b.minRTTAt+bbrMinRTTFor
	if a.rtt > 0 && (b.minRTT == 0 || a.rtt <= b.minRTT || old) {
		b.minRTT, b.minRTTAt = a.rtt, a.now
	}
	if old && b.mode != bbrProbeRTT {
		b.savePrior(s)
		b.mode = bbrProbeRTT
		b.probeEnd = 0
	}
	if b.mode != bbrProbeRTT {
		return
	}
	if b.probeEnd == 0 {
		if s.inFlight() <= bbrMinWindow {
			b.probeEnd, b.probed = a.now+bbrProbeRTTFor, false
			b.ends = s.delivered
		}
		return
	}
	b.probed = b.probed || b.begins
	if b.probed && a.now >= b.probeEnd {
		b.minRTTAt = a.now
		s.cwnd = max(s.cwnd, b.prior)
		if b.full {
			b.enterProbeBw(a.now)
		} else {
			b.mode = bbrStartup
		}
	}
}

func (b *bbr) pacingGain() float64 {
	switch b.mode {
	case bbrStartup:
		return bbrHighGain
	case bbrDrain:
		return 1 / bbrHighGain
	case bbrProbeBw:
		return bbrCycle[b.cycle]
	}
	return 1
}

func (b *bbr) windowGain() float64 {
	switch b.mode {
	case bbrStartup, bbrDrain:
		return bbrHighGain
	case bbrProbeBw:
		return 2
	}
	return 1
}

// target is bbr_inflight: gain BDPs, and room for segments that leave and are
// acknowledged in groups.
func (b *bbr) target(gain float64) int {
	if b.minRTT == 0 {
		return initialWindow
	}
	w := int(b.best()*float64(b.minRTT)*gain + 1)
	group := max(int(b.pacing*float64(time.Millisecond)), 2)
	w += 3 * group
	w += w % 2
	if b.mode == bbrProbeBw && b.cycle == 0 {
		w += 2
	}
	return w
}

// setWindow is bbr_set_cwnd.
func (b *bbr) setWindow(s *Sender, a ack) {
	if a.delivered > 0 || a.lost > 0 {
		b.recover(s, a)
	}
	if a.delivered > 0 && !b.conserve {
		target := b.target(b.windowGain())
		if b.full {
			s.cwnd = min(s.cwnd+a.delivered, target)
		} else if s.cwnd < target || s.delivered < initialWindow {
			s.cwnd += a.delivered
		}
	}
	s.cwnd = max(s.cwnd, bbrMinWindow)
	if b.mode == bbrProbeRTT {
		s.cwnd = min(s.cwnd, bbrMinWindow)
	}
}

// recover is bbr_set_cwnd_to_recover_or_restore: in the first round of a
// recovery one segment leaves for each that arrives.
func (b *bbr) recover(s *Sender, a ack) {
	if a.lost > 0 {
		s.cwnd = max(s.cwnd-a.lost, 1)
	}
	switch {
	case s.state == reducing && b.was != reducing:
		b.conserve = true
		b.ends = s.delivered
		s.cwnd = s.inFlight() + a.delivered
	case s.state == open && b.was != open:
		s.cwnd = max(s.cwnd, b.prior)
		b.conserve = false
	}
	b.was = s.state
	if b.conserve {
		s.cwnd = max(s.cwnd, s.inFlight()+a.delivered)
	}
}
