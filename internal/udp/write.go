package udp

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Limits of a train. The kernel takes 64 segments (128 from Linux 6.9 on), and
// as much as one IPv4 datagram could hold.
const maxTrain = 64

// writeWait bounds how long Write waits for room in the kernel's send buffer:
// between once and twice as long. A network card that stands still must not
// hold up the loop, which has timers to keep.
const writeWait = 250 * time.Millisecond

var errNoFamily = errors.New("no socket of this address family")

// Write sends the packets of b in order, but for those that go over lines. A
// packet that the system refuses to send is skipped and counted in Stats; the
// error is only for a socket that is closed (net.ErrClosed) or broken. Addresses
// may be IPv4, IPv6, or IPv4 mapped into IPv6. The caller keeps b.
func (s *Socket) Write(b *Batch) error {
	now := time.Now()
	for i := 0; i < b.Len(); {
		if b.spans[i].to.IsLine() {
			i++
			continue
		}
		to := unmap(b.spans[i].to.Remote)
		if to.Addr().IsMulticast() {
			s.call(b.At(i).Data, to)
			i++
			continue
		}
		f := s.family(b.spans[i].to)
		if f == nil {
			s.refused(1, errNoFamily)
			i++
			continue
		}
		f.patience(now)
		end := i + 1
		var err error
		switch {
		case f.many != nil:
			end, err = s.sendMany(f, b, i)
		case s.trains(f):
			end = b.train(i)
			fallthrough
		default:
			err = s.send(f, b, i, end, to)
		}
		if err != nil {
			return fmt.Errorf("sending: %w", err)
		}
		i = end
	}
	return nil
}

// family is the kernel socket for a path, nil if there is none.
func (s *Socket) family(p Path) *family {
	d := s.at(p.Local)
	switch {
	case d == nil && p.Remote.Addr().Unmap().Is4():
		return s.furtherAt(p.Local)
	case d == nil:
		return nil
	case unmap(p.Remote).Addr().Is6():
		return d.v6
	}
	return d.v4
}

// maxMany is how many packets leave in one system call at most.
const maxMany = 64

// sendMany sends packet i and those behind it that leave through the same
// socket, and returns the first that was not tried.
func (s *Socket) sendMany(f *family, b *Batch, i int) (end int, err error) {
	end = i + 1
	for end < b.Len() && end < i+maxMany && s.family(b.spans[end].to) == f {
		end++
	}
	for i < end {
		n, err := f.many(b, i, end)
		s.counts.writes.Add(1)
		s.sent(n, len(b.bytes(i, i+n)))
		i += n
		switch {
		case err == nil:
		case broken(err):
			return i, err
		default: // it concerns the packet at i
			s.refused(1, err)
			i++
		}
	}
	return end, nil
}

// trains reports whether f sends several packets at once.
func (s *Socket) trains(f *family) bool {
	return f != nil && f.train != nil && s.segmenting.Load()
}

// send sends packets [i, end), which are fit for a train.
func (s *Socket) send(f *family, b *Batch, i, end int, to netip.AddrPort) error {
	if end-i == 1 {
		_, err := s.sendSingly(f, b, i, end, to)
		return err
	}
	data, size := b.bytes(i, end), len(b.At(i).Data)
	err := f.train(data, to, size)
	s.counts.writes.Add(1)
	switch {
	case err == nil:
		s.sent(end-i, len(data))
		return nil
	case broken(err):
		return err
	case concernsRoute(err):
		s.refused(end-i, err)
		return nil
	}
	n, singly := s.sendSingly(f, b, i, end, to)
	// If the packets are too big, at most the shorter last one passes. If more
	// do, then segmentation was what the system did not like: EIO without
	// checksum offload or with IPsec, EINVAL from some drivers.
	if n > 1 {
		s.StopOffload(fmt.Sprintf("the system refused it: %v", err))
	}
	return singly
}

// sendSingly sends packets [i, end) one by one and returns how many left.
func (s *Socket) sendSingly(f *family, b *Batch, i, end int, to netip.AddrPort) (n int, err error) {
	bytes := 0
	for ; i < end; i++ {
		p := b.At(i)
		err := f.one(p.Data, to)
		s.counts.writes.Add(1)
		switch {
		case err == nil:
			n++
			bytes += len(p.Data)
		case broken(err):
			return n, err
		default:
			s.refused(1, err)
		}
	}
	s.sent(n, bytes)
	return n, nil
}

func (s *Socket) sent(packets, bytes int) {
	s.counts.sent.Add(uint64(packets))
	s.counts.sentBytes.Add(uint64(bytes))
}

func (s *Socket) refused(packets int, err error) {
	if exceedsMTU(err) {
		s.counts.tooBig.Add(uint64(packets))
		return
	}
	s.counts.refused.Add(uint64(packets))
	s.notes.refused(err)
}

// patience sets the deadline after which a Write under way stops waiting and
// the rest of its packets count as refused. It is moved only when less than
// writeWait is left, so that most calls pay for reading the clock alone.
func (f *family) patience(now time.Time) {
	if f.writeBy.Sub(now) >= writeWait {
		return
	}
	f.writeBy = now.Add(2 * writeWait)
	_ = f.conn.SetWriteDeadline(f.writeBy) // fails on a closed socket, and so will the write
}

// train returns the end of the longest train that starts at packet i: packets
// to one destination, all of one size but for the last, which may be shorter.
// Empty packets travel alone.
func (b *Batch) train(i int) int {
	to, size := b.spans[i].to, len(b.At(i).Data)
	total := size
	for j := i + 1; j < len(b.spans) && j < i+maxTrain; j++ {
		n := b.spans[j].end - b.spans[j-1].end
		total += n
		if n == 0 || n > size || total > MaxPayload || b.spans[j].to != to {
			return j
		}
		if n < size {
			return j + 1
		}
	}
	return min(i+maxTrain, len(b.spans))
}

// bytes returns packets [i, end) in one piece.
func (b *Batch) bytes(i, end int) []byte {
	if i == end {
		return nil
	}
	start := 0
	if i > 0 {
		start = b.spans[i-1].end
	}
	return b.buf[start:b.spans[end-1].end]
}

func unmap(a netip.AddrPort) netip.AddrPort {
	if a.Addr().Is4In6() {
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	}
	return a
}
