package transfer

import (
	"sync/atomic"
	"time"

	"github.com/zeebo/blake3"
)

// countPeriod is how often the receiver is told how far counting is.
const countPeriod = 250 * time.Millisecond

// counting is how much there is to send, as far as that is known. Directories
// are gone through twice: once as quickly as possible, to count, and once as
// fast as entries can be told.
type counting struct {
	files, bytes atomic.Int64 // written while the work goes on
	done         bool         // and they are all there is
	told         count        // as the receiver knows it
	look         time.Time    // when to look for news; zero: there is none to come
}

// offerOf is the offer of things with these names.
func offerOf(names []string) offer {
	h := blake3.New()
	for _, n := range names {
		h.Write(append([]byte(n), 0)) // a hash.Hash never returns an error
	}
	o := offer{items: len(names)}
	copy(o.label[:], h.Sum(nil))
	for _, n := range names[:min(len(names), maxNames)] {
		o.names = append(o.names, n[:min(len(n), maxWireName)])
	}
	return o
}

// startCount starts to count.
func (s *Sender) startCount() {
	c := &s.count
	if c.done {
		return
	}
	var err error
	s.run(func() {
		err = s.tree.walk.Count(s.ctx, func(files, bytes int64) {
			c.files.Store(files)
			c.bytes.Store(bytes)
		})
	}, func() { c.done = err == nil })
}

// counted is what is known now. The entries themselves have the last word; what
// a stream has is known when it has ended.
func (s *Sender) counted() count {
	c := &s.count
	t := &s.tree
	switch {
	case s.feed != nil:
		return count{1, t.bytes, t.ended && t.folded()}
	case t.ended:
		return count{t.files, t.bytes, true}
	}
	return count{max(c.files.Load(), t.files), max(c.bytes.Load(), t.bytes), c.done}
}

// tellCount tells the receiver what was counted, now and then, or at once if it
// is the last word.
func (s *Sender) tellCount(last bool) {
	c := &s.count
	now := s.counted()
	if s.now.Before(c.look) && !now.final && !last {
		return
	}
	if now != c.told && s.phase < Finishing {
		c.told = now
		s.ctl.send(msgCount, func(b []byte) []byte { return appendCount(b, now) })
	}
	c.look = time.Time{}
	if !now.final {
		c.look = s.now.Add(countPeriod)
	}
}
