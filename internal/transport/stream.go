package transport

// maxStreams is the number of streams of a connection; they always exist.
const maxStreams = 4

// streamWindow is how many bytes of a stream the receiver holds at most.
// Streams carry control messages; bulk does not pass through them.
const streamWindow = 256 << 10

// streamBuffer bounds what Write takes before the peer acknowledges.
const streamBuffer = 256 << 10

// maxPieces bounds the gaps in what was received: messages of a few bytes, each
// in a packet of its own with every second one lost, have fewer, and a hostile
// peer's one-byte pieces would make every further one slower.
const maxPieces = 16 << 10

// sendStream keeps what was written until the peer has acknowledged it.
type sendStream struct {
	buf    []byte // buf[0] is the byte at base
	base   int64  // all bytes below are acknowledged
	next   int64  // first byte never sent
	limit  int64  // the peer takes bytes below this
	acked  rangeSet[int64]
	resend rangeSet[int64]
}

func (s *sendStream) write(p []byte) int {
	n := min(len(p), streamBuffer-len(s.buf))
	s.buf = append(s.buf, p[:n]...)
	return n
}

// pending reports whether there is something to send now.
func (s *sendStream) pending() bool {
	return len(s.resend) > 0 || s.next < min(s.base+int64(len(s.buf)), s.limit)
}

// take returns at most n bytes to send now; sent again first.
func (s *sendStream) take(n int) (off int64, data []byte) {
	end := min(s.base+int64(len(s.buf)), s.limit)
	if len(s.resend) > 0 {
		off, end = s.resend[0].low, s.resend[0].high
	} else {
		off = s.next
	}
	end = min(end, off+int64(n))
	if end <= off {
		return off, nil
	}
	s.resend.sub(off, end)
	s.next = max(s.next, end)
	return off, s.buf[off-s.base : end-s.base]
}

func (s *sendStream) onAck(off int64, n int) {
	end := off + int64(n)
	s.acked.add(off, end)
	s.resend.sub(off, end)
	if s.acked[0].low <= s.base && s.acked[0].high > s.base {
		done := s.acked[0].high - s.base
		s.buf = append(s.buf[:0], s.buf[done:]...)
		s.base = s.acked[0].high
	}
}

func (s *sendStream) onLost(off int64, n int) {
	end := off + int64(n)
	s.resend.add(max(off, s.base), end)
	for _, r := range s.acked {
		s.resend.sub(r.low, r.high)
	}
}

// receiveStream puts the peer's bytes in order.
type receiveStream struct {
	buf       []byte // buf[0] is the byte at base
	base      int64  // all bytes below were read
	have      rangeSet[int64]
	limit     int64 // what the peer was told it may send
	windowDue bool  // tell it more
}

// receive takes bytes of the peer. It returns an error if they are beyond the
// window, which no honest peer sends.
func (s *receiveStream) receive(off int64, data []byte) error {
	end := off + int64(len(data))
	if off < 0 || end > s.limit {
		return errFrame
	}
	if off < s.base {
		if end <= s.base {
			return nil
		}
		data = data[s.base-off:]
		off = s.base
	}
	if grow := end - s.base - int64(len(s.buf)); grow > 0 {
		s.buf = append(s.buf, make([]byte, grow)...)
	}
	copy(s.buf[off-s.base:], data)
	s.have.add(off, end)
	if len(s.have) > maxPieces {
		return errFrame
	}
	return nil
}

// read copies ordered bytes to p.
func (s *receiveStream) read(p []byte) int {
	if len(s.have) == 0 || s.have[0].low > s.base {
		return 0
	}
	n := copy(p, s.buf[:s.have[0].high-s.base])
	s.have.sub(s.base, s.base+int64(n))
	s.base += int64(n)
	s.buf = append(s.buf[:0], s.buf[n:]...)
	if s.base+streamWindow-s.limit >= streamWindow/2 {
		s.limit = s.base + streamWindow
		s.windowDue = true
	}
	return n
}

// stream is one ordered byte stream in each direction.
type stream struct {
	out sendStream
	in  receiveStream
}

func newStream() stream {
	return stream{
		out: sendStream{limit: streamWindow},
		in:  receiveStream{limit: streamWindow},
	}
}
