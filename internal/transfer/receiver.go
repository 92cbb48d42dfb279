package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"qft/internal/journal"
	"qft/internal/manifest"
	"qft/internal/plant"
)

const (
	// maxTries is how often a block may fail to match its digest. The
	// connection authenticates every packet, so even one failure means a bug,
	// bad memory, or a file that is being changed.
	maxTries = 3
	// safePeriod is how often the sender is told what is safe.
	safePeriod = 250 * time.Millisecond
	// What is not in the journal yet is lost by a crash: at most so much.
	journalPeriod = 2 * time.Second
	journalBytes  = 64 << 20
	// maxHoles bounds the works that make holes.
	maxHoles = 1 << 12
	// maxLineWeight bounds the memory for entries that are not settled: more
	// than what a sender tells before it waits.
	maxLineWeight = 96 << 20
)

// ReceiverConfig says where what comes should go.
type ReceiverConfig struct {
	Config
	// Plant is the place, and what happens to what is there already.
	Plant plant.Config
	// Stream is where the bytes of a single file go instead. It may block.
	Stream io.Writer
	// Skip is how many bytes of an existing target are taken for the start of
	// a single file, unseen. The complete file then replaces the target.
	Skip int64
	// MaxBytes and MaxFiles bound what is taken. If zero, nothing does.
	MaxBytes, MaxFiles int64
	// Ask has an offer wait for Accept or Refuse.
	Ask bool
}

// Receiver is the receiving side of a transfer.
type Receiver struct {
	session
	place    plant.Config
	skip     int64
	maxBytes int64
	maxFiles int64
	memory   int64
	ground   *plant.Ground
	bed      *plant.Bed
	journal  *journal.Journal
	sink     *sink // takes the bytes in order; with no bed, instead of one
	offer    offer
	count    count
	opened   bool // the offer was accepted
	line     line
	judges   judges
	asm      assembly
	packed   []packed // whole blocks that wait for a buffer
	again    map[extent]retry
	last     int64 // number of the block announced next
	owed     int64 // bytes that will come and have no room reserved yet
	end      *ending
	ledger   ledger
	safe     safeCount
	failures failures
	paths    []string // of the first items
	renamed  []Renaming
	scratch  plant.File
	holes    int             // that are being made
	ctx      context.Context // ends when the result of works is not wanted any more
	quit     context.CancelFunc
	wound    bool // the last work was started
}

// NewReceiver checks that the place can be written to. It may block.
func NewReceiver(cfg ReceiverConfig) (*Receiver, error) {
	if cfg.Skip < 0 {
		return nil, &Error{Kind: BadSkip, Err: errors.New("skip is negative")}
	}
	if cfg.Skip > 0 {
		cfg.Plant.Existing = plant.Overwrite
	}
	r := &Receiver{
		place: cfg.Plant, skip: cfg.Skip, memory: cfg.memory(),
		maxBytes: cfg.MaxBytes, maxFiles: cfg.MaxFiles,
		asm:    newAssembly(cfg.memory()),
		again:  make(map[extent]retry),
		line:   line{root: newRoot()},
		ledger: ledger{dirty: make(map[*large]struct{})},
	}
	r.session = newSession(cfg.Config, r, msgReject)
	r.ctx, r.quit = context.WithCancel(context.Background())
	r.ask = cfg.Ask
	r.asm.run, r.asm.whole = r.run, r.whole
	r.asm.failed = func(err error) { r.fail(r.diskError("write", "", err)) }
	if cfg.Stream != nil {
		r.sink = newSink(cfg.Stream)
		r.asm.inOrder()
		return r, nil
	}
	var err error
	if r.ground, err = plant.Open(cfg.Plant); err != nil {
		return nil, r.diskError("open", "", err)
	}
	return r, nil
}

// Step is Step of the session. When the transfer is over, what still works for
// it is told to stop.
func (r *Receiver) Step(now time.Time) {
	r.session.Step(now)
	r.abandon()
}

// PeerClosed is PeerClosed of the session.
func (r *Receiver) PeerClosed(err error) {
	r.session.PeerClosed(err)
	r.abandon()
}

// Close is Close of the session.
func (r *Receiver) Close() {
	r.session.Close()
	r.abandon()
}

// abandon has works return early whose result nobody wants: hashing and copying
// of large files.
func (r *Receiver) abandon() {
	if r.phase >= Telling {
		r.quit()
	}
}

// WriteBulk takes a copy of bytes of the bulk space. It returns false if they
// cannot be taken now, for want of memory: then they must come again.
func (r *Receiver) WriteBulk(p []byte, off int64) bool {
	switch {
	case r.phase < Moving:
		return false
	case r.phase > Moving:
		return true // complete, or given up: not wanted any more
	}
	for len(p) > 0 {
		n := min(int64(len(p)), blockSize-off&(blockSize-1))
		taken, bad := r.asm.put(p[:n], off)
		if bad {
			r.fail(violation("bytes that no block has"))
			return true
		}
		if !taken {
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

// ready holds messages back while a person or the disk has to answer first for
// what they would add to.
func (r *Receiver) ready() bool {
	return len(r.line.items) < 2*window-maxFiles && r.line.weight < maxLineWeight && r.holes < maxHoles
}

func (r *Receiver) handle(typ byte, body []byte) *Error {
	if typ == msgOffer && r.phase == Offering {
		return r.takeOffer(body)
	}
	// Behind the end there are only blocks that were asked for again.
	if r.phase == Offering || r.phase > Moving || r.end != nil && typ != msgBlock {
		return violation(fmt.Sprintf("message %d out of place", typ))
	}
	switch typ {
	case msgEntries:
		return r.takeEntries(body)
	case msgCount:
		return r.takeCount(body)
	case msgBlock:
		return r.takeBlock(body)
	case msgHole:
		return r.takeHole(body)
	case msgFailed:
		return r.takeFailed(body)
	case msgEqual, msgDiffers:
		return r.takeComparison(typ, body)
	case msgEnded:
		return r.takeEnded(body)
	case msgEnd:
		return r.takeEnd(body)
	}
	return violation(fmt.Sprintf("message %d out of place", typ))
}

// takeOffer looks at an offer, and goes on at once if nobody has to be asked.
func (r *Receiver) takeOffer(body []byte) *Error {
	o, err := parseOffer(body)
	if errors.Is(err, errVersion) {
		return &Error{Kind: Version}
	}
	if err != nil {
		return violation(err.Error())
	}
	r.offer, r.count = o, o.count
	if err := r.tooMuch(o.count); err != nil {
		return err
	}
	if o.skip > r.skip {
		return &Error{Kind: BadSkip, Err: fmt.Errorf("the sender skips %d bytes and the receiver %d", o.skip, r.skip)}
	}
	if o.flags&offersText == 0 && o.items != 1 && (r.skip > 0 || r.sink != nil) {
		return &Error{Kind: Refused, Err: errors.New("several files were offered where only one can be taken")}
	}
	r.phase = Deciding
	if !r.ask {
		r.Accept()
	}
	return nil
}

// tooMuch is the error for more than is allowed.
func (r *Receiver) tooMuch(c count) *Error {
	switch {
	case r.maxBytes > 0 && c.bytes > r.maxBytes:
		return &Error{Kind: TooMuch, Err: fmt.Errorf("%s are offered and at most %s are taken", manifest.SizeText(c.bytes), manifest.SizeText(r.maxBytes))}
	case r.maxFiles > 0 && c.files > r.maxFiles:
		return &Error{Kind: TooMuch, Err: fmt.Errorf("%d files are offered and at most %d are taken", c.files, r.maxFiles)}
	}
	return nil
}

// Accept takes the offer that Proposal told. Call Step next.
func (r *Receiver) Accept() {
	if r.phase != Deciding {
		return
	}
	r.phase = Preparing
	if r.sink != nil || r.offer.flags&offersText != 0 {
		r.prepared(nil)
		return
	}
	var err error
	r.run(func() { err = r.prepare() }, func() {
		if err != nil {
			r.fail(r.diskError("open", "", err))
			return
		}
		r.prepared(nil)
	})
}

// Refuse turns the offer down. Call Step next.
func (r *Receiver) Refuse() {
	if r.phase == Deciding {
		r.fail(&Error{Kind: Refused})
	}
}

// prepare is work: it makes or takes over the bed.
func (r *Receiver) prepare() error {
	bed, err := r.ground.Prepare(r.offer.label, r.offer.names, r.offer.items)
	if err != nil {
		return err
	}
	r.bed = bed
	j, err := journal.Resume(bed.JournalFile())
	if errors.Is(err, journal.ErrEmpty) {
		j, err = journal.Create(bed.JournalFile(), appendHead(nil, r.offer))
	}
	if err != nil {
		return err
	}
	r.journal = j
	if r.offer.flags&offersStream != 0 {
		r.sink = newSink(nil)
		r.asm.inOrder()
		return nil
	}
	s, err := bed.Scratch()
	if err != nil {
		return err
	}
	r.asm.scratch, r.scratch = s, s
	return nil
}

func (r *Receiver) prepared(err *Error) {
	if err != nil {
		r.fail(err)
		return
	}
	if r.phase != Preparing {
		return // stopped meanwhile
	}
	r.phase = Moving
	r.opened = true
	r.refusal = msgAbort
	r.ctl.send(msgAccept, func(m []byte) []byte { return appendAccept(m, acceptsZstd) })
}

func (r *Receiver) takeCount(body []byte) *Error {
	c, err := parseCount(body)
	if err != nil {
		return violation(err.Error())
	}
	r.count = c
	return r.tooMuch(c)
}

func (r *Receiver) takeEntries(body []byte) *Error {
	if r.offer.flags&offersText != 0 {
		return violation("entries beside a text")
	}
	err := parseEntries(body, func(n int64, e manifest.Entry, raw []byte) error {
		if (e.Kind == manifest.Stream) != (r.offer.flags&offersStream != 0) {
			return errors.New("an entry that is no stream beside a stream, or a stream beside files")
		}
		if (r.sink != nil || r.offer.flags&offersStream != 0) && (n > 0 || e.Kind != manifest.File && e.Kind != manifest.Stream) {
			return errNotOne
		}
		return r.line.add(n, e, raw)
	})
	if errors.Is(err, errNotOne) {
		return &Error{Kind: Refused, Err: err}
	}
	if err != nil {
		return violation(err.Error())
	}
	return r.tooMuch(count{files: r.line.files, bytes: r.line.bytes})
}

var errNotOne = errors.New("only a single file can go into a stream")

// advance does what can be done now.
func (r *Receiver) advance() {
	if r.phase != Moving {
		return
	}
	r.judge()
	r.reply()
	r.asm.advance()
	r.unpack()
	if r.ledger.bytes >= journalBytes || len(r.ledger.closing) > maxClosing ||
		len(r.ledger.runs) > 0 && !r.now.Before(r.ledger.since.Add(journalPeriod)) {
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
	if len(r.ledger.runs) > 0 && !r.ledger.busy {
		at = r.ledger.since.Add(journalPeriod)
	}
	if r.safe.news(r.asm.low) {
		if t := r.safe.at.Add(safePeriod); at.IsZero() || t.Before(at) {
			at = t
		}
	}
	return at
}

// takeEnd takes the root. All entries and all announcements came before it.
func (r *Receiver) takeEnd(body []byte) *Error {
	e, err := parseEnd(body)
	if err != nil {
		return violation(err.Error())
	}
	if e.entries != r.line.next() || e.blocks != r.last {
		return violation("end before all of it was told")
	}
	for _, it := range r.line.items {
		if !it.judged || it.comes() && !it.settled && !it.allTold() {
			return violation("end before all blocks of " + quoted(it.path()))
		}
	}
	r.end = &e
	return nil
}

// commit puts everything in place when all of it is verified.
func (r *Receiver) commit() {
	if r.end == nil || len(r.line.items) > 0 || r.asm.low != r.last || r.pending > 0 || !r.sink.empty() {
		return
	}
	if r.line.root.sum() != r.end.root {
		r.fail(&Error{Kind: Corrupt, Err: errors.New("the hashes of all files together do not match the sender's")})
		return
	}
	r.phase = Finishing
	if r.bed == nil {
		r.told()
		return
	}
	r.certain = true
	save, scratch := r.ledger.take(), r.scratch
	var err error
	r.run(func() {
		if scratch != nil {
			scratch.Close() // nothing waits in it any more, and open it might outlast the bed
		}
		if err = save.write(r.bed, r.journal); err == nil {
			err = r.bed.Commit()
		}
	}, func() {
		r.certain = false
		if err != nil {
			r.fail(r.diskError("put in place", "", err))
			return
		}
		lost, n := r.bed.Lost()
		for _, p := range lost {
			r.failures.add(p, "the file that it is another name of did not come")
		}
		r.failures.count += int64(n - len(lost))
		r.line.failed += int64(n)
		r.told()
	})
}

// told is the end of a transfer that went well.
func (r *Receiver) told() {
	r.phase = Telling
	o := outcome{r.line.placed, r.line.sent, r.line.failed}
	r.ctl.send(msgDone, func(m []byte) []byte { return appendDone(m, o) })
}

// wind has the journal vouch for what it can before the files are closed, and
// removes a bed in which nothing is safe.
func (r *Receiver) wind() bool {
	if r.wound || r.bed == nil || r.phase == Telling || r.phase == Ended && r.err == nil {
		return false
	}
	r.wound = true
	save := r.ledger.take()
	switch {
	case r.safe.bytes == 0 && !r.bed.Resumed() || r.sink != nil:
		bed, scratch := r.bed, r.scratch
		r.run(func() {
			save.close()
			if scratch != nil {
				scratch.Close()
			}
			bed.Discard()
		}, func() { r.bed = nil })
	case r.ledger.broken || r.journal == nil:
		save.close()
		return false
	default:
		// Whatever ended the transfer is the news; a failure to save the last
		// seconds of it is not.
		r.run(func() { _ = save.write(r.bed, r.journal) }, func() {})
	}
	return true
}

func (r *Receiver) release() {
	for _, it := range r.line.items {
		if it.large != nil {
			it.large.close()
		}
	}
	r.ledger.take().close()
	if r.scratch != nil {
		r.scratch.Close()
	}
	if r.sink != nil && r.sink.open != nil {
		r.sink.open.Close()
	}
	if r.bed != nil {
		r.bed.Close()
	}
	if r.ground != nil {
		r.ground.Close()
	}
}
