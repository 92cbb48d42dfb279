package transfer

import "time"

// ledger is what is verified and not in the journal yet.
type ledger struct {
	batch  []blockSum
	bytes  int64
	since  time.Time // of the first of them
	busy   bool      // a checkpoint is under way
	broken bool      // one failed: what it should have made durable may be lost
}

// safeCount is how many bytes are verified and written.
type safeCount struct {
	bytes   int64
	resumed int64
	told    int64 // as the sender knows it
	at      time.Time
}

// verified counts a block as safe.
func (r *Receiver) verified(i int64, sum digest) {
	lo, hi := r.asm.space.block(i)
	r.asm.sums.put(i, sum)
	r.safe.bytes += hi - lo
	if len(r.ledger.batch) == 0 {
		r.ledger.since = r.now
	}
	r.ledger.batch = append(r.ledger.batch, blockSum{i, sum})
	r.ledger.bytes += hi - lo
}

// checkpoint has the journal vouch for what is verified.
func (r *Receiver) checkpoint() {
	l := &r.ledger
	if l.busy || l.broken {
		return
	}
	batch := l.batch
	l.batch, l.bytes, l.busy = nil, 0, true
	var err *Error
	r.run(func() { err = r.disk.checkpoint(batch) }, func() {
		l.busy = false
		if err != nil {
			l.broken = true
			r.fail(err)
		}
	})
}

// tellSafe sends, now and then, what is safe.
func (r *Receiver) tellSafe() {
	s := &r.safe
	if !r.opened || s.bytes == s.told || r.now.Before(s.at.Add(safePeriod)) && !r.asm.sums.complete() {
		return
	}
	s.told, s.at = s.bytes, r.now
	r.ctl.send(msgSafe, func(m []byte) []byte { return appendNumber(m, s.bytes) })
}
