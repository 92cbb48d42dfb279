package udp

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Stats is what a Socket has done so far, both families together. Packets are
// UDP datagrams, bytes are UDP payload.
type Stats struct {
	Received, ReceivedBytes uint64
	Reads                   uint64 // system calls that Received took
	Truncated               uint64 // datagrams dropped because they did not fit or could not be cut apart
	ReadErrors              uint64 // failed reads after which reading went on

	Sent, SentBytes uint64
	Writes          uint64 // system calls that Sent took
	TooBig          uint64 // packets not sent: larger than the MTU of the interface
	Refused         uint64 // packets not sent for any other reason
	LastRefusal     error  // reason of the latest in Refused

	Offload                 bool // packets are sent in trains
	Merging                 bool // packets are received in trains
	ReadBuffer, WriteBuffer int  // bytes that the kernel granted, the smaller family's
}

// Stats returns the figures so far. They are read one after the other, so that
// they may differ by what happens in between.
func (s *Socket) Stats() Stats {
	c := &s.counts
	st := Stats{
		Received: c.received.Load(), ReceivedBytes: c.receivedBytes.Load(),
		Reads: c.reads.Load(), Truncated: c.truncated.Load(), ReadErrors: c.readErrors.Load(),
		Sent: c.sent.Load(), SentBytes: c.sentBytes.Load(),
		Writes: c.writes.Load(), TooBig: c.tooBig.Load(), Refused: c.refused.Load(),
		Merging: c.merging.Load(), Offload: s.trains(s.v4) || s.trains(s.v6),
	}
	s.notes.Lock()
	defer s.notes.Unlock()
	st.LastRefusal = s.notes.refusal
	st.ReadBuffer, st.WriteBuffer = s.notes.readBuffer, s.notes.writeBuffer
	return st
}

// counters are the figures that change per packet.
type counters struct {
	received, receivedBytes, reads, truncated, readErrors atomic.Uint64
	sent, sentBytes, writes, tooBig, refused              atomic.Uint64
	merging                                               atomic.Bool
}

// notes is what changes rarely: the state that people are told of.
type notes struct {
	sync.Mutex
	hints                   []string
	err                     error
	refusal                 error
	readBuffer, writeBuffer int
}

func (n *notes) hint(text string) {
	n.Lock()
	defer n.Unlock()
	// Both families say the same about one machine; once is enough.
	if !slices.Contains(n.hints, text) {
		n.hints = append(n.hints, text)
	}
}

func (n *notes) refused(err error) {
	n.Lock()
	defer n.Unlock()
	n.refusal = err
}

func (n *notes) failed(err error) {
	n.Lock()
	defer n.Unlock()
	n.err = err
}

// tuned records the outcome of tuning one family.
func (n *notes) tuned(t tuning) {
	for _, h := range t.hints {
		n.hint(h)
	}
	n.Lock()
	defer n.Unlock()
	if n.readBuffer == 0 || t.readBuffer < n.readBuffer {
		n.readBuffer = t.readBuffer
	}
	if n.writeBuffer == 0 || t.writeBuffer < n.writeBuffer {
		n.writeBuffer = t.writeBuffer
	}
}
