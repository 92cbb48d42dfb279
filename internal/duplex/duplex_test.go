package duplex

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"qft/internal/lab"
	"qft/internal/peer"
	"qft/internal/transfer"
)

func line(mbit float64, rtt time.Duration, loss float64) lab.Link {
	return lab.Link{Rate: mbit * 1e6, Delay: rtt / 2, Loss: loss, Queue: max(100*time.Millisecond, rtt)}
}

// TestStreamFillsALongPath: the window is enough for 100 Mbit/s over a second,
// and for what losses hold up.
func TestStreamFillsALongPath(t *testing.T) {
	if underRace {
		t.Skip("long simulation: runs without -race")
	}
	for _, c := range []struct {
		rtt   time.Duration
		loss  float64
		share float64 // of the line
	}{
		{20 * time.Millisecond, 0, 0.9}, {200 * time.Millisecond, 0, 0.9}, {200 * time.Millisecond, 0.01, 0.85},
		{200 * time.Millisecond, 0.1, 0.75}, {time.Second, 0, 0.85},
	} {
		t.Run(fmt.Sprintf("RTT %v, loss %.2f", c.rtt, c.loss), func(t *testing.T) {
			t.Parallel()
			l := line(100, c.rtt, c.loss)
			p := newPair(t, 1, l, l)
			p.a.toWrite = 1 << 40
			warm := 3*time.Second + 10*c.rtt
			p.Run(warm, nil)
			before := p.b.read
			const over = 6 * time.Second
			p.Run(over, nil)
			rate := float64(p.b.read-before) * 8 / over.Seconds()
			t.Logf("%.1f Mbit/s of 100", rate/1e6)
			if rate < c.share*100e6 || p.b.wrong > 0 {
				t.Errorf("%.1f Mbit/s, %d wrong bytes", rate/1e6, p.b.wrong)
			}
		})
	}
}

// TestStreamBothWaysOverABadPath: from seeds, all bytes, in order, and both
// ends.
func TestStreamBothWaysOverABadPath(t *testing.T) {
	for seed := range uint64(4) {
		l := line(20, time.Duration(20+seed*60)*time.Millisecond, 0.02*float64(seed))
		l.Jitter = time.Duration(seed) * 3 * time.Millisecond
		p := newPair(t, seed, l, l)
		p.a.toWrite, p.b.toWrite = 3<<20+int64(seed), 5<<20
		p.until(time.Minute, "both ends", func() bool { return p.a.eof && p.b.eof })
		if p.a.read != p.b.wrote || p.b.read != p.a.wrote || p.a.wrong+p.b.wrong > 0 {
			t.Errorf("seed %d: read %d of %d and %d of %d, %d wrong", seed, p.a.read, p.b.wrote, p.b.read, p.a.wrote, p.a.wrong+p.b.wrong)
		}
		p.hang(p.a)
		p.hang(p.b)
		p.until(20*time.Second, "the end of both", func() bool { return p.a.done && p.b.done })
		if err := errors.Join(p.a.end.Flaw(), p.b.end.Flaw()); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

// TestStreamHoldsBackAWriterWhoIsNotRead: within a window on both sides.
func TestStreamHoldsBackAWriterWhoIsNotRead(t *testing.T) {
	l := line(100, 20*time.Millisecond, 0)
	p := newPair(t, 1, l, l)
	p.a.toWrite, p.b.idle = 1<<40, true
	p.Run(10*time.Second, nil)
	if p.a.wrote > Window {
		t.Errorf("%d bytes were taken of a writer whom nobody reads", p.a.wrote)
	}
	for _, w := range []*window{&p.a.end.out.window, &p.b.end.in.window} {
		if n := (len(w.chunks) + len(w.spare)) * chunkSize; n > Window+maxSpare*chunkSize+chunkSize {
			t.Errorf("%d bytes are held", n)
		}
	}
	p.b.idle = false
	p.b.host.Wake(port)
	p.until(10*time.Second, "what was held back", func() bool { return p.b.read > 3*Window })
	if p.b.wrong > 0 {
		t.Errorf("%d wrong bytes", p.b.wrong)
	}
}

// TestStreamWaitsOutAnOutage, in which nobody is told of an end.
func TestStreamWaitsOutAnOutage(t *testing.T) {
	l := line(20, 50*time.Millisecond, 0)
	p := newPair(t, 1, l, l)
	p.a.toWrite = 12 << 20
	p.until(20*time.Second, "some of it", func() bool { return p.b.read > 2<<20 })
	p.a.host.Up().Set(lab.Link{Loss: 1})
	p.Run(time.Minute, nil)
	p.a.host.Up().Set(l)
	p.until(30*time.Second, "the rest", func() bool { return p.b.eof })
	if p.b.read != p.a.wrote || p.b.wrong > 0 {
		t.Errorf("%d of %d bytes, %d wrong", p.b.read, p.a.wrote, p.b.wrong)
	}
}

// TestStreamCloseIsBounded where nobody answers, and says what is missing.
func TestStreamCloseIsBounded(t *testing.T) {
	l := line(20, 50*time.Millisecond, 0)
	p := newPair(t, 1, l, l)
	p.a.toWrite = 12 << 20
	p.until(20*time.Second, "some of it", func() bool { return p.b.read > 2<<20 })
	p.a.host.Up().Set(lab.Link{Loss: 1})
	p.hang(p.a)
	took := p.until(time.Minute, "the end", func() bool { return p.a.done })
	var flaw *transfer.Error
	if !errors.As(p.a.end.Flaw(), &flaw) || flaw.Err != ErrLate || took > flushPatience+2*time.Second {
		t.Errorf("after %v: %v", took, p.a.end.Flaw())
	}
}

// TestStreamHalfClosed: one direction has ended, the other goes on for long.
func TestStreamHalfClosed(t *testing.T) {
	l := line(20, 50*time.Millisecond, 0.05)
	p := newPair(t, 1, l, l)
	p.a.toWrite = 1000
	p.until(10*time.Second, "one end", func() bool { return p.b.eof })
	p.Run(time.Minute, nil)
	p.b.toWrite = 4 << 20
	p.b.host.Wake(port)
	p.until(20*time.Second, "the other", func() bool { return p.a.eof })
	if p.a.read != 4<<20 || p.a.wrong > 0 {
		t.Errorf("%d bytes, %d wrong", p.a.read, p.a.wrong)
	}
}

// liar is a connection whose peer says what the test wants.
type liar struct {
	peer.Link
	say []byte
}

func (l *liar) Read(p []byte) int {
	n := copy(p, l.say)
	l.say = l.say[n:]
	return n
}
func (l *liar) Write(p []byte) int       { return len(p) }
func (l *liar) Flushed() bool            { return true }
func (l *liar) SendBulk(off, n int64)    {}
func (l *liar) BulkUnsent() (n int64)    { return 0 }
func (l *liar) BulkUnacked() (n int64)   { return 0 }
func message(typ byte, b ...byte) []byte { c := control{}; c.send(typ, b...); return c.out }
func number(typ byte, v int64) []byte    { c := control{}; c.sendOffset(typ, v); return c.out }

// told is an End after its peer has said something.
func told(say ...[]byte) (*End, error) {
	l := &liar{}
	for _, b := range say {
		l.say = append(l.say, b...)
	}
	e := New(func(work, done func()) {}, func() {})
	e.Start(l)
	now := time.Unix(1e9, 0)
	e.Step(now)
	e.Step(now.Add(tellPatience))
	return e, e.Flaw()
}

func TestStreamOfALiar(t *testing.T) {
	hello := message(msgStream, version)
	for _, c := range []struct {
		name string
		say  [][]byte
		kind transfer.Kind
	}{
		{"nothing", nil, 0},
		{"hello", [][]byte{hello}, 0},
		{"another version", [][]byte{message(msgStream, version+1)}, transfer.Version},
		{"an empty hello", [][]byte{message(msgStream)}, transfer.Version},
		{"an offer of files", [][]byte{append([]byte{0, 0, 1, 0, 1}, make([]byte, 256)...)}, transfer.Foreign},
		{"a rejection", [][]byte{message(3, 21, 0, 0)}, transfer.Foreign},
		{"hello twice", [][]byte{hello, hello}, transfer.Protocol},
		{"READ of what was not sent", [][]byte{hello, number(msgRead, 1)}, transfer.Protocol},
		{"READ without a number", [][]byte{hello, message(msgRead, 1)}, transfer.Protocol},
		{"an endless END", [][]byte{hello, number(msgEnd, Window+1)}, transfer.Protocol},
		{"END beyond everything", [][]byte{hello, number(msgEnd, -1)}, transfer.Protocol},
		{"two ENDs", [][]byte{hello, number(msgEnd, 1), number(msgEnd, 1)}, transfer.Protocol},
		{"CLOSED twice", [][]byte{hello, message(msgClosed), message(msgClosed)}, transfer.Protocol},
		{"something unknown", [][]byte{hello, message(0x60)}, transfer.Protocol},
		{"something long", [][]byte{hello, append([]byte{0, 1, 0, 0, 0x41}, make([]byte, 100)...)}, transfer.Protocol},
	} {
		e, err := told(c.say...)
		if c.kind == 0 {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		var f *transfer.Error
		if done, _ := e.Done(); !errors.As(err, &f) || f.Kind != c.kind || !done {
			t.Errorf("%s: %v, done %v", c.name, err, done)
		}
	}
}

// TestStreamTakesNoMoreThanAWindow of bulk, wherever it is said to belong.
func TestStreamTakesNoMoreThanAWindow(t *testing.T) {
	e, _ := told(message(msgStream, version))
	for _, c := range []struct {
		off  int64
		n    int
		want bool
	}{{0, 10, true}, {Window - 10, 10, true}, {Window - 9, 10, false}, {1 << 40, 1, false}, {0, 10, true}} {
		if got := e.WriteBulk(make([]byte, c.n), c.off); got != c.want {
			t.Errorf("%d bytes at %d: %v", c.n, c.off, got)
		}
	}
	refused := 0
	for i := int64(20); i < 4*maxPieces; i += 2 {
		if !e.WriteBulk([]byte{1}, i) {
			refused++
		}
	}
	if len(e.in.have) > maxPieces || refused == 0 {
		t.Errorf("%d pieces, %d refused", len(e.in.have), refused)
	}
}

// FuzzStreamControl: whatever a peer says, an End neither panics nor holds more
// than a message.
func FuzzStreamControl(f *testing.F) {
	hello := message(msgStream, version)
	f.Add(hello)
	f.Add(append(hello, number(msgEnd, 5)...))
	f.Add(append(append(hello, number(msgRead, 0)...), message(msgClosed)...))
	f.Fuzz(func(t *testing.T, say []byte) {
		e, _ := told(say)
		if len(e.ctl.in) > frameHeader+maxBody {
			t.Errorf("%d bytes are held", len(e.ctl.in))
		}
		e.WriteBulk([]byte("abc"), 1)
		e.Stop(nil)
		if _, err := e.Read(make([]byte, 3)); err == nil && e.in.ended && e.in.end == 0 {
			t.Error("read behind the end")
		}
	})
}
