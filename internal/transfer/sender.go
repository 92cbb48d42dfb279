package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"
	"time"

	"qft/internal/squeeze"
	"qft/internal/walk"
)

// SenderConfig says what to send: files, or a stream, or a text.
type SenderConfig struct {
	Config
	// Walk names the files. Its Name is also that of a stream; if empty, that
	// is "stdin".
	Walk walk.Config
	// Stream, if not nil, is sent instead of files, to its end. A Read of it
	// that blocks when the transfer ends is left alone: the goroutine that it
	// runs in ends when it returns, and drops what it has read. With a Config.Go
	// that runs works in place, the loop waits for the stream.
	Stream io.Reader
	// Text, if not empty, is sent instead of files: at most 48 KiB.
	Text string
	// Skip is how many bytes at the start of a single file the receiver must
	// have already, and be told to skip.
	Skip int64
	// NoCompress has all blocks sent as they are.
	NoCompress bool
	// Checksum has Progress tell the BLAKE3 of a single file.
	Checksum bool
	// Cache is a file that remembers hashes from one transfer to the next, so
	// that what the receiver has can be compared without reading. It is made if
	// it is missing. If empty, or if it cannot be used, nothing is remembered.
	Cache string
}

// Sender is the sending side of a transfer.
type Sender struct {
	session
	cfg     SenderConfig
	ctx     context.Context // ends when the result of works is not wanted any more
	quit    context.CancelFunc
	offer   offer
	single  bool // one file or stream, whose failure is that of the transfer
	count   counting
	tree    tree     // entries, as they are found and told
	plan    plan     // what is to be read
	audits  audits   // what is compared with claims
	sums    sumCache // hashes of earlier transfers
	feed    *feed    // of a stream, else nil
	files   openFiles
	cache   cache
	blocks  shipment
	encoder *squeeze.Encoder // nil: blocks are sent as they are
	rate    pathRate
	tally   tally
	proof   proof
}

// NewSender checks that what is to be sent can be. It may block. Looking
// through directories goes on as work from then on.
func NewSender(cfg SenderConfig) (*Sender, error) {
	s := &Sender{cfg: cfg, cache: newCache(cfg.memory()), sums: sumCache{path: cfg.Cache}}
	s.session = newSession(cfg.Config, s, msgAbort)
	s.tree.root = newRoot()
	s.blocks.depth = leastDepth
	var err *Error
	switch {
	case cfg.Text != "":
		err = s.offerText()
	case cfg.Stream != nil:
		s.offerStream()
	default:
		err = s.offerFiles()
	}
	if err == nil {
		err = s.checkSkip()
	}
	if err != nil {
		return nil, err
	}
	s.proof.wanted = cfg.Checksum && s.single
	s.ctx, s.quit = context.WithCancel(context.Background())
	s.startCount()
	return s, nil
}

func (s *Sender) offerText() *Error {
	if len(s.cfg.Text) > maxSent {
		return &Error{Kind: TooMuch, Err: fmt.Errorf("the text has %d bytes, and at most %d can be sent: send it as a file", len(s.cfg.Text), maxSent)}
	}
	s.offer = offer{flags: offersText, text: s.cfg.Text}
	s.count.done = true
	s.tree.ended = true
	return nil
}

func (s *Sender) offerStream() {
	name := s.cfg.Walk.Name
	if name == "" {
		name = "stdin"
	}
	s.offer = offerOf([]string{name})
	s.offer.flags |= offersStream
	s.single = true
	s.feed = newFeed(s.cfg.Stream)
	s.count.done = true
}

func (s *Sender) offerFiles() *Error {
	w, err := walk.New(s.cfg.Walk)
	if err != nil {
		return itemError(err)
	}
	s.tree.walk = w
	s.offer = offerOf(w.Items())
	if s.cfg.Walk.Archive && s.cfg.Walk.FS == nil {
		s.offer.flags |= offersArchive
	}
	size, single, err := w.Single()
	if err != nil {
		return itemError(err)
	}
	if single {
		s.single = true
		s.count.files.Store(1)
		s.count.bytes.Store(size)
		s.count.done = true
	}
	return nil
}

// itemError is the error for something that a person named. If it is not the
// system that says so, then it is the names that do not do.
func itemError(err error) *Error {
	var system syscall.Errno
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Error{Kind: NotFound, Err: err}
	case errors.Is(err, walk.ErrSpecial):
		return &Error{Kind: NotRegular, Err: err}
	case errors.As(err, &system):
		return &Error{Kind: Unreadable, Err: err}
	}
	return &Error{Kind: BadName, Err: err}
}

func (s *Sender) checkSkip() *Error {
	skip := s.cfg.Skip
	size := s.count.bytes.Load()
	switch {
	case skip == 0:
		return nil
	case !s.single || s.feed != nil:
		return &Error{Kind: BadSkip, Err: errors.New("only a single file can be skipped into")}
	case skip < 0 || skip > size:
		return &Error{Kind: BadSkip, Path: s.offer.names[0], Err: fmt.Errorf("has %d bytes, so %d cannot be skipped", size, skip)}
	}
	s.offer.skip = skip
	return nil
}

func (s *Sender) begin() {
	s.offer.count = s.counted()
	s.count.told = s.offer.count
	s.ctl.send(msgOffer, func(b []byte) []byte { return appendOffer(b, s.offer) })
}

func (s *Sender) ready() bool { return true }

func (s *Sender) handle(typ byte, body []byte) *Error {
	moving := s.phase == Moving
	sent := moving || s.phase == Finishing
	switch {
	case typ == msgAccept && s.phase == Offering:
		return s.takeAccept(body)
	case typ == msgVerdicts && moving:
		return s.takeVerdicts(body)
	case typ == msgHave && moving:
		return s.takeHave(body)
	case typ == msgClaim && moving:
		return s.takeClaim(body)
	case typ == msgResend && sent:
		return s.takeResend(body)
	case typ == msgSafe && sent:
		return s.takeSafe(body)
	case typ == msgDone && s.phase == Finishing:
		return s.takeDone(body)
	}
	return violation(fmt.Sprintf("message %d out of place", typ))
}

func (s *Sender) takeAccept(body []byte) *Error {
	flags, err := parseAccept(body)
	switch {
	case errors.Is(err, errVersion):
		return &Error{Kind: Version}
	case err != nil:
		return violation(err.Error())
	}
	if flags&acceptsZstd != 0 && !s.cfg.NoCompress {
		s.encoder = squeeze.NewEncoder(time.Now)
	}
	s.phase = Moving
	return nil
}

func (s *Sender) takeDone(body []byte) *Error {
	o, err := parseDone(body)
	if err != nil || o.files > s.tree.files || o.bytes > s.tree.bytes {
		return violation("an impossible result")
	}
	s.forget() // what SAFE has just told
	s.tally.whole = true
	s.phase = Ended
	return nil
}

// advance does what can be done now: it sends what was read, reads ahead, and
// looks for more.
func (s *Sender) advance() {
	s.tellCount(false)
	if s.phase == Moving || s.phase == Finishing {
		s.rate.measure(s.now, s.sent(), s.ctl.conn.BulkUnsent())
		s.dispatch()
		s.readAhead()
		s.audit()
		s.consult()
		s.prove()
		s.fold()
		s.forget()
		s.finish()
	}
	s.explore()
}

// finish sends the root when everything was told.
func (s *Sender) finish() {
	if s.phase != Moving || !s.tree.ended || !s.tree.folded() || s.plan.resends() || len(s.blocks.queue) > 0 || s.ctl.busy() || !s.proof.complete() {
		return
	}
	s.tellCount(true)
	s.phase = Finishing
	e := ending{entries: s.tree.list.next(), blocks: s.blocks.list.next(), root: s.tree.root.sum()}
	s.tally.root = sumText(e.root)
	s.ctl.send(msgEnd, func(b []byte) []byte { return appendEnd(b, e) })
}

func (s *Sender) due() time.Time { return s.count.look }

// Step is Step of the session. When the transfer is over, what still works for
// it is told to stop.
func (s *Sender) Step(now time.Time) {
	s.session.Step(now)
	s.abandon()
}

// PeerClosed is PeerClosed of the session.
func (s *Sender) PeerClosed(err error) {
	s.session.PeerClosed(err)
	s.abandon()
}

// Close is Close of the session.
func (s *Sender) Close() {
	s.session.Close()
	s.abandon()
}

// abandon has works return early whose result nobody wants: counting, hashing
// of large files, and waiting for a stream.
func (s *Sender) abandon() {
	if s.phase < Telling {
		return
	}
	s.quit()
	if s.feed != nil {
		s.feed.abandon()
	}
}

// wind saves hashes that the cache does not have yet.
func (s *Sender) wind() bool { return s.saveSums() }

func (s *Sender) release() {
	s.quit()
	if s.tree.walk != nil {
		s.tree.walk.Close()
	}
	s.files.close()
	s.sums.close()
}
