package lab

// Pipe is one direction of a line, at work.
//
// Packets leave most pipes in the order in which they entered, so they wait in
// a list and only the first of them stands in the world's heap. Those that are
// held back, and those that overtake because of jitter, stand there themselves.
type Pipe struct {
	timer  // for the first packet of the list
	w      *World
	name   string
	end    func(*packet) // where packets come out
	access *Access       // whose line it is; nil for a loopback

	link    Link
	odds    hazards
	dice    dice
	line    transmitter
	bucket  bucket
	jitter  wander
	bad     bool // Gilbert-Elliott state
	instant bool // link does nothing to packets but refuse large ones
	ashore  bool // leads to a host: never instant, or one machine would be called inside another

	flight     list
	last       int64  // when the last of the list leaves
	generation uint32 // counts cuts: a packet of an older one is lost

	stats Stats
}

func (w *World) newPipe(name string, access *Access, link Link, ashore bool, end func(*packet)) *Pipe {
	p := &Pipe{w: w, name: name, access: access, end: end, ashore: ashore, dice: w.fork(streamPipe)}
	p.who = p
	p.Set(link)
	return p
}

// Link returns how the pipe treats packets, defaults filled in.
func (p *Pipe) Link() Link { return p.link }

// Set changes how the pipe treats packets from now on. What it has accepted
// already leaves as it would have.
func (p *Pipe) Set(link Link) {
	p.link = link.withDefaults()
	p.odds = link.hazards()
	p.bucket = newBucket(link.Policer, p.w.now)
	p.line.schedule = link.RateAt
	p.line.perBit = 0
	if link.Rate > 0 {
		p.line.perBit = 1e9 / link.Rate
	}
	p.line.account(p.w.now)
	p.jitter.length = 0
	p.instant = !p.ashore && !p.line.limited() && link.Delay == 0 && link.Jitter == 0 && p.odds == hazards{}
}

// offer puts a packet in. It comes out later, or at once if the link does
// nothing to it and nothing is before it.
func (p *Pipe) offer(k *packet) {
	size := k.ipSize()
	p.stats.Offered++
	p.stats.OfferedBytes += uint64(size)
	now := p.w.now
	switch {
	case p.access != nil && p.access.isDown():
		p.lose(k, LostCut)
		return
	case size > p.link.MTU:
		p.lose(k, LostMTU)
		return
	case !p.bucket.take(now, size+p.link.Overhead):
		p.lose(k, LostPolicer)
		return
	}
	end := now
	if p.line.limited() {
		start := max(float64(now), p.line.free)
		wait := start - float64(now)
		bits := float64(size+p.link.Overhead) * 8
		if p.full(wait, bits) {
			p.lose(k, LostQueue)
			return
		}
		p.stats.Wait.add(int64(wait))
		end = int64(p.line.send(start, bits))
	}
	if p.instant && p.flight.head == nil {
		p.out(k)
		return
	}
	p.propagate(k, end)
}

// full decides whether the drop-tail queue has no room. The half byte
// forgives the rounding of times.
func (p *Pipe) full(wait, bits float64) bool {
	if p.link.Queue > 0 && wait > float64(p.link.Queue) {
		return true
	}
	return p.link.QueueBytes > 0 && wait > 0 &&
		p.line.backlog(p.w.now)+bits > float64(p.link.QueueBytes)*8+4
}

// propagate sees to a packet that left the transmitter at time end.
func (p *Pipe) propagate(k *packet, end int64) {
	if p.lost() {
		p.lose(k, LostWire)
		return
	}
	if p.dice.hit(p.odds.corrupt) {
		if len(k.data) == 0 || p.dice.hit(p.odds.checksum) {
			p.lose(k, LostChecksum)
			return
		}
		p.stats.Damaged++
		k.data[p.dice.below(int64(len(k.data)))] ^= 1 << p.dice.below(8)
	}
	at := end + int64(p.link.Delay) + p.deviation(end)
	var twin *packet
	if p.dice.hit(p.odds.duplicate) {
		p.stats.Duplicated++
		twin = p.w.newPacket(k.from, k.to, k.data)
		twin.tcp, twin.serial = k.tcp, k.serial
	}
	if p.dice.hit(p.odds.reorder) {
		p.stats.HeldBack++
		p.stray(k, at+1+p.dice.below(int64(p.link.ReorderDelay)))
	} else {
		p.queue(k, at)
	}
	if twin != nil {
		p.queue(twin, at)
	}
}

// queue lets k out at the given time, behind those before it.
func (p *Pipe) queue(k *packet, at int64) {
	if p.flight.head != nil && at < p.last {
		if p.link.JitterReorders {
			p.stray(k, at)
			return
		}
		at = p.last
	}
	k.at, k.seq = at, p.w.tick()
	p.last = at
	p.flight.push(k)
	if p.flight.head == k {
		p.w.heap.set(&p.timer, k.at, k.seq)
	}
}

// stray lets k out at the given time, whatever is before or behind it.
func (p *Pipe) stray(k *packet, at int64) {
	k.pipe, k.pipeGeneration = p, p.generation
	p.w.heap.set(&k.timer, at, p.w.tick())
}

// due lets the first packet out.
func (p *Pipe) due() {
	k := p.flight.pop()
	if first := p.flight.head; first != nil {
		p.w.heap.set(&p.timer, first.at, first.seq)
	} else {
		p.w.heap.remove(&p.timer)
	}
	p.out(k)
}

// due lets a stray packet out.
func (k *packet) due() {
	p := k.pipe
	p.w.heap.remove(&k.timer)
	if k.pipeGeneration != p.generation {
		p.lose(k, LostCut)
		return
	}
	p.out(k)
}

func (p *Pipe) out(k *packet) {
	p.stats.Delivered++
	p.stats.DeliveredBytes += uint64(k.ipSize())
	p.end(k)
}

func (p *Pipe) lose(k *packet, f Fate) {
	p.stats.Lost[f]++
	p.w.lose(k, f, p.name)
}

// cut loses everything in the pipe.
func (p *Pipe) cut() {
	p.generation++
	for p.flight.head != nil {
		p.lose(p.flight.pop(), LostCut)
	}
	p.w.heap.remove(&p.timer)
	p.line.cut(p.w.now)
}
