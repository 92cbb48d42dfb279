package transfer

import (
	"time"

	"qft/internal/digest"
	"qft/internal/journal"
	"qft/internal/plant"
)

// maxClosing is how many complete files may wait for the checkpoint that closes
// them.
const maxClosing = 64

// ledger is what is verified and not in the journal yet.
type ledger struct {
	runs    []journal.Run
	bytes   int64
	since   time.Time           // of the first of them
	dirty   map[*large]struct{} // large files that were written to
	closing []*large            // those that are complete
	busy    bool                // a checkpoint is under way
	broken  bool                // one failed: what it should have made durable may be lost
}

// saving is what a checkpoint makes durable.
type saving struct {
	runs    []journal.Run
	files   []*large
	closing []*large
}

// take hands over what is to be saved.
func (l *ledger) take() saving {
	s := saving{runs: l.runs, closing: l.closing}
	for f := range l.dirty {
		s.files = append(s.files, f)
	}
	l.runs, l.bytes, l.closing = nil, 0, nil
	clear(l.dirty)
	return s
}

// write is work: the data first, and then the journal that vouches for it.
func (s saving) write(bed *plant.Bed, j *journal.Journal) error {
	defer s.close()
	for _, l := range s.files {
		if err := l.sync(); err != nil {
			return err
		}
	}
	if err := bed.Sync(); err != nil {
		return err
	}
	if len(s.runs) == 0 {
		return nil
	}
	return j.Append(s.runs)
}

// close closes the files that are complete.
func (s saving) close() {
	for _, l := range s.closing {
		l.close()
	}
}

// record notes a slab, or a small file, that is verified and written.
func (r *Receiver) record(it *item, i int64, sum digest.Sum) {
	l := &r.ledger
	if len(l.runs) == 0 {
		l.since = r.now
	}
	l.runs = extend(l.runs, it.id, i, sum)
	if it.slabs() == 0 {
		l.bytes += it.e.Size
		return
	}
	l.bytes += it.slabBytes(i, 1)
	if it.large != nil {
		l.dirty[it.large] = struct{}{}
	}
}

// checkpoint has the journal vouch for what is verified.
func (r *Receiver) checkpoint() {
	l := &r.ledger
	if l.busy || l.broken {
		return
	}
	save := l.take()
	l.busy = true
	var err error
	r.run(func() { err = save.write(r.bed, r.journal) }, func() {
		l.busy = false
		if err != nil {
			l.broken = true
			r.fail(r.diskError("write", "", err))
		}
	})
}

// safeCount is how many bytes are verified and written.
type safeCount struct {
	bytes   int64
	resumed int64
	kept    int64 // need not come
	told    int64 // bytes as the sender knows them
	low     int64 // as the sender knows it
	at      time.Time
}

// news reports whether there is something that the sender does not know.
func (s *safeCount) news(low int64) bool { return s.bytes != s.told || low != s.low }

// tellSafe sends, now and then, what is safe.
func (r *Receiver) tellSafe() {
	s := &r.safe
	low := r.asm.low
	// A block of a stream is kept by the sender until it hears of it.
	if !s.news(low) || r.now.Before(s.at.Add(safePeriod)) && low != r.last && r.sink == nil {
		return
	}
	s.told, s.low, s.at = s.bytes, low, r.now
	r.ctl.send(msgSafe, func(m []byte) []byte { return appendNumber(appendNumber(m, s.bytes), low) })
}
