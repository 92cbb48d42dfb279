package udp

import (
	"fmt"
	"net"
	"time"
)

// A read that fails is tried again after a pause, which doubles from the
// shortest to the longest while reads go on failing: most errors concern one
// packet, but one that stays must not keep a core busy.
const (
	shortestPause = time.Millisecond
	longestPause  = time.Second
)

// receive reads one family until the socket is closed or broken.
func (s *Socket) receive(f *family) {
	pause := shortestPause
	for {
		delivered, err := s.receiveOnce(f)
		switch {
		case delivered:
			pause = shortestPause
		case s.isClosing() || f.shut.Load():
			return
		case err == nil: // everything in it was truncated
		case broken(err) && f.await != nil:
			return
		case broken(err):
			s.notes.failed(fmt.Errorf("receiving: %w", err))
			return
		default:
			s.counts.readErrors.Add(1)
			s.wait(pause)
			pause = min(2*pause, longestPause)
		}
	}
}

// receiveOnce waits for packets and delivers them. A socket that is idle most of
// the time holds no buffer meanwhile: hundreds of them would empty the pool.
func (s *Socket) receiveOnce(f *family) (delivered bool, err error) {
	if f.await != nil && !f.busy.Load() {
		if err := f.await(); err != nil {
			return false, err
		}
	}
	r := s.pool.take()
	if r == nil {
		return false, net.ErrClosed
	}
	err = f.read(r)
	s.counts.reads.Add(1)
	if len(r.trains) == 0 {
		r.Release()
		return false, err
	}
	s.deliver(r)
	return true, nil
}

// deliver hands r to whoever reads Incoming. It never waits: the channel has a
// place for every buffer of the pool.
func (s *Socket) deliver(r *Received) {
	var bytes int
	for i := range r.trains {
		bytes += len(r.trains[i].data)
	}
	s.counts.received.Add(uint64(r.Len()))
	s.counts.receivedBytes.Add(uint64(bytes))
	s.incoming <- r
}

func (s *Socket) isClosing() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// wait returns after d, or when the socket is closed.
func (s *Socket) wait(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.closing:
	}
}
