package main

import (
	"os"
	"sync"
	"time"
)

// pacer writes to a terminal in a goroutine of its own: a terminal that is slow,
// or that somebody has stopped with Ctrl-S, holds up no transfer. Both outputs
// of a terminal go through one, so that they keep their order.
type pacer struct {
	f *os.File

	mu      sync.Mutex
	changed sync.Cond
	queue   []byte
	writing bool
	took    time.Duration // by the last write
}

// mostQueued is how many bytes wait at most before writers wait too.
const mostQueued = 1 << 20

func newPacer(f *os.File) *pacer {
	p := &pacer{f: f}
	p.changed.L = &p.mu
	return p
}

func (p *pacer) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.queue) >= mostQueued {
		p.changed.Wait()
	}
	p.queue = append(p.queue, b...)
	if !p.writing {
		p.writing = true
		go p.write()
	}
	return len(b), nil
}

func (p *pacer) write() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.queue) > 0 {
		b := p.queue
		p.queue = nil
		p.changed.Broadcast()
		p.mu.Unlock()
		began := time.Now()
		p.f.Write(b) // a terminal that is gone takes nothing, and nobody misses it
		took := time.Since(began)
		p.mu.Lock()
		p.took = took
	}
	p.writing = false
	p.changed.Broadcast()
}

// ready reports whether all is written, and how long the last write took.
// Without a pacer nothing waits.
func (p *pacer) ready() (took time.Duration, ok bool) {
	if p == nil {
		return 0, true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.took, !p.writing
}

// flush returns when all is written.
func (p *pacer) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.writing {
		p.changed.Wait()
	}
}

// sameFile reports whether two outputs lead to one place.
func sameFile(a, b *os.File) bool {
	x, err := a.Stat()
	if err != nil {
		return false
	}
	y, err := b.Stat()
	return err == nil && os.SameFile(x, y)
}
