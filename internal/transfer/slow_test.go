package transfer

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"qft/internal/lab"
	"qft/internal/secret"
	"qft/internal/transport"
	"qft/internal/udp"
)

// virtualDisk is a disk in the lab's time: it does one work after the other, each
// of which takes as long as the bytes that it writes.
type virtualDisk struct {
	w       *lab.World
	wake    func()
	rate    float64 // bytes per second
	queue   []job
	busy    bool
	written int64 // by the present work
	total   int64
	waiting int // works, at most
}

type job struct{ work, done func() }

func (d *virtualDisk) run(work, done func()) {
	d.queue = append(d.queue, job{work, done})
	d.waiting = max(d.waiting, len(d.queue))
	d.next()
}

func (d *virtualDisk) next() {
	if d.busy || len(d.queue) == 0 {
		return
	}
	d.busy = true
	j := d.queue[0]
	d.queue = d.queue[1:]
	d.written = 0
	j.work()
	d.total += d.written
	d.w.After(time.Duration(float64(d.written)/d.rate*1e9), func() {
		d.busy = false
		j.done()
		d.wake()
		d.next()
	})
}

// slowFile counts for the disk.
type slowFile struct {
	dataFile
	d *virtualDisk
}

func (f *slowFile) WriteAt(p []byte, off int64) (int, error) {
	f.d.written += int64(len(p))
	return f.dataFile.WriteAt(p, off)
}

// wired is one side of a transfer over a real connection, as one machine.
type wired struct {
	*transport.Conn
	engine interface {
		Step(time.Time)
		Deadline() time.Time
	}
	each func()
}

func (m wired) Read(p []byte) int  { return m.Conn.Read(0, p) }
func (m wired) Write(p []byte) int { return m.Conn.Write(0, p) }
func (m wired) Flushed() bool      { return m.Conn.Flushed(0) }

func (m wired) Send(now time.Time, b *udp.Batch) {
	m.engine.Step(now)
	m.Conn.Send(now, b)
	m.each()
}

func (m wired) Deadline() time.Time {
	a, b := m.Conn.Deadline(), m.engine.Deadline()
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// connections are the two ends of one that has been agreed on.
func connections(t *testing.T, w *lab.World, a, b *lab.Host) (ca, cb *transport.Conn) {
	t.Helper()
	p, err := secret.Parse("7-acid-robot-zebra")
	if err != nil {
		t.Fatal(err)
	}
	i, m1, err := secret.NewInitiator(w.Entropy(), p, []byte("test"), true)
	if err != nil {
		t.Fatal(err)
	}
	r, m2, err := secret.NewResponder(w.Entropy(), p, []byte("test"), m1, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	m3, sa, _, err := i.Finish(m2, nil)
	if err != nil {
		t.Fatal(err)
	}
	sb, _, err := r.Finish(m3)
	if err != nil {
		t.Fatal(err)
	}
	ca = transport.NewConn(w.Now(), transport.Config{Rand: w.Entropy(), Sealer: sa.Sealer(), Opener: sa.Opener(),
		SendID: 1, ReceiveID: 2, Remote: b.AddrPort(false, 1)})
	cb = transport.NewConn(w.Now(), transport.Config{Rand: w.Entropy(), Sealer: sb.Sealer(), Opener: sb.Opener(),
		SendID: 2, ReceiveID: 1, Remote: a.AddrPort(false, 1)})
	return ca, cb
}

// TestSlowDiskSlowsTheSenderOverAConnection has a disk of 5 MB/s behind a path of 12.5 MB/s:
// the sender goes at the disk's rate, next to nothing is sent in vain, and the
// memory on both sides stays what it was given.
func TestSlowDiskSlowsTheSenderOverAConnection(t *testing.T) {
	const rate, size = 5e6, 96 << 20
	for _, c := range []struct {
		rtt   time.Duration
		loss  float64
		slack float64 // what time and bytes may be beyond the ideal, as a share
	}{
		{40 * time.Millisecond, 0, 0.06}, {40 * time.Millisecond, 0.1, 0.08}, {time.Second, 0, 0.25},
		// More is on its way here than there is memory when the disk falls
		// behind, and every block has a gap: some has to be refused.
		{time.Second, 0.1, 0.45},
	} {
		t.Run(fmt.Sprintf("RTT %v, loss %.1f", c.rtt, c.loss), func(t *testing.T) {
			t.Parallel()
			w := lab.New(5)
			line := lab.Link{Rate: 100e6, Delay: c.rtt / 2, Loss: c.loss, Queue: max(100*time.Millisecond, c.rtt)}
			a, b := w.Host(nil, lab.HostConfig{Up: line, Down: line}), w.Host(nil, lab.HostConfig{})
			want := content(3, size)
			src, dir := place(t, want)
			d := &virtualDisk{w: w, rate: rate, wake: func() { b.Wake(1) }}
			s, err := NewSender(SenderConfig{Path: src})
			if err != nil {
				t.Fatal(err)
			}
			r, err := NewReceiver(ReceiverConfig{Config: Config{Go: d.run}, Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			ca, cb := connections(t, w, a, b)
			ca.SetSource(s)
			cb.SetSink(r)
			peak := 0
			each := func() {
				if _, is := r.disk.data.(*slowFile); r.disk.data != nil && r.asm.file != nil && !is {
					r.disk.data = &slowFile{r.disk.data, d}
					r.asm.file = r.disk.data
				}
				peak = max(peak, r.asm.pool.used)
				if r.asm.pool.used+len(r.asm.pool.idle) > r.asm.pool.limit || s.cache.blocks.used > s.cache.blocks.limit {
					t.Fatal("more buffers than allowed")
				}
			}
			s.Start(wired{ca, s, each})
			r.Start(wired{cb, r, each})
			start := w.Elapsed()
			a.Bind(1, wired{ca, s, each})
			b.Bind(1, wired{cb, r, each})
			// In the middle the buffers are full, and all is in balance.
			w.Run(9*time.Second, nil)
			before, waits, safe := ca.Stats(), ca.Waits(w.Now()), r.safe.bytes
			w.Run(6*time.Second, nil)
			after, waited := ca.Stats(), ca.Waits(w.Now())[transport.WaitPeer]-waits[transport.WaitPeer]
			written := float64(r.safe.bytes-safe) / 6
			sent := float64(after.SentBytes-before.SentBytes) / 6
			ended := func() bool {
				x, _ := s.Done()
				y, _ := r.Done()
				return x && y
			}
			if !w.Run(2*time.Minute, ended) {
				t.Fatalf("not done: phases %d and %d, %d bytes safe", s.phase, r.phase, r.safe.bytes)
			}
			took := w.Elapsed() - start
			s.Close()
			r.Close()
			wantFile(t, filepath.Join(dir, "file.bin"), want)
			total := float64(ca.Stats().SentBytes) * (1 - c.loss) / size
			t.Logf("%v (%.1f MB/s); in the middle %.1f MB/s written, %.1f MB/s sent, %.0f %% of the time waiting for the peer; %d of %d buffers at most; %.3f times the file sent and not lost, %d packets refused",
				took, size/took.Seconds()/1e6, written/1e6, sent/1e6, 100*waited.Seconds()/6, peak, r.asm.pool.limit, total, cb.Stats().Refused)
			if ideal := size / rate; took.Seconds() > (1+c.slack)*ideal || took.Seconds() < ideal*0.97 {
				t.Errorf("%v for what the disk takes %.1f s", took, ideal)
			}
			if most := (1.12 + c.slack) * rate / (1 - c.loss); sent > most {
				t.Errorf("%.0f B/s were sent to a disk of %.0f", sent, rate)
			}
			if waited < 2*time.Second {
				t.Errorf("of 6 s only %v were spent waiting for the peer", waited)
			}
			if total > 1.03+c.slack {
				t.Errorf("%.3f times the file were sent and not lost", total)
			}
		})
	}
}
