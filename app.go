package qft

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"qft/internal/peer"
	"qft/internal/rendezvous"
	"qft/internal/transfer"
	"qft/internal/udp"
)

// engine is what a transfer.Sender and a transfer.Receiver have in common.
type engine interface {
	Start(transfer.Conn)
	Step(now time.Time)
	Deadline() time.Time
	Done() (bool, error)
	Stop(error)
	PeerClosed(error)
	Close()
	Progress() transfer.Progress
}

const (
	// reportEvery is how often progress is told.
	reportEvery = 200 * time.Millisecond

	codeDone   = 0 // closes a connection over which all went well
	codeFailed = 2 // closes one over which the peer was told why not
)

// app is a transfer as it runs over a connection.
type app struct {
	engine  engine
	attach  func(peer.Link) // source or sink
	events  func(Event)
	conn    *peer.Link
	offered bool
	told    bool // the engine knows that the connection has ended
	closed  bool
	report  time.Time // next progress
	meter   meter
	sends   bool                 // the sending side
	idle    func() time.Duration // of the loop; nil: not known
	judge   judge
	losses  lossMeter
}

func (a *app) emit(e Event) {
	if a.events != nil {
		a.events(e)
	}
}

func (a *app) Start(now time.Time, l peer.Link) {
	a.conn = &l
	a.attach(l)
	a.engine.Start(l)
	a.report = now
}

func (a *app) Step(now time.Time) {
	if err := a.conn.Err(); err != nil && !a.told {
		a.told = true
		a.engine.PeerClosed(err)
	}
	a.engine.Step(now)
	done, err := a.engine.Done()
	if !now.Before(a.report) || done && !a.closed {
		a.tell(now)
	}
	if done && !a.closed {
		a.closed = true
		code := uint64(codeDone)
		if err != nil {
			code = codeFailed
		}
		a.conn.Close(now, code, "")
		a.engine.Close()
	}
}

// tell reports how far the transfer is.
func (a *app) tell(now time.Time) {
	a.report = now.Add(reportEvery)
	p := a.engine.Progress()
	if p.Phase < transfer.Moving || p.Phase == transfer.Stopping || p.Name == "" {
		return
	}
	if !a.offered {
		a.offered = true
		a.emit(Offer{Name: p.Name, Size: p.Size, Resumed: p.Resumed + p.Size - p.Total})
		a.meter.start(now, p.Safe)
	}
	e := Progress{Done: p.Safe + p.Size - p.Total, Size: p.Size, Rate: a.meter.sample(now, p.Safe)}
	if e.Rate > 0 {
		e.Left = time.Duration(float64(p.Total-p.Safe) / e.Rate * float64(time.Second))
	}
	a.look(now, p, &e)
	a.emit(e)
}

// look says how the path is and what is waited for, and tells the peer what it
// cannot see for itself.
func (a *app) look(now time.Time, p transfer.Progress, e *Progress) {
	heard, ok := a.conn.PeerReport()
	there := Bottleneck(heard.Cause).seenFromThere()
	g := a.glance(now, p)
	own := peer.Report{}
	if a.sends {
		e.Bottleneck = a.judge.sender(g, there)
		s := a.conn.Stats()
		e.RTT, e.PathRate, e.Loss = s.RTT, s.Bandwidth, a.losses.sample(g)
		own = peer.Report{Cause: byte(e.Bottleneck), Loss: e.Loss, Rate: e.PathRate, RTT: e.RTT}
	} else {
		var tell Bottleneck
		e.Bottleneck, tell = a.judge.receiver(g, there)
		own.Cause = byte(tell)
		e.RTT = a.conn.Stats().RTT
		if ok {
			e.RTT, e.PathRate, e.Loss = heard.RTT, heard.Rate, heard.Loss
		}
	}
	a.conn.Report(own)
}

func (a *app) glance(now time.Time, p transfer.Progress) glance {
	s := a.conn.Stats()
	g := glance{
		now:     now,
		waits:   a.conn.Waits(now),
		sent:    s.SentPackets,
		lost:    max(s.Lost, s.Spurious) - s.Spurious,
		reading: p.Phase == transfer.Moving,
		landed:  a.conn.BulkUnacked() == 0,
		disk:    p.Limit == transfer.ByDisk,
	}
	if a.idle != nil {
		g.idle, g.timed = a.idle(), true
	}
	return g
}

func (a *app) Deadline() time.Time {
	d := a.engine.Deadline()
	if !a.closed && (d.IsZero() || a.report.Before(d)) {
		d = a.report
	}
	return d
}

// Stop ends the transfer in good order; before a connection, at once.
func (a *app) Stop(time.Time) {
	a.engine.Stop(nil)
	if a.conn == nil {
		a.engine.Close()
	}
}

// Done reports whether the peer need not be kept for the transfer's sake.
func (a *app) Done() bool {
	if a.conn == nil {
		return true
	}
	done, _ := a.engine.Done()
	return done
}

// driver is the peer as the loop drives it: it passes on what happens.
type driver struct {
	*peer.Peer
	app   *app
	words string
}

func (d *driver) Send(now time.Time, b *udp.Batch) {
	d.Peer.Send(now, b)
	for {
		e, ok := d.Peer.Next()
		if !ok {
			return
		}
		d.pass(e)
	}
}

func (d *driver) pass(e peer.Event) {
	switch e := e.(type) {
	case peer.Joined:
		if d.words != "" {
			d.app.emit(Code{fmt.Sprintf("%d-%s", e.Number, d.words)})
		}
		d.app.emit(Waiting{})
	case peer.HelperSilent:
		d.app.emit(HelperSilent{})
	case peer.HelperBack:
		d.app.emit(HelperBack{})
	case peer.WrongPhrase:
		d.app.emit(WrongPhrase(e))
	case peer.Met:
		d.app.emit(Met{})
	case peer.Connected:
		d.app.emit(Connected{Path: e.Word, Remote: e.Remote, RTT: e.RTT})
	case peer.ContactLost:
		d.app.emit(ContactLost(e))
	case peer.ContactBack:
		d.app.emit(ContactBack(e))
	}
}

// Send sends the regular file at path to whoever knows the phrase, and returns
// when the other side has it whole, verified and under its name. Errors are
// of type *Error.
func Send(ctx context.Context, path string, cfg Config) (Result, error) {
	const op = "send"
	a, err := meet(ctx, op, rendezvous.Sender, cfg, func(loop *peer.Loop) (*app, error) {
		s, err := transfer.NewSender(transfer.SenderConfig{
			Config: transfer.Config{Go: loop.Go}, Path: path, Skip: cfg.Skip,
		})
		if err != nil {
			return nil, transferError(op, err)
		}
		return &app{engine: s, sends: true, events: cfg.Events, attach: func(l peer.Link) { l.SetSource(s) }}, nil
	})
	if err != nil {
		return Result{}, err
	}
	p := a.engine.Progress()
	return Result{Path: path, Size: p.Size, Resumed: p.Resumed + p.Size - p.Total}, nil
}

// Receive receives a file from whoever knows the phrase, and returns when it
// is whole, verified, on the disk and under its name. Nothing that exists is
// overwritten, unless Config.Skip asks for it. Errors are of type *Error.
func Receive(ctx context.Context, to Target, cfg Config) (Result, error) {
	const op = "receive"
	if cfg.Phrase == "" {
		return Result{}, &Error{Op: op, Kind: KindUsage, Err: errors.New("receiving needs the sender's phrase")}
	}
	a, err := meet(ctx, op, rendezvous.Receiver, cfg, func(loop *peer.Loop) (*app, error) {
		r, err := transfer.NewReceiver(transfer.ReceiverConfig{
			Config: transfer.Config{Go: loop.Go}, Dir: to.Dir, Name: to.Name, Skip: cfg.Skip,
		})
		if err != nil {
			return nil, transferError(op, err)
		}
		return &app{engine: r, events: cfg.Events, attach: func(l peer.Link) { l.SetSink(r) }}, nil
	})
	if err != nil {
		return Result{}, err
	}
	p := a.engine.Progress()
	name := to.Name
	if name == "" {
		name = p.Name
	}
	return Result{Path: filepath.Join(to.Dir, name), Size: p.Size, Resumed: p.Resumed + p.Size - p.Total}, nil
}

// result is how it went, once the loop has ended.
func (a *app) result(ctx context.Context, op string, p *peer.Peer) error {
	if a.conn == nil {
		a.engine.Close()
	}
	var met *peer.Error
	if errors.As(p.Err(), &met) {
		return peerError(op, met)
	}
	done, err := a.engine.Done()
	switch {
	case err != nil:
		return transferError(op, err)
	case a.conn == nil:
		return &Error{Op: op, Kind: KindCanceled, Err: fmt.Errorf("stopped: %w", context.Cause(ctx))}
	case !done:
		return &Error{Op: op, Err: errors.New("the connection ended before the transfer")}
	}
	return nil
}
