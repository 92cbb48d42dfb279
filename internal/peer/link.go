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

// Throttle changes Config.Limit and Config.Background, with or without a
// connection. Call it in the loop.
func (p *Peer) Throttle(limit float64, background bool) {
	p.cfg.Limit, p.cfg.Background = limit, background
	switch {
	case p.conn == nil:
	case p.cfg.Role == rendezvous.Sender:
		p.conn.SetLimit(limit)
		p.conn.SetBackground(background)
	default:
		p.conn.Ask(p.wish())
	}
}

// wish is what a receiver asks of the sender.
func (p *Peer) wish() transport.Wish {
	return transport.Wish{Rate: p.cfg.Limit, Background: p.cfg.Background}
}
