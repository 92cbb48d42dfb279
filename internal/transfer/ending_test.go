package transfer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qft/internal/plant"
)

// some lets a world go on until so many bytes are safe.
func (w *world) some(bytes int64) {
	w.t.Helper()
	for range 100_000 {
		if w.r.safe.bytes >= bytes {
			return
		}
		w.round()
		if done, err := w.r.Done(); done {
			w.t.Fatalf("ended too early: %v", err)
		}
	}
	w.t.Fatalf("only %d bytes are safe", w.r.safe.bytes)
}

// TestStoppedTransferTellsAndContinues: whoever stops, the other side is told,
// all that had arrived is in the journal, and the next run sends none of it.
func TestStoppedTransferTellsAndContinues(t *testing.T) {
	for _, who := range []string{"sender", "receiver", "lost"} {
		t.Run(who, func(t *testing.T) {
			tree := mixed(4, 20<<20)
			delete(tree, "t/holes") // is told again, and costs nothing
			from, to := trees(t, tree, 4)
			w := newWorld(t, 4)
			w.exec = &delayed{rng: w.rng}
			w.connect(sending(items(t, from)...), receiving(to))
			w.some(6 << 20)
			switch who {
			case "sender":
				w.s.Stop(nil)
			case "receiver":
				w.r.Stop(nil)
			case "lost":
				w.s.PeerClosed(errors.New("no contact"))
				w.r.PeerClosed(errors.New("no contact"))
			}
			w.s.Step(w.now)
			w.r.Step(w.now)
			sent, received := w.finish()
			kind := Canceled
			if who == "lost" {
				kind = Lost
			}
			wantKind(t, "sender", sent, kind, who == "receiver")
			wantKind(t, "receiver", received, kind, who == "sender")
			safe := w.r.safe.bytes
			wantNothingFinal(t, to)

			again := newWorld(t, 5)
			again.connect(sending(items(t, from)...), receiving(to))
			again.wantDelivered()
			if p := again.r.Progress(); p.Resumed != safe {
				t.Errorf("%d bytes resumed, want all %d that were safe", p.Resumed, safe)
			}
			wantTree(t, from, to)
		})
	}
}

// TestWhatIsThereIsKnownBeforeItIsShown: however slow the disk is, what is shown
// of a transfer that goes on says first of all how much of it is there.
func TestWhatIsThereIsKnownBeforeItIsShown(t *testing.T) {
	for seed := range uint64(20) {
		from, to := trees(t, spec{"film": noise(seed, 6<<20)}, 4)
		w := newWorld(t, seed)
		w.connect(sending(items(t, from)...), receiving(to))
		w.some(3 << 20)
		w.s.PeerClosed(errors.New("no contact"))
		w.r.PeerClosed(errors.New("no contact"))
		w.finish()
		safe := w.r.safe.bytes

		again := newWorld(t, seed)
		again.exec = &delayed{rng: again.rng}
		first := [2]int64{-1, -1}
		again.each = func() {
			for i, p := range []Progress{again.s.Progress(), again.r.Progress()} {
				if first[i] < 0 && p.Phase == Moving && !p.Looking {
					first[i] = p.Resumed
				}
			}
		}
		again.connect(sending(items(t, from)...), receiving(to))
		again.wantDelivered()
		if first != [2]int64{safe, safe} || safe == 0 {
			t.Errorf("seed %d: shown are %d bytes at first by sender and receiver, and %d are safe", seed, first, safe)
		}
	}
}

// wantNothingFinal wants nothing but hidden names in a directory.
func wantNothingFinal(t *testing.T, dir string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if !strings.HasPrefix(e.Name(), ".") {
			t.Errorf("%s is there before the transfer is complete", e.Name())
		}
	}
}

func (w *world) asks() bool {
	_, waits := w.r.Conflict()
	return waits
}

func TestNothingArrivedLeavesNothing(t *testing.T) {
	from, to := trees(t, mixed(4, 4<<20), 4)
	w := newWorld(t, 4)
	w.link.down = true
	w.connect(sending(items(t, from)...), receiving(to))
	w.r.Stop(nil)
	w.s.Stop(nil)
	w.r.Step(w.now)
	w.s.Step(w.now)
	w.link.down = false
	w.finish()
	wantOnly(t, to)
}

func TestSecondReceiverIsTurnedAway(t *testing.T) {
	from, to := trees(t, mixed(4, 8<<20), 4)
	one := newWorld(t, 4)
	one.connect(sending(items(t, from)...), receiving(to))
	one.some(1 << 20)
	two := newWorld(t, 5)
	two.connect(sending(items(t, from)...), receiving(to))
	sent, received := two.finish()
	wantKind(t, "sender", sent, Busy, true)
	wantKind(t, "receiver", received, Busy, false)
	one.wantDelivered()
	wantTree(t, from, to)
}

func TestWrongBytesComeAgain(t *testing.T) {
	from, to := trees(t, mixed(6, 6<<20), 6)
	w := newWorld(t, 6)
	n := 0
	w.link.corrupt = func(p packet) {
		if n++; n%1500 == 7 {
			p.data[0] ^= 1
		}
	}
	w.connect(sending(items(t, from)...), receiving(to))
	w.wantDelivered()
	if w.s.Progress().Resent == 0 {
		t.Error("nothing was sent again, so nothing was wrong")
	}
	wantTree(t, from, to)
}

// TestWhatExistsIsTreatedAsAsked: the five ways.
func TestWhatExistsIsTreatedAsAsked(t *testing.T) {
	s := spec{"d/same": []byte("same"), "d/other": []byte("theirs"), "d/new": []byte("new"), "e": []byte("theirs")}
	for _, c := range []struct {
		policy plant.Existing
		answer plant.Existing
		fails  bool
		want   map[string]string
	}{
		{plant.Fail, 0, true, map[string]string{"d/other": "mine", "e": "mine"}},
		{plant.Overwrite, 0, false, map[string]string{"d/other": "theirs", "e": "theirs", "d/new": "new"}},
		{plant.Skip, 0, false, map[string]string{"d/other": "mine", "e": "mine", "d/new": "new"}},
		{plant.Rename, 0, false, map[string]string{"d/other": "mine", "e": "mine", "e (2)": "theirs", "d (2)/other": "theirs"}},
		{plant.Ask, plant.Overwrite, false, map[string]string{"d/other": "theirs", "e": "theirs", "d/new": "new"}},
		{plant.Ask, plant.Skip, false, map[string]string{"d/other": "mine", "e": "mine", "d/new": "new"}},
		{plant.Ask, plant.Fail, true, map[string]string{"d/other": "mine", "e": "mine"}},
	} {
		t.Run(fmt.Sprint(c.policy, c.answer), func(t *testing.T) {
			from, to := trees(t, s, 1)
			mine := spec{"d/other": []byte("mine"), "e": []byte("mine"), "d/old": []byte("old")}
			mine.build(t, to, 2)
			writeFile(t, filepath.Join(to, "d/same"), []byte("same"))
			info, err := os.Stat(filepath.Join(from, "d/same"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(filepath.Join(to, "d/same"), info.ModTime(), info.ModTime()); err != nil {
				t.Fatal(err)
			}
			w := newWorld(t, 3)
			rc := receiving(to)
			rc.Plant.Existing = c.policy
			w.each = func() {
				if _, waits := w.r.Conflict(); waits {
					if w.r.Resolve(c.answer, false); w.asks() {
						t.Fatal("it goes on waiting for an answer")
					}
					w.r.Step(w.now)
				}
			}
			w.connect(sending(items(t, from)...), rc)
			sent, received := w.finish()
			if c.fails {
				wantKind(t, "sender", sent, Exists, true)
				wantKind(t, "receiver", received, Exists, false)
			} else if sent != nil || received != nil {
				t.Fatalf("sender: %v, receiver: %v", sent, received)
			}
			for p, want := range c.want {
				wantFile(t, filepath.Join(to, p), []byte(want))
			}
			wantFile(t, filepath.Join(to, "d/old"), []byte("old"))
		})
	}
}

// TestChecksumDecidesWhatIsTheSame: time and size are not asked, contents are.
func TestChecksumDecidesWhatIsTheSame(t *testing.T) {
	large := content(1, 3<<20+5)
	s := spec{"d/same": large, "d/small": []byte("abcd"), "d/other": content(2, 2<<20), "d/tiny": []byte("1234")}
	from, to := trees(t, s, 1)
	mine := spec{"d/same": large, "d/small": []byte("abcd"), "d/other": content(3, 2<<20), "d/tiny": []byte("4321")}
	mine.build(t, to, 2)
	w := newWorld(t, 3)
	w.exec = &delayed{rng: w.rng}
	rc := receiving(to)
	rc.Plant.Existing, rc.Plant.Checksum = plant.Overwrite, true
	w.connect(sending(items(t, from)...), rc)
	w.wantDelivered()
	for p, v := range s {
		wantFile(t, filepath.Join(to, p), v.([]byte))
	}
	if sent := w.s.Progress().Sent; sent > 2<<20+100 {
		t.Errorf("%d bytes were sent, though only two files differ", sent)
	}
}

// TestFileThatChangesIsFailedByName: the receiver never gets a mixture, and the
// others arrive.
func TestFileThatChangesIsFailedByName(t *testing.T) {
	s := mixed(9, 12<<20)
	from, to := trees(t, s, 9)
	w := newWorld(t, 9)
	w.exec = &delayed{rng: w.rng}
	w.connect(sending(items(t, from)...), receiving(to))
	w.some(2 << 20)
	f, err := os.OpenFile(filepath.Join(from, "t/large"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.Write([]byte("more"))
	f.Close()
	w.wantDelivered()
	for _, p := range []Progress{w.s.Progress(), w.r.Progress()} {
		if p.Failed == 0 {
			t.Skip("the file was across before it changed")
		}
		if !strings.HasSuffix(p.Failures[0].Path, "t/large") {
			t.Errorf("failures %v", p.Failures)
		}
		if p.Safe+p.Kept != p.Size {
			t.Errorf("%d safe and %d kept of %d", p.Safe, p.Kept, p.Size)
		}
	}
	if _, err := os.Lstat(filepath.Join(to, "t/large")); err == nil {
		t.Error("the file that changed is there")
	}
	wantFile(t, filepath.Join(to, "t/over"), s["t/over"].([]byte))
}

func TestTextIsCompressedAndNoiseIsNot(t *testing.T) {
	var log bytes.Buffer
	for i := 0; log.Len() < 6<<20; i++ {
		fmt.Fprintf(&log, "2026-11-26 12:%02d:%02d host service[%d]: request %d took %d ms\n", i/60%60, i%60, i%977, i, i*7919%1000)
	}
	for name, c := range map[string]struct {
		b     []byte
		least float64
		most  float64
	}{"text": {log.Bytes(), 0, 0.25}, "noise": {content(1, 6<<20), 1, 1}} {
		t.Run(name, func(t *testing.T) {
			src, dir := place(t, c.b)
			w := newWorld(t, 1)
			w.link.batch = 20
			w.link.loss = 0.05
			w.exec = &delayed{rng: w.rng}
			w.connect(sending(src), receiving(dir))
			w.wantDelivered()
			wantFile(t, filepath.Join(dir, "file.bin"), c.b)
			if share := float64(w.s.Progress().Sent) / float64(len(c.b)); share < c.least || share > c.most {
				t.Errorf("sent %.2f of the bytes", share)
			}
		})
	}
}

func TestSkipTakesTheOldTarget(t *testing.T) {
	b := content(1, 5<<20+100)
	for _, c := range []struct {
		sender, receiver int64
		old              int
		kind             Kind
	}{
		{0, 3 << 20, 3 << 20, 0},
		{3<<20 + 7, 3<<20 + 7, 4 << 20, 0},
		{2 << 20, 1 << 20, 4 << 20, BadSkip},
		{0, 6 << 20, 6 << 20, BadSkip},
	} {
		t.Run(fmt.Sprint(c.sender, c.receiver), func(t *testing.T) {
			src, dir := place(t, b)
			target := filepath.Join(dir, "target")
			writeFile(t, target, append(bytes.Clone(b[:min(c.old, len(b))]), make([]byte, max(c.old-len(b), 0))...))
			w := newWorld(t, 2)
			sc := sending(src)
			sc.Skip = c.sender
			rc := receiving(dir)
			rc.Plant.Name, rc.Skip = "target", c.receiver
			w.connect(sc, rc)
			sent, received := w.finish()
			if c.kind != 0 {
				wantKind(t, "receiver", received, c.kind, false)
				wantKind(t, "sender", sent, c.kind, true)
				return
			}
			if sent != nil || received != nil {
				t.Fatalf("sender: %v, receiver: %v", sent, received)
			}
			wantFile(t, target, b)
			wantOnly(t, dir, "target")
			if got := w.s.Progress().Sent; got > int64(len(b))-c.receiver/blockSize*blockSize {
				t.Errorf("%d bytes were sent", got)
			}
		})
	}
}
