package transfer

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// takerPipe is one direction of the control stream.
type takerPipe struct{ sent, arrived []byte }

// takerConn is the sender's end of the connection.
type takerConn struct{ k *taker }

func (c takerConn) Read(p []byte) int {
	n := copy(p, c.k.toSender.arrived)
	c.k.toSender.arrived = c.k.toSender.arrived[n:]
	return n
}

func (c takerConn) Write(p []byte) int {
	w := &c.k.toTaker
	n := min(len(p), 64<<10-len(w.sent))
	w.sent = append(w.sent, p[:n]...)
	return n
}

func (c takerConn) Flushed() bool { return len(c.k.toTaker.sent) == 0 }

func (c takerConn) SendBulk(off, n int64) {
	c.k.fresh = append(c.k.fresh, takerRange{off, n})
	c.k.queued = append(c.k.queued, takerRange{off, n})
}

func (c takerConn) BulkUnsent() (n int64) {
	for _, r := range c.k.fresh {
		n += r.n
	}
	return n
}

func (c takerConn) BulkUnacked() (n int64) {
	for _, r := range c.k.lost {
		n += r.n
	}
	for _, p := range c.k.flight {
		n += int64(len(p.data))
	}
	return n
}

// takerWorks runs works.
type takerWorks interface {
	run(work, done func())
	round() bool // lets some end, and reports whether any did or can
	wait() bool  // waits until one ends, if there are any
}

// atOnce runs works in place.
type atOnce struct{}

func (atOnce) run(work, done func()) { work(); done() }
func (atOnce) round() bool           { return false }
func (atOnce) wait() bool            { return false }

// later runs works in an order that the seed decides, and their done later.
type later struct {
	rng          *rand.Rand
	works, dones []func()
}

func (l *later) run(work, done func()) {
	l.works = append(l.works, func() {
		work()
		l.dones = append(l.dones, done)
	})
}

func (l *later) round() bool {
	some := len(l.works)+len(l.dones) > 0
	for _, list := range []*[]func(){&l.dones, &l.works} {
		for len(*list) > 0 && l.rng.IntN(3) > 0 {
			i := l.rng.IntN(len(*list))
			f := (*list)[i]
			*list = slices.Delete(*list, i, i+1)
			f()
		}
	}
	return some
}

func (l *later) wait() bool { return false } // round has done what there is

// beside runs works on goroutines, as the program does.
type beside struct {
	works chan [2]func()
	dones chan func()
	busy  int
}

func newBeside(t *testing.T) *beside {
	b := &beside{works: make(chan [2]func(), 1024), dones: make(chan func(), 1024)}
	for range 4 {
		go func() {
			for f := range b.works {
				f[0]()
				b.dones <- f[1]
			}
		}()
	}
	t.Cleanup(func() { close(b.works) })
	return b
}

func (b *beside) run(work, done func()) {
	b.busy++
	b.works <- [2]func(){work, done}
}

func (b *beside) round() bool {
	select {
	case f := <-b.dones:
		b.busy--
		f()
		return true
	default:
		return false
	}
}

func (b *beside) wait() bool {
	if b.busy == 0 {
		return false
	}
	f := <-b.dones
	b.busy--
	f()
	return true
}
