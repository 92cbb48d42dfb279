package qft

import (
	"time"

	"qft/internal/peer"
	"qft/internal/transfer"
)

// reportEvery is how often progress is told.
const reportEvery = 200 * time.Millisecond

// report is what has been told of a transfer, and what of it changes slowly.
type report struct {
	due      time.Time // next progress
	proposed bool
	offered  bool
	failures int
	skipped  int
	renamed  int
	meter    meter
	judge    judge
	losses   lossMeter
}

// tell reports how far the transfer is; last: for the last time, as it has
// ended with err.
func (a *app) tell(now time.Time, last bool, err error) {
	r := &a.report
	r.due = now.Add(reportEvery)
	p := a.party.Progress()
	if p.Phase < transfer.Moving || p.Phase == transfer.Stopping || p.Name == "" || err != nil && !r.offered {
		return
	}
	for ; r.failures < len(p.Failures); r.failures++ {
		a.event(FileFailed(p.Failures[r.failures]))
	}
	for ; r.skipped < len(p.Skipped); r.skipped++ {
		a.event(FileSkipped(p.Skipped[r.skipped]))
	}
	for ; r.renamed < len(p.Renamed); r.renamed++ {
		a.event(FileRenamed(p.Renamed[r.renamed]))
	}
	if !r.offered {
		if p.Looking && !last {
			return // an Offer says what is there already
		}
		r.offered = true
		a.event(Offer{Name: p.Name, Size: p.Size, Files: p.Files, Resumed: p.Resumed, Counted: p.Counted})
		r.meter.start(now, p.Safe)
		a.look(now, p, &Progress{}) // what comes is measured from here
		if !last || p.Safe+p.Kept < p.Size {
			return // there is no rate yet
		}
	}
	e := Progress{
		Done: p.Safe + p.Kept, Size: p.Size, FilesDone: p.FilesDone, Files: p.Files, Counted: p.Counted,
		File: p.File, Rate: r.meter.sample(now, p.Safe), Counters: counters(p),
	}
	if e.Rate > 0 && !a.paused() {
		e.Left = time.Duration(float64(max(e.Size-e.Done, 0)) / e.Rate * float64(time.Second))
	}
	a.look(now, p, &e)
	a.event(e)
}

// look says how the path is and what is waited for, and tells the peer what it
// cannot see for itself.
func (a *app) look(now time.Time, p transfer.Progress, e *Progress) {
	heard, ok := a.conn.PeerReport()
	there := Bottleneck(heard.Cause).seenFromThere()
	g := a.glance(now, p)
	own := peer.Report{}
	if a.sends {
		e.Bottleneck = a.report.judge.sender(g, there)
		s := a.conn.Stats()
		e.RTT, e.PathRate, e.Loss = s.RTT, s.Bandwidth, a.report.losses.sample(g)
		own = peer.Report{Cause: byte(e.Bottleneck), Loss: e.Loss, Rate: e.PathRate, RTT: e.RTT}
	} else {
		var tell Bottleneck
		e.Bottleneck, tell = a.report.judge.receiver(g, there)
		own.Cause = byte(tell)
		e.RTT = a.conn.Stats().RTT
		if ok {
			e.RTT, e.PathRate, e.Loss = heard.RTT, heard.Rate, heard.Loss
		}
	}
	a.conn.Report(own)
}

// paused reports whether one of the sides has paused the transfer.
func (a *app) paused() bool {
	here, there := a.conn.Paused()
	return here || there
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
		paused:  a.paused(),
		disk:    p.Limit == transfer.ByDisk,
	}
	if a.idle != nil {
		g.idle, g.timed = a.idle(), true
	}
	return g
}
