package transfer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"qft/internal/manifest"
)

// TestHolesOfAFileGoIntoAStream: a stream has no holes, so they are zeros in it.
func TestHolesOfAFileGoIntoAStream(t *testing.T) {
	from, _ := trees(t, spec{"holes": sparse(5*blockSize + 17)}, 1)
	want, err := os.ReadFile(filepath.Join(from, "holes"))
	if err != nil {
		t.Fatal(err)
	}
	for _, late := range []bool{false, true} {
		w := newWorld(t, 1)
		if late {
			w.exec = &delayed{rng: w.rng}
			w.link.batch = 30
		}
		var out bytes.Buffer
		w.connect(sending(items(t, from)...), ReceiverConfig{Stream: &out})
		w.wantDelivered()
		if !bytes.Equal(out.Bytes(), want) {
			t.Errorf("%d bytes came out of %d, or others", out.Len(), len(want))
		}
	}
}

// TestWrongBytesOfAStreamComeAgain: in their place, whatever comes meanwhile.
func TestWrongBytesOfAStreamComeAgain(t *testing.T) {
	b := content(5, 40<<20)
	src, _ := place(t, b)
	for name, sc := range map[string]func() SenderConfig{
		"stream": func() SenderConfig { return SenderConfig{Stream: bytes.NewReader(b)} },
		"file":   func() SenderConfig { return sending(src) },
	} {
		for _, into := range []string{"stream", "file"} {
			t.Run(name+" into "+into, func(t *testing.T) {
				w := newWorld(t, 5)
				w.exec = &delayed{rng: w.rng}
				n := 0
				w.link.corrupt = func(p packet) {
					if n++; n%9000 == 2000 {
						p.data[0] ^= 1
					}
				}
				var out bytes.Buffer
				dir := tempDir(t)
				rc := ReceiverConfig{Stream: &out}
				if into == "file" {
					rc = receiving(dir)
					rc.Plant.Name = "out"
				}
				w.connect(sc(), rc)
				w.wantDelivered()
				if w.s.Progress().Resent == 0 {
					t.Error("nothing was sent again")
				}
				if into == "file" {
					wantFile(t, filepath.Join(dir, "out"), b)
				} else if !bytes.Equal(out.Bytes(), b) {
					t.Error("other bytes came out")
				}
			})
		}
	}
}

// TestStreamIsBounded: what a stream will have is not known before, but what is
// allowed holds all the same.
func TestStreamIsBounded(t *testing.T) {
	l := lieIntoStream(t, ReceiverConfig{Stream: io.Discard, MaxBytes: 1000})
	l.say(msgOffer, appendOffer(nil, offer{flags: offersStream, count: count{1, 0, false}, items: 1, names: []string{"s"}}))
	l.entries(manifest.Entry{Kind: manifest.Stream, Name: "s", Mode: 0o644})
	b := content(1, 5000)
	l.announce(announcement{payload: 5000, sum: [32]byte(fileSum(b)), extents: []extent{{0, 0, 5000}}})
	l.bulk(0, b)
	wantKind(t, "receiver", l.end(), TooMuch, false)
}

// lieIntoStream is lie for a receiver that writes to a stream.
func lieIntoStream(t *testing.T, rc ReceiverConfig) *liar {
	t.Helper()
	rc.Memory = leastMemory
	r, err := NewReceiver(rc)
	if err != nil {
		t.Fatal(err)
	}
	l := &liar{t: t, r: r, now: time.Unix(1e9, 0), said: make(map[byte][][]byte)}
	r.Start(conn{&l.wire, &l.wire.toSender, &l.wire.toReceiver})
	t.Cleanup(r.Close)
	return l
}

// TestFailedFileForAStream: the only file cannot be sent after all.
func TestFailedFileForAStream(t *testing.T) {
	l := lieIntoStream(t, ReceiverConfig{Stream: io.Discard})
	l.offer("a")
	l.entries(file("a", 3*blockSize))
	l.say(msgFailed, appendFailed(nil, failing{0, reason{Changed, "it changed"}}))
	if err := l.end(); err == nil {
		l.say(msgEnd, appendEnd(nil, ending{entries: 1}))
		if done, err := l.r.Done(); done && err == nil {
			t.Error("a file that failed was received well")
		}
	}
}

// reader is a stream that a test describes step by step.
type reader struct {
	steps []any // bytes, or an error, or nil for nothing
}

func (r *reader) Read(p []byte) (int, error) {
	if len(r.steps) == 0 {
		return 0, io.EOF
	}
	switch v := r.steps[0].(type) {
	case []byte:
		n := copy(p, v)
		if r.steps[0] = v[n:]; n == len(v) {
			r.steps = r.steps[1:]
		}
		return n, nil
	case error:
		r.steps = r.steps[1:]
		return 0, v
	}
	r.steps = r.steps[1:]
	return 0, nil
}

// failWriter takes so many bytes.
type failWriter struct{ left int }

func (w *failWriter) Write(p []byte) (int, error) {
	if w.left < len(p) {
		n := w.left
		w.left = 0
		return n, io.ErrClosedPipe
	}
	w.left -= len(p)
	return len(p), nil
}

func TestStreamsThatMisbehave(t *testing.T) {
	long := content(3, 3<<20)
	for name, c := range map[string]struct {
		steps    []any
		room     int
		sent     Kind
		received Kind
	}{
		"nothing now and then": {[]any{nil, long, nil, nil, []byte("x"), nil}, 1 << 30, 0, 0},
		"nothing at all":       {nil, 0, 0, 0},
		"an error":             {[]any{long, errors.New("broken")}, 1 << 30, Unreadable, Unreadable},
		"an error at once":     {[]any{errors.New("broken")}, 1 << 30, Unreadable, Unreadable},
		"a closed pipe":        {[]any{content(1, 20<<20)}, 5 << 20, Broken, Broken},
		"never anything":       {make([]any, 1000), 1 << 30, Unreadable, Unreadable},
	} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprint(name, late), func(t *testing.T) {
				w := newWorld(t, 1)
				if late {
					w.exec = &delayed{rng: w.rng}
				}
				w.connect(SenderConfig{Stream: &reader{slices.Clone(c.steps)}}, ReceiverConfig{Stream: &failWriter{c.room}})
				sent, received := w.finish()
				if c.sent == 0 {
					if sent != nil || received != nil {
						t.Fatalf("sender: %v, receiver: %v", sent, received)
					}
					return
				}
				wantKind(t, "sender", sent, c.sent, c.sent == Broken)
				wantKind(t, "receiver", received, c.received, c.sent != Broken)
			})
		}
	}
}

// TestFilesAreClosedHoweverItEnds: what a transfer has opened it closes.
func TestFilesAreClosedHoweverItEnds(t *testing.T) {
	count := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err)
		}
		return len(list)
	}
	from, to := trees(t, mixed(4, 12<<20), 4)
	for name, run := range map[string]func(){
		"well": func() {
			w := newWorld(t, 1)
			w.connect(sending(items(t, from)...), receiving(filepath.Join(to)))
			w.wantDelivered()
			os.RemoveAll(filepath.Join(to, "t"))
			os.Remove(filepath.Join(to, "single"))
		},
		"stopped": func() {
			w := newWorld(t, 1)
			w.connect(sending(items(t, from)...), receiving(to))
			w.some(3 << 20)
			w.r.Stop(nil)
			w.r.Step(w.now)
			w.finish()
		},
		"closed": func() {
			w := newWorld(t, 1)
			w.connect(sending(items(t, from)...), receiving(to))
			w.some(3 << 20)
			w.close()
		},
		"stream stopped": func() {
			w := newWorld(t, 1)
			rc := receiving(to)
			rc.Plant.Name = "stream"
			w.connect(SenderConfig{Stream: bytes.NewReader(content(1, 9<<20))}, rc)
			w.some(3 << 20)
			w.r.Stop(nil)
			w.r.Step(w.now)
			w.finish()
		},
		"skip that does not fit": func() {
			sc := sending(filepath.Join(from, "single"))
			sc.Skip = 1 << 30
			if _, err := NewSender(sc); err == nil {
				t.Error("accepted")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer debug.SetGCPercent(debug.SetGCPercent(-1)) // which closes what was lost
			run()
			before := count()
			for range 5 {
				run()
			}
			if n := count() - before; n > 1 {
				var open []string
				list, _ := os.ReadDir("/proc/self/fd")
				for _, e := range list {
					p, _ := os.Readlink("/proc/self/fd/" + e.Name())
					open = append(open, p)
				}
				t.Errorf("%d more files are open after 5 transfers: %s", n, strings.Join(open, " "))
			}
		})
	}
}

// TestStreamSurvivesTheLossOfAWholeBlock: blocks that come early must not take
// the memory that the first one needs.
func TestStreamSurvivesTheLossOfAWholeBlock(t *testing.T) {
	b := content(5, 60<<20)
	src, _ := place(t, b)
	for name, sc := range map[string]SenderConfig{
		"stream": {Stream: bytes.NewReader(b)},
		"file":   sending(src),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 5)
			w.link.batch = 20_000
			lost := make(map[int64]bool)
			w.link.hold = func(p packet) bool {
				if i := p.off >> blockShift; i%10 == 3 && !lost[p.off] && len(lost) < 20_000 {
					lost[p.off] = true // and found to be after half a second
					w.link.again = append(w.link.again, extent64{p.off, int64(len(p.data))})
					return true
				}
				return false
			}
			sc.Memory = defaultMemory
			var out bytes.Buffer
			w.connect(sc, ReceiverConfig{Stream: &out})
			w.wantDelivered()
			if !bytes.Equal(out.Bytes(), b) {
				t.Error("other bytes came out")
			}
		})
	}
}
