package transfer

import (
	"errors"
	"fmt"
	"io"
	"time"

	"qft/internal/walk"
)

const (
	// maxUnsent is how many bytes may be queued and not yet in a packet.
	maxUnsent = 8 << 20
	// maxReads is how many blocks are read at a time; one while a retransmission
	// waits for the disk.
	maxReads = 3
	// leastDepth is how many blocks are read ahead while the file is faster than
	// the network: few, to stay in the processor's cache.
	leastDepth = 4
	// maxResends bounds the blocks that the receiver asks for again.
	maxResends = 1024
)

// SenderConfig says what to send.
type SenderConfig struct {
	Config
	Walk       walk.Config
	Stream     io.Reader
	Text       string
	NoCompress bool
	Checksum   bool
	Cache      string
	// Path is the file.
	Path string
	// Skip is how many bytes at its start are not sent. The receiver must skip
	// at least as many.
	Skip int64
}

// Sender is the sending side of a transfer.
type Sender struct {
	session
	file  *source
	offer offer
	space space   // what is offered
	sums  digests // of the blocks that were read, and of those the receiver has
	cache cache

	from    int64         // the receiver has what lies before
	next    int64         // block to read next
	reads   int           // blocks being read
	depth   int           // how many blocks to be ahead of the network
	held    bool          // that many were, so that reading has paused
	hashes  []blockSum    // computed and not told yet
	queued  int64         // bytes given to SendBulk
	resend  []int64       // blocks that the receiver asks for again
	tries   map[int64]int // how often it did, by block
	looking bool          // for a change of the file, at the end
	safe    int64
	resumed int64
}

// NewSender opens the file and checks that it can be sent. It may block.
func NewSender(cfg SenderConfig) (*Sender, error) {
	if err := cfg.adopt(); err != nil {
		return nil, err
	}
	file, ferr := openSource(cfg.Path)
	if ferr != nil {
		return nil, ferr
	}
	e := file.entry()
	var bad *Error
	switch {
	case e.size > maxSize:
		bad = &Error{Kind: Unreadable, Path: cfg.Path, Err: fmt.Errorf("is larger than %s", sizeText(maxSize))}
	case cfg.Skip < 0 || cfg.Skip > e.size:
		bad = &Error{Kind: BadSkip, Path: cfg.Path, Err: fmt.Errorf("has %d bytes, so %d cannot be skipped", e.size, cfg.Skip)}
	}
	if bad != nil {
		file.f.Close()
		return nil, bad
	}
	s := &Sender{
		file:  file,
		offer: offer{cfg.Skip, e},
		space: space{cfg.Skip, e.size},
		cache: newCache(cfg.memory()),
		depth: leastDepth,
		tries: make(map[int64]int),
	}
	s.sums = newDigests(s.space)
	s.next = s.space.first()
	s.session = newSession(cfg.Config, s, msgAbort)
	return s, nil
}

// Progress is what can be shown now.
func (s *Sender) Progress() Progress {
	p := Progress{
		Name:    printable(s.offer.file.name, maxName),
		Size:    s.offer.file.size,
		Total:   s.space.length(),
		Safe:    s.safe,
		Resumed: s.resumed,
		Phase:   s.phase,
		Files:   1, Counted: true, Kept: s.offer.file.size - s.space.length(), Sent: s.queued,
	}
	if s.phase == Moving && s.reads > 0 && s.ctl.conn.BulkUnsent() == 0 {
		p.Limit = ByDisk
	}
	return p
}

// ReadBulk fills p with the bytes of the linear space at off, from memory, and
// returns len(p) and true. If they are not in memory it returns 0 and false:
// then something is being read, and when a done function of Config.Go has run
// it is worth asking again, for the same places in the same order. Once the
// transfer has failed it may stay false.
func (s *Sender) ReadBulk(p []byte, off int64) (n int, ok bool) {
	if !s.space.contains(off, len(p)) {
		return 0, false
	}
	for n < len(p) {
		m, waiting := s.cache.copy(p[n:], off+int64(n))
		if m == 0 && !waiting {
			s.load(off + int64(n))
			m, _ = s.cache.copy(p[n:], off+int64(n)) // in case it ran in place
		}
		if m == 0 {
			return 0, false
		}
		n += m
	}
	return n, true
}

// load starts to read the chunk around off.
func (s *Sender) load(off int64) {
	if s.phase != Moving && s.phase != Finishing {
		return
	}
	k := s.cache.newChunk(off, s.space)
	if k == nil {
		return
	}
	s.cache.loads++
	var err *Error
	s.run(func() { err = s.file.read(k.buf[:k.hi-k.lo], k.lo) }, func() {
		s.cache.loads--
		k.ready = err == nil
		if err != nil {
			s.fail(err)
		}
	})
}

func (s *Sender) begin() {
	s.ctl.send(msgOffer, func(b []byte) []byte { return appendOffer(b, s.offer) })
}

func (s *Sender) ready() bool { return true }

func (s *Sender) handle(typ byte, body []byte) *Error {
	moving := s.phase == Moving || s.phase == Finishing
	switch {
	case typ == msgHave && (s.phase == Offering || s.phase == Moving):
		return s.takeHave(body)
	case typ == msgAccept && s.phase == Offering:
		return s.takeAccept(body)
	case typ == msgResend && moving:
		return s.takeResend(body)
	case typ == msgSafe && moving:
		return s.takeSafe(body)
	case typ == msgDone && s.phase == Finishing && len(body) == 0:
		s.safe = s.space.length()
		s.phase = Ended
		return nil
	}
	return violation(fmt.Sprintf("message %d out of place", typ))
}

// takeHave notes blocks that the receiver has. Before it accepts they are from
// its journal, afterwards they are what skip vouches for.
func (s *Sender) takeHave(body []byte) *Error {
	rec, err := parseRun(body, s.space)
	if err != nil {
		return violation(err.Error())
	}
	for k, sum := range rec.sums {
		i := rec.first + int64(k)
		_, hi := s.space.block(i)
		if s.sums.has(i) || s.phase == Moving && hi > s.from {
			return violation("a block that it cannot have")
		}
		s.sums.put(i, sum)
	}
	return nil
}

func (s *Sender) takeAccept(body []byte) *Error {
	a, err := parseAccept(body)
	switch {
	case errors.Is(err, errVersion):
		return &Error{Kind: Version}
	case err != nil:
		return violation(err.Error())
	case a.from < s.space.start || a.from > s.space.size || a.had > s.space.length():
		return violation("it has what was not offered")
	}
	s.from = a.from
	s.resumed = a.had
	s.phase = Moving
	return nil
}

func (s *Sender) takeResend(body []byte) *Error {
	i, err := parseNumber(body)
	if err != nil {
		return violation(err.Error())
	}
	if !s.space.has(i) || i >= s.next {
		return violation("a block again that was not sent")
	}
	s.tries[i]++
	if s.tries[i] > maxTries || len(s.tries) > maxResends {
		return &Error{Kind: Corrupt, Path: s.file.path}
	}
	s.resend = append(s.resend, i)
	return nil
}

func (s *Sender) takeSafe(body []byte) *Error {
	n, err := parseNumber(body)
	if err != nil || n < s.safe || n > s.space.length() {
		return violation("an impossible count of bytes")
	}
	s.safe = n
	return nil
}

func (s *Sender) due() time.Time { return time.Time{} }

// advance does what can be done now: it tells hashes, queues the blocks that
// were read, and reads ahead.
func (s *Sender) advance() {
	if s.phase != Moving && s.phase != Finishing {
		return
	}
	s.tellHashes()
	s.queueBlocks()
	s.readAhead()
	s.finish()
}

// tellHashes sends the hashes of the blocks that were read, runs together.
func (s *Sender) tellHashes() {
	for len(s.hashes) > 0 && !s.ctl.busy() {
		first := s.hashes[0].index
		var sums []digest
		for _, h := range s.hashes {
			if h.index != first+int64(len(sums)) || len(sums) == maxSums {
				break
			}
			sums = append(sums, h.sum)
		}
		s.hashes = s.hashes[len(sums):]
		s.ctl.send(msgHash, func(b []byte) []byte { return appendRun(b, first, sums) })
	}
}

// queueBlocks has the connection send blocks in the order of reading, as long
// as it has not too many already.
func (s *Sender) queueBlocks() {
	for _, sl := range s.cache.slots {
		if sl.queued {
			continue
		}
		if !sl.ready || s.ctl.conn.BulkUnsent() >= maxUnsent {
			return
		}
		if s.held && s.ctl.conn.BulkUnsent() == 0 {
			// The network has waited for it, and it could have been read before.
			s.depth = min(s.depth+1, s.cache.blocks.limit/2)
			s.held = false
		}
		lo := sl.lo
		if !sl.again {
			lo = max(lo, s.from)
		}
		s.queued += sl.hi - lo
		sl.queued, sl.mark = true, s.queued
		s.ctl.conn.SendBulk(lo, sl.hi-lo)
	}
}

// sent is how many of the queued bytes have been in a packet.
func (s *Sender) sent() int64 { return s.queued - s.ctl.conn.BulkUnsent() }

// readAhead reads blocks until there are enough ahead of the network: half of
// the memory for a slow disk. The rest keeps what was sent lately, and may have
// to be sent again.
func (s *Sender) readAhead() {
	unacked := s.ctl.conn.BulkUnacked()
	s.cache.release(s.sent() - 2*unacked - blockSize)
	for {
		limit := maxReads
		if s.cache.loads > 0 {
			limit = 1
		}
		if s.reads >= limit || s.ctl.busy() {
			return
		}
		if s.cache.ahead(s.sent()) >= s.depth {
			s.held = true
			return
		}
		i, again := s.nextBlock()
		if i < 0 {
			return
		}
		sl := s.cache.newSlot(i, s.space, s.sent())
		if sl == nil {
			return
		}
		sl.again = again
		if again {
			s.resend = s.resend[1:]
		} else {
			s.next = i + 1
		}
		s.read(sl)
	}
}

// nextBlock is the block to read next, without taking it, or -1.
func (s *Sender) nextBlock() (i int64, again bool) {
	if len(s.resend) > 0 {
		return s.resend[0], true
	}
	for s.next < s.space.end() {
		if _, hi := s.space.block(s.next); hi > s.from && !s.sums.has(s.next) {
			return s.next, false
		}
		s.next++ // the receiver has it
	}
	return -1, false
}

func (s *Sender) read(sl *slot) {
	s.reads++
	var sum digest
	var err *Error
	s.run(func() { sum, err = s.file.readBlock(sl.buf[:sl.hi-sl.lo], sl.lo) }, func() {
		s.reads--
		if err != nil {
			s.fail(err)
			return
		}
		sl.ready = true
		s.hashes = append(s.hashes, blockSum{sl.index, sum})
		if !sl.again {
			s.sums.put(sl.index, sum)
		}
	})
}

// finish sends the root when every block was read and the file is still the
// one that was offered.
func (s *Sender) finish() {
	if s.phase != Moving || s.looking || s.reads > 0 || s.next < s.space.end() || len(s.hashes) > 0 || !s.sums.complete() {
		return
	}
	s.looking = true
	var err *Error
	s.run(func() { err = s.file.unchanged() }, func() {
		switch {
		case err != nil:
			s.fail(err)
		case s.phase == Moving:
			s.phase = Finishing
			root := s.sums.sum()
			s.ctl.send(msgEnd, func(b []byte) []byte { return append(b, root[:]...) })
		}
	})
}

func (s *Sender) wind() bool { return false }

func (s *Sender) release() { s.file.f.Close() }
