package peer

import (
	"time"

	"qft/internal/rendezvous"
	"qft/internal/transport"
)

// Link is the connection as an App sees it: one ordered stream each way, and
// bulk.
type Link struct{ *transport.Conn }

// Read takes ordered bytes that have arrived; zero: none now.
func (l Link) Read(p []byte) int { return l.Conn.Read(0, p) }

// Write returns how many bytes there was room for.
func (l Link) Write(p []byte) int { return l.Conn.Write(0, p) }

// Flushed reports whether the peer has acknowledged all that was written.
func (l Link) Flushed() bool { return l.Conn.Flushed(0) }

// Waits is how long the sending of bulk has waited for what.
type Waits struct {
	Queue  time.Duration // nothing was queued
	Source time.Duration // what was queued was not in memory
	Peer   time.Duration // the peer had no room
	Limit  time.Duration // a limit of either side
	Path   time.Duration // the network, or this machine's turn to send
}

// Waits returns what the sending has waited for until now.
func (l Link) Waits(now time.Time) Waits {
	w := l.Conn.Waits(now)
	return Waits{
		Queue:  w[transport.WaitQueue],
		Source: w[transport.WaitSource],
		Peer:   w[transport.WaitPeer],
		Limit:  w[transport.WaitLimit],
		Path:   w[transport.WaitPath] + w[transport.WaitTurn],
	}
}

// Report is what one side tells the other of how it goes. Cause is the app's.
type Report struct {
	Cause      byte
	Loss, Rate float64 // share of packets; bytes per second, zero: not known
	RTT        time.Duration
}

// Report tells the peer how it goes, with the next packet.
func (l Link) Report(r Report) { l.Conn.Report(transport.Report(r)) }

// PeerReport is what the peer has told last; false: nothing yet.
func (l Link) PeerReport() (Report, bool) {
	r, ok := l.Conn.PeerReport()
	return Report(r), ok
}

// Throttle is what either side may change of the sending.
type Throttle struct {
	// Limit bounds the UDP payload that the sender sends, whichever side this
	// is, in bytes per second. If zero, the path decides.
	Limit float64

	// Background makes the sender yield to other traffic, whichever side this
	// is.
	Background bool

	// Paused keeps bulk from being sent.
	Paused bool
}

// Throttle changes what Config says of it, with or without a connection. Call
// it in the loop.
func (p *Peer) Throttle(t Throttle) {
	p.cfg.Throttle = t
	if p.conn == nil {
		return
	}
	if p.sends() {
		p.conn.SetLimit(t.Limit)
		p.conn.SetBackground(t.Background)
	}
	p.conn.Ask(p.wish())
}

// sends reports whether bulk leaves here.
func (p *Peer) sends() bool { return p.cfg.Role == rendezvous.Sender || p.cfg.Duplex }

// wish is what is asked of the other side: of a sender that it obey our limit,
// and of either that it know whether this side has paused.
func (p *Peer) wish() transport.Wish {
	w := transport.Wish{Paused: p.cfg.Paused}
	if p.cfg.Role == rendezvous.Receiver || p.cfg.Duplex {
		w.Rate, w.Background = p.cfg.Limit, p.cfg.Background
	}
	return w
}

// pauseState is what has been told of pauses.
type pauseState struct {
	told bool
	Paused
}

// watchPause tells which sides have paused: first when the partner has been
// heard, whose first packet as a rule says so, and then when that changes.
func (p *Peer) watchPause() {
	here, there := p.conn.Paused()
	now := pauseState{told: true, Paused: Paused{here, there}}
	if p.heard() && now != p.paused {
		p.paused = now
		p.tell(now.Paused)
	}
}
