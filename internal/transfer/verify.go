package transfer

import (
	"errors"
	"io"
)

// takeHashes takes the sender's hashes, which come before, while or after
// their blocks do.
func (r *Receiver) takeHashes(body []byte) *Error {
	rec, err := parseRun(body, r.asm.space)
	if err != nil {
		return violation(err.Error())
	}
	for k, sum := range rec.sums {
		if err := r.takeHash(rec.first+int64(k), sum); err != nil {
			return err
		}
	}
	return nil
}

func (r *Receiver) takeHash(i int64, sum digest) *Error {
	if r.asm.sums.has(i) {
		return nil // of a block that was asked for again and came twice
	}
	if _, hi := r.asm.space.block(i); hi <= r.skip {
		return violation("hash of a block that is here")
	}
	b := r.asm.find(i)
	if b == nil {
		b = r.asm.admit(i)
	}
	if b.hasWant {
		if b.want != sum { // the sender has read it anew, and it has changed
			return &Error{Kind: Changed, Path: printable(r.offer.file.name, maxName)}
		}
		return nil
	}
	b.hasWant, b.want = true, sum
	r.known++
	if b.state == parked {
		r.judge(b, b.sum)
	}
	return nil
}

// takeEnd takes the root. A hash of every block came before it, so that only
// bytes can be missing from here on.
func (r *Receiver) takeEnd(body []byte) *Error {
	root, err := parseEnd(body)
	if err != nil {
		return violation(err.Error())
	}
	if s := r.asm.space; r.known != s.end()-s.first() {
		return violation("end before all hashes")
	}
	r.root = &root
	return nil
}

// checked is told the hash of a block that is complete and on disk, unless it
// is known to be wrong.
func (r *Receiver) checked(b *block, sum digest, err error) {
	switch {
	case errors.Is(err, io.EOF):
		r.fail(&Error{Kind: Disk, Path: r.disk.path(r.disk.part()), Err: errors.New("became shorter: something else writes to it")})
	case err != nil:
		r.fail(r.disk.diskError("write", r.disk.part(), err))
	case b.hasWant:
		r.judge(b, sum)
	default:
		b.state = parked
		b.sum = sum
	}
}

// judge compares a block's hash with the sender's.
func (r *Receiver) judge(b *block, sum digest) {
	if sum == b.want {
		r.asm.drop(b)
		r.verified(b.index, sum)
		return
	}
	b.tries++
	switch {
	case r.phase != Moving:
	case r.skip > b.lo:
		r.fail(&Error{Kind: BadSkip, Path: r.disk.path(r.disk.name), Err: errors.New("does not begin like the sender's file")})
	case b.tries > maxTries:
		r.fail(&Error{Kind: Corrupt, Path: r.disk.path(r.disk.part())})
	default:
		r.asm.reset(b)
		r.ctl.send(msgResend, func(m []byte) []byte { return appendNumber(m, b.index) })
	}
}
