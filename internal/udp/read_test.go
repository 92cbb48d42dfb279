package udp

import (
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestTransientReadErrorsDoNotEndReading(t *testing.T) {
	from, to := listen(t, Config{Addr: loopback4}), bound(t, Config{Addr: loopback4})
	failures := []error{syscall.ECONNREFUSED, syscall.ENOBUFS, syscall.EINTR, syscall.ENETDOWN}
	read := to.v4.read
	to.v4.read = func(r *Received) error {
		if len(failures) > 0 {
			err := failures[0]
			failures = failures[1:]
			return err
		}
		return read(r)
	}
	started(t, to)
	write(t, from, batchOf(addrOf(to), numbered(10)))
	receive(t, to, 1)
	if n := to.Stats().ReadErrors; n != 4 {
		t.Errorf("%d errors were counted, want 4", n)
	}
	if to.Err() != nil {
		t.Errorf("a transient error is reported as permanent: %v", to.Err())
	}
}

func TestBrokenFamilyEndsAndTells(t *testing.T) {
	s := bound(t, Config{Addr: loopback4})
	s.v4.read = func(*Received) error { return net.ErrClosed } // though nobody closed it
	started(t, s)
	if _, ok := <-s.Incoming(); ok {
		t.Fatal("received something from a broken socket")
	}
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "receiving") {
		t.Errorf("Err() = %v", err)
	}
}

// fakeSocket has no kernel socket: it reads from a function.
func fakeSocket(read func(*Received) error) *Socket {
	return &Socket{
		door:     door{v4: &family{conn: new(net.UDPConn), read: read}},
		pool:     newPool(1),
		incoming: make(chan *Received, 1),
		closing:  make(chan struct{}),
	}
}

func TestPersistentReadErrorDoesNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		s := fakeSocket(func(*Received) error {
			reads++
			return syscall.ENOBUFS
		})
		s.start()
		time.Sleep(time.Minute) // of the bubble
		synctest.Wait()
		if reads < 60 || reads > 75 {
			t.Errorf("%d reads in a minute, want about one a second", reads)
		}
		s.Close()
	})
}

func TestPauseEndsWhenPacketsArriveAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		s := fakeSocket(func(r *Received) error {
			reads++
			if reads%10 == 0 {
				r.trains = append(r.trains, train{})
				return nil
			}
			return syscall.ENOBUFS
		})
		start := time.Now()
		s.start()
		for range 5 {
			(<-s.Incoming()).Release()
		}
		// Nine errors cost 1 + 2 + 4 + … + 256 ms; without a reset the
		// pauses would reach a second.
		if took := time.Since(start); took != 5*511*time.Millisecond {
			t.Errorf("five rounds of nine errors took %v", took)
		}
		s.Close()
	})
}

func TestPoolIsBoundedAndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(2)
		a, b := p.take(), p.take()
		taken := make(chan *Received, 1)
		go func() { taken <- p.take() }()
		synctest.Wait()
		if len(taken) != 0 {
			t.Fatal("a pool of two gave a third buffer")
		}
		b.Release()
		if got := <-taken; got != b {
			t.Error("the buffer that came back was not given out")
		}
		a.Release()
		b.Release()
		if p.take() != b {
			t.Error("the buffer that came back last is given out last: it is the one in the cache")
		}
	})
}

func TestReusedBufferStartsEmpty(t *testing.T) {
	p := newPool(1)
	r := p.take()
	r.trains = append(r.trains, train{from: To(alice)})
	r.Release()
	if r = p.take(); r.Len() != 0 {
		t.Errorf("a reused buffer has %d packets", r.Len())
	}
}

func TestMemoryOfSocketIsBounded(t *testing.T) {
	if total := poolSize * slots * slotSize; total > 8<<20 {
		t.Errorf("the pool may take %d bytes, more than 8 MiB", total)
	}
}
