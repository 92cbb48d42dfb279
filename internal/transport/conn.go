package transport

import (
	"fmt"
	"io"
	"time"

	"qft/internal/congestion"
	"qft/internal/secret"
	"qft/internal/udp"
)

// Config is what a connection is made of.
type Config struct {
	Rand   io.Reader // for challenges
	Sealer *secret.Sealer
	Opener *secret.Opener

	SendID    uint32 // connection id of packets to the peer, 24 bits
	ReceiveID uint32 // connection id of the peer's packets, 24 bits

	Path udp.Path      // validated by whoever found it
	RTT  time.Duration // as measured there; if zero, not known

	// MaxPayload bounds the UDP payload of packets in bytes. If zero, the
	// path decides. Values below MinPayload count as MinPayload.
	MaxPayload int

	// MaxBulk bounds the bulk bytes in one packet. If zero, the packet does.
	MaxBulk int

	// Limit bounds the UDP payload that this end sends, in bytes per second.
	// If zero, the path decides. See SetLimit.
	Limit float64

	// Background makes this end's sending yield to other traffic.
	Background bool

	// Ask is what this end wants of the peer's sending.
	Ask Wish

	// Control makes the congestion controller of a path. If nil, it is a
	// congestion.Controller.
	Control func(congestion.Config) Control
}

// Control decides how fast one path may be used. It is told of every measured
// packet and asked before each.
type Control interface {
	// Sent notes a packet that leaves, with the bytes in flight without it, and
	// reports whether the peer should acknowledge it at once.
	Sent(now time.Time, p *congestion.Packet, size, inFlight int) (atOnce bool)
	// Acked, Lost and Found note what became of it; a Found one had been Lost.
	Acked(now time.Time, p *congestion.Packet, size int)
	Lost(now time.Time, p *congestion.Packet, size int)
	Found(now time.Time, p *congestion.Packet, size int)
	// Update draws the conclusions from an acknowledgement, whose packets were
	// noted before.
	Update(now time.Time, f congestion.Feedback, inFlight int)
	// AppLimited notes that there is nothing to send though more could leave.
	AppLimited(now time.Time, inFlight int)
	// Blackout notes that the peer stopped answering, or that this end slept.
	Blackout(now time.Time)
	// SetMaxRate bounds the rate, in bytes per second; zero: no limit.
	SetMaxRate(rate float64)
	// Rate is in bytes per second and never zero, Window in bytes.
	Rate() float64
	Window() int
	Stats() congestion.Stats
}

// MinPayload is the smallest UDP payload that a connection can work with: the
// headers, an acknowledgement and some data fit.
const MinPayload = 128

// PacketOverhead is how much of a UDP payload is not bulk data.
const PacketOverhead = HeaderSize + bulkFrameHead + secret.Overhead

// keepAlive is the longest silence of a peer that is not asked about. It is
// far below the shortest mapping timeout of NATs (RFC 4787 asks for two
// minutes, some keep 20 s), because it also decides how soon a lost contact is
// noticed.
const keepAlive = time.Second

// quickAlive is the same, once, for a peer whose bulk has stopped coming: one
// that only receives has nothing on its way from which it would learn sooner
// that the path is gone.
const quickAlive = 250 * time.Millisecond

// connState says what a connection still does.
type connState uint8

const (
	// open connections move data. Next: closing, drained.
	open connState = iota
	// closing connections repeat CLOSE until it is acknowledged or nobody
	// seems to listen. Next: closed.
	closing
	// draining connections were closed by the peer and only acknowledge, so
	// that it learns that its CLOSE has arrived. Next: closed.
	draining
	// closed connections are silent.
	closed
)

// CloseError says how a connection ended.
type CloseError struct {
	Code   uint64
	Reason string
	Peer   bool // the peer closed it
}

func (e *CloseError) Error() string {
	who := "connection closed"
	if e.Peer {
		who = "connection closed by the peer"
	}
	if e.Reason == "" {
		return fmt.Sprintf("%s (code %d)", who, e.Code)
	}
	return fmt.Sprintf("%s: %s", who, e.Reason)
}

// CodeProtocol closes a connection whose peer breaks the rules.
const CodeProtocol = 1

// Conn is one end of a connection: a machine (Receive, Send, Deadline) and,
// between those calls, the services that Read, Write and SendBulk offer.
type Conn struct {
	cfg     Config
	start   time.Time
	state   connState
	rtt     rttState
	acks    ackState
	sent    sentLog
	ackedPN rangeSet[uint64] // acknowledged packet numbers above sent.base
	loss    lossState
	cc      Control
	ccFirst uint64 // packets below belong to an earlier path's controller
	pace    pacer
	limit   limiter
	wish    wishState
	report  reportState
	waits   waitState
	bulk    bulkState
	streams [maxStreams]stream
	mtu     mtuState
	path    pathState
	tail    tailState
	trap    trapState
	end     closeState
	contact contactState
	turn    turnState
	stats   Stats
}

// closeState is how the connection is being ended.
type closeState struct {
	err     *CloseError
	due     bool // a CLOSE should leave
	giveUp  time.Time
	phasePN uint64 // first packet number of the current key
}

// contactState is what is known of the peer being there.
type contactState struct {
	last    time.Time // latest authenticated packet
	ackFrom uint64    // packet number of the newest packet with an ACK
	flowing bool      // bulk has come since the latest PING left
	pingDue bool
	told    int64 // bulk window in the latest ACK
}

// turnState is how the latest Send ended.
type turnState struct {
	now     time.Time // latest time handed in
	wake    bool      // something changed: call Send
	pacing  bool      // data waits for the pacer only
	due     time.Time // when Send was to be called next; zero: no matter
	stallPN uint64    // packets below were on their way when this end stood still
	newAcks []interval[uint64]
}

// NewConn returns a connection over a path that has been validated.
func NewConn(now time.Time, cfg Config) *Conn {
	c := &Conn{cfg: cfg, start: now}
	c.path.chosen = cfg.Path
	c.rtt.init(cfg.RTT)
	c.bulk.window = initialBulkWindow
	c.pace.hold = paceBurst
	c.limit.own = max(cfg.Limit, 0)
	c.limit.update()
	c.wish.background, c.wish.yielding = cfg.Background, cfg.Background
	for i := range c.streams {
		c.streams[i] = newStream()
	}
	c.mtu.start(cfg.Path.Remote.Addr(), c.ceiling(), c.local())
	c.contact.last = now
	c.restartRate()
	c.wakeAt(now)
	c.Ask(cfg.Ask)
	return c
}

func (c *Conn) ceiling() int {
	if c.cfg.MaxPayload == 0 {
		return udp.MaxPayload
	}
	return min(max(c.cfg.MaxPayload, MinPayload), udp.MaxPayload)
}

// local guesses whether the path stays within the machine or its LAN, where
// even a 64 KiB probe costs nothing.
func (c *Conn) local() bool { return c.rtt.smoothed < localRTT }

func (c *Conn) restartRate() {
	c.ccFirst = c.sent.next
	cfg := congestion.Config{
		RTT: c.rtt.known(), MaxDatagram: c.mtu.size, MaxRate: c.limit.headroom(), Background: c.wish.yielding}
	if c.cfg.Control != nil {
		c.cc = c.cfg.Control(cfg)
		return
	}
	c.cc = congestion.New(cfg)
}

func (c *Conn) random(b []byte) {
	if _, err := io.ReadFull(c.cfg.Rand, b); err != nil {
		c.fail("no random numbers: " + err.Error())
	}
}

func (c *Conn) wakeAt(now time.Time) {
	c.turn.now = now
	c.turn.wake = true
}

func (c *Conn) wake() { c.turn.wake = true }

// SetSource says where bulk bytes are read from.
func (c *Conn) SetSource(s Source) { c.bulk.source = s }

// SetSink says where the peer's bulk bytes go; without a sink they are not
// acknowledged.
func (c *Conn) SetSink(s Sink) { c.bulk.sink = s }

// SendBulk queues n bytes at off, which the Source holds, to be brought to the
// peer's Sink. off+n is at most MaxOffset.
func (c *Conn) SendBulk(off, n int64) {
	if n <= 0 || off < 0 || off > MaxOffset-n {
		return
	}
	if off < c.bulk.top {
		c.again(off, n)
	}
	c.bulk.top = max(c.bulk.top, off+n)
	c.bulk.fresh.push(off, n)
	c.wake()
}

// BulkUnsent is how many queued bytes have not yet left for the first time.
func (c *Conn) BulkUnsent() int64 { return c.bulk.fresh.bytes }

// BulkUnacked is how many bytes that have left are not acknowledged.
func (c *Conn) BulkUnacked() int64 { return c.bulk.unacked(&c.tail.copies) }

// Read takes ordered bytes of a stream that have arrived; zero: none now.
func (c *Conn) Read(id int, p []byte) int {
	n := c.streams[id].in.read(p)
	if c.streams[id].in.windowDue {
		c.wake()
	}
	return n
}

// Write puts bytes on a stream and returns how many there was room for.
func (c *Conn) Write(id int, p []byte) int {
	if c.state != open {
		return 0
	}
	n := c.streams[id].out.write(p)
	if n > 0 {
		c.wake()
	}
	return n
}

// Flushed reports whether the peer has acknowledged all that was written.
func (c *Conn) Flushed(id int) bool { return len(c.streams[id].out.buf) == 0 }

// Close tells the peer that this end stops, and why; what is not acknowledged
// by then is abandoned. The reason has at most 256 bytes.
func (c *Conn) Close(now time.Time, code uint64, reason string) {
	if c.state != open {
		return
	}
	if len(reason) > maxReason {
		reason = reason[:maxReason]
	}
	c.end.err = &CloseError{Code: code, Reason: reason}
	c.state = closing
	c.end.due = true
	c.end.giveUp = now.Add(max(3*time.Second, 4*c.rtt.pto()))
	c.wakeAt(now)
}

// fail closes the connection because of what the peer or this end did wrong.
func (c *Conn) fail(reason string) { c.Close(c.turn.now, CodeProtocol, reason) }

// Err returns a *CloseError once either end has closed the connection.
func (c *Conn) Err() error {
	if c.end.err == nil {
		return nil
	}
	return c.end.err
}

// Done reports whether the connection has nothing left to say.
func (c *Conn) Done() bool { return c.state == closed }

// LastContact is when the latest authenticated packet of the peer arrived.
func (c *Conn) LastContact() time.Time { return c.contact.last }

// Silence is how long the peer may be silent before something is wrong: at
// least two questions went unanswered.
func (c *Conn) Silence() time.Duration {
	pto := c.rtt.pto()
	// Over a long path the first question is as late as pto (keepAliveAt), and
	// the answer to the second arrives just when three of these have passed.
	return max(keepAlive, pto+silenceSlack) + 2*max(maxProbeInterval, pto)
}

// DoubtAt is from when on the path is in doubt, because several questions in a
// row went unanswered; zero: it is not. That is long before Silence has passed,
// and now and then where nothing is wrong: worth a search for another path, not
// worth telling anybody.
func (c *Conn) DoubtAt() time.Time {
	if c.loss.probes < blackoutProbes {
		return time.Time{}
	}
	return c.loss.asked.Add(doubtTime)
}

// Remote is where packets go now.
func (c *Conn) Path() udp.Path { return c.path.chosen }

// Stats are figures of a connection since it began.
type Stats struct {
	RTT, MinRTT  time.Duration // zero: not measured
	MTU          int           // UDP payload of full packets
	Rate         float64       // bytes per second at which this end would send now
	Bandwidth    float64       // bytes per second that the path is thought to carry; zero: not known
	Limit        float64       // bytes per second, the user's or the peer's; zero: none
	InFlight     int           // bytes
	Window       int           // bytes that may be in flight
	SentPackets  uint64
	SentBytes    uint64 // UDP payload
	Received     uint64 // packets that authenticated
	Rejected     uint64 // packets that did not
	Repeated     uint64 // bulk packets that repeat another one in flight
	Lost         uint64 // packets of this end that had to be sent again
	Spurious     uint64 // of those, how many had arrived after all
	Refused      uint64 // bulk packets for which the sink had no memory
	Migrations   uint64 // changes of the peer's address
	BlackHoles   uint64 // times that full packets stopped passing
	KeyUpdates   uint64 // of this end
	ProbeTimeout uint64 // times that the peer's silence was asked about
}

// Stats returns the figures as of now.
func (c *Conn) Stats() Stats {
	s := c.stats
	if c.rtt.samples > 0 {
		s.RTT, s.MinRTT = c.rtt.smoothed, c.rtt.min
	}
	s.MTU = c.mtu.size
	s.Rate, s.Bandwidth, s.Limit = c.cc.Rate(), c.cc.Stats().Bandwidth, c.limit.rate
	s.InFlight, s.Window = c.loss.inFlight, c.cc.Window()
	s.Lost, s.Spurious = c.loss.lostEver, c.loss.spurious
	return s
}
