package transfer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"qft/internal/plant"
)

const (
	// maxTries is how often a block may fail to match its hash. The connection
	// authenticates every packet, so even one failure means a bug, bad memory,
	// or a file that is being changed.
	maxTries = 3
	// safePeriod is how often the sender is told what is safe.
	safePeriod = 250 * time.Millisecond
	// What is not in the journal yet is lost by a crash: at most so much.
	journalPeriod = 2 * time.Second
	journalBytes  = 64 << 20
)

// ReceiverConfig says where a file should go.
type ReceiverConfig struct {
	Config
	Plant              plant.Config
	Stream             io.Writer
	MaxBytes, MaxFiles int64
	Ask                bool
	// Dir is the directory. If empty, the current one.
	Dir string
	// Name is the name of the file in Dir. If empty, the sender's name, if that
	// is harmless.
	Name string
	// Skip is how many bytes of an existing target are taken for the start of
	// the file, unseen. The complete file then replaces the target. If zero, an
	// existing target is an error.
	Skip int64
}

// Receiver is the receiving side of a transfer.
type Receiver struct {
	session
	skip   int64
	memory int64 // bytes of buffers
	disk   *partial
	found  found // there at the start
	asm    assembly
	offer  offer
	haves  []run   // still to be told to the sender
	opened bool    // the offer was accepted
	known  int64   // blocks whose hash the sender has told or was told
	root   *digest // the sender's, from END on
	ledger ledger
	copier copier
	safe   safeCount
	wound  bool // the last work was started
	asking asking
}

// NewReceiver checks that the directory can be written to and, if the name is
// given, that the target may be received. It may block.
func NewReceiver(cfg ReceiverConfig) (*Receiver, error) {
	cfg.adopt()
	if cfg.Skip < 0 {
		return nil, &Error{Kind: BadSkip, Err: errors.New("skip is negative")}
	}
	dir := cfg.Dir
	if dir == "" {
		dir = "."
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		e := diskError("open", dir, err)
		if info, serr := os.Stat(dir); serr == nil && !info.IsDir() {
			e = &Error{Kind: NotFound, Path: dir, Err: errors.New("is not a directory")}
		}
		return nil, e
	}
	r := &Receiver{skip: cfg.Skip, memory: cfg.memory(), disk: &partial{root: root, dir: dir, name: cfg.Name}}
	r.session = newSession(cfg.Config, r, msgReject)
	r.asking.cfg = cfg
	if err := r.checkPlace(); err != nil {
		root.Close()
		return nil, err
	}
	return r, nil
}

// checkPlace finds what can be found wrong before there is an offer.
func (r *Receiver) checkPlace() *Error {
	dir, err := r.disk.root.Open(".")
	if err != nil {
		return r.disk.diskError("open", "", err)
	}
	defer dir.Close()
	if err := writable(dir); err != nil {
		return r.disk.diskError("write to", "", err)
	}
	name := r.disk.name
	if name == "" {
		return nil
	}
	if !fs.ValidPath(name) || name == "." || len(name) > maxName || badElement(name) {
		return &Error{Kind: BadName, Path: name}
	}
	return r.disk.checkTarget(r.skip)
}

// badElement reports whether a name that a person here chose is more than one
// path element.
func badElement(name string) bool {
	for i := range len(name) {
		if os.IsPathSeparator(name[i]) {
			return true
		}
	}
	return false
}

// Progress is what can be shown now.
func (r *Receiver) Progress() Progress {
	p := Progress{
		Name:     printable(r.disk.name, maxName),
		Size:     r.offer.file.size,
		Total:    r.offer.space().length(),
		Safe:     r.safe.bytes,
		Resumed:  r.safe.resumed,
		Phase:    r.phase,
		Replaced: r.found.replaced,
		Files:    1, Counted: true, Kept: r.offer.file.size - r.offer.space().length(),
	}
	if r.phase == Moving && r.asm.behind() || r.phase == Finishing {
		p.Limit = ByDisk
	}
	return p
}

// WriteBulk takes a copy of bytes of the linear space. It returns false if
// they cannot be taken now, for want of memory: then they must come again.
func (r *Receiver) WriteBulk(p []byte, off int64) bool {
	switch {
	case r.phase < Moving:
		return false
	case r.phase > Moving:
		return true // complete, or given up: not wanted any more
	case !r.asm.space.contains(off, len(p)) || off < r.skip:
		r.fail(violation("bytes that were not asked for"))
		return true
	}
	for len(p) > 0 {
		_, hi := r.asm.space.block(off / blockSize)
		n := min(int64(len(p)), hi-off)
		if !r.asm.put(p[:n], off) {
			return false
		}
		p, off = p[n:], off+n
	}
	return true
}

// BulkWindow is how many bytes the sender may have in flight: 1 GiB while the
// disk here keeps up, and less, down to 0, as the memory fills.
func (r *Receiver) BulkWindow() int64 {
	if r.phase != Moving {
		return openWindow
	}
	return r.asm.window()
}

func (r *Receiver) begin() {}

func (r *Receiver) ready() bool { return r.asm.announced < maxOpen }

func (r *Receiver) handle(typ byte, body []byte) *Error {
	switch {
	case typ == msgOffer && r.phase == Offering:
		return r.takeOffer(body)
	case typ == msgHash && r.phase == Moving:
		return r.takeHashes(body)
	case typ == msgEnd && r.phase == Moving && r.root == nil:
		return r.takeEnd(body)
	}
	return violation(fmt.Sprintf("message %d out of place", typ))
}

// takeOffer looks at an offer and starts to look for what is there of it.
func (r *Receiver) takeOffer(body []byte) *Error {
	o, err := parseOffer(body)
	if errors.Is(err, errVersion) {
		return &Error{Kind: Version}
	}
	if err != nil {
		return violation(err.Error())
	}
	if r.disk.name == "" {
		if why := badName(o.file.name); why != "" {
			return &Error{Kind: BadName, Err: fmt.Errorf("the file's name %q cannot be used: %s", o.file.name, why)}
		}
		r.disk.name = o.file.name
	}
	if o.start > r.skip {
		return &Error{Kind: BadSkip, Err: fmt.Errorf("the sender skips %d bytes and the receiver %d", o.start, r.skip)}
	}
	if r.skip > o.file.size {
		return &Error{Kind: BadSkip, Err: fmt.Errorf("the receiver skips %d bytes of a file of %d", r.skip, o.file.size)}
	}
	r.offer = o
	r.phase = Deciding
	if !r.asking.cfg.Ask {
		r.Accept()
	}
	return nil
}

func (r *Receiver) prepare() {
	o := r.offer
	r.phase = Preparing
	id := identity{name: o.file.name, size: o.file.size, sec: o.file.sec, nsec: o.file.nsec, start: o.start, skip: r.skip}
	var got found
	var failure *Error
	r.run(func() { got, failure = r.disk.prepare(id) }, func() { r.prepared(got, failure) })
}

// prepared takes over what is there.
func (r *Receiver) prepared(got found, err *Error) {
	if err != nil {
		r.fail(err)
		return
	}
	s := r.offer.space()
	r.asm = newAssembly(s, r.memory)
	r.asm.file = r.disk.data
	r.asm.run = r.run
	r.asm.report = r.checked
	r.found = got
	r.found.runs = nil // they may be many
	for _, run := range got.runs {
		fresh := r.takeOver(run)
		if len(fresh.sums) > 0 {
			r.haves = append(r.haves, fresh)
		}
	}
	r.safe.resumed = r.safe.bytes + r.vouched()
	if r.phase == Preparing {
		r.phase = Moving
	}
}

// takeOver takes the blocks of a run from the journal for verified. It returns
// the run, or nothing of it if the journal held some of it twice.
func (r *Receiver) takeOver(rec run) run {
	for k := range rec.sums {
		if r.asm.sums.has(rec.first + int64(k)) {
			return run{}
		}
	}
	for k, sum := range rec.sums {
		i := rec.first + int64(k)
		lo, hi := r.asm.space.block(i)
		r.asm.sums.put(i, sum)
		r.safe.bytes += hi - lo
		r.known++
	}
	return rec
}

// vouched is how many bytes of the space skip vouches for and the journal
// does not.
func (r *Receiver) vouched() int64 {
	var n int64
	s := r.asm.space
	for i := s.first(); s.has(i) && i*blockSize < r.skip; i++ {
		if lo, hi := s.block(i); !r.asm.sums.has(i) {
			n += max(min(hi, r.skip)-lo, 0)
		}
	}
	return n
}

// advance does what can be done now.
func (r *Receiver) advance() {
	if r.phase != Moving {
		return
	}
	r.tellHave()
	r.copyOld()
	r.asm.advance()
	if r.ledger.bytes >= journalBytes || len(r.ledger.batch) > 0 && !r.now.Before(r.ledger.since.Add(journalPeriod)) {
		r.checkpoint()
	}
	r.tellSafe()
	r.commit()
}

// due is when advance is wanted next.
func (r *Receiver) due() time.Time {
	if r.phase != Moving {
		return time.Time{}
	}
	var at time.Time
	if len(r.ledger.batch) > 0 && !r.ledger.busy {
		at = r.ledger.since.Add(journalPeriod)
	}
	if r.opened && r.safe.bytes != r.safe.told {
		if t := r.safe.at.Add(safePeriod); at.IsZero() || t.Before(at) {
			at = t
		}
	}
	return at
}

// tellHave sends what the journal held, and then accepts the offer.
func (r *Receiver) tellHave() {
	for len(r.haves) > 0 && !r.ctl.busy() {
		rec := r.haves[0]
		r.haves = r.haves[1:]
		r.ctl.send(msgHave, func(m []byte) []byte { return appendRun(m, rec.first, rec.sums) })
	}
	if len(r.haves) > 0 || r.opened {
		return
	}
	r.haves = nil
	r.opened = true
	r.refusal = msgAbort
	from := max(r.skip, r.offer.start)
	r.ctl.send(msgAccept, func(m []byte) []byte { return appendAccept(m, accept{from: from, had: r.safe.resumed}) })
}

// commit puts the file in place when all of it is verified.
func (r *Receiver) commit() {
	if r.root == nil || !r.asm.sums.complete() || r.copier.next*blockSize < r.skip || r.pending > 0 {
		return
	}
	if r.asm.sums.sum() != *r.root {
		r.fail(&Error{Kind: Corrupt, Path: r.disk.path(r.disk.name), Err: errors.New("the hashes of all blocks together do not match the sender's")})
		return
	}
	batch := r.ledger.batch
	r.ledger = ledger{}
	r.phase = Finishing
	r.certain = true
	var err *Error
	r.run(func() { err = r.disk.commit(r.offer.file, batch) }, func() {
		r.certain = false
		if err != nil {
			r.fail(err)
			return
		}
		r.phase = Telling
		r.ctl.send(msgDone, nil)
	})
}

// wind has the journal vouch for what it can before the files are closed, and
// removes a partial file of which nothing is safe.
func (r *Receiver) wind() bool {
	if r.wound || r.disk.journal == nil {
		return false
	}
	r.wound = true
	batch := r.ledger.batch
	switch {
	case r.safe.bytes == 0:
		r.run(r.disk.discard, func() {})
	case r.ledger.broken || len(batch) == 0:
		return false
	default:
		// Whatever ended the transfer is the news; a failure to save the last
		// seconds of it is not.
		r.run(func() { _ = r.disk.checkpoint(batch) }, func() {})
	}
	return true
}

func (r *Receiver) release() {
	r.disk.close()
	r.disk.root.Close()
}
