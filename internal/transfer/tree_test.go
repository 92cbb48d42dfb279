package transfer

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"

	"qft/internal/plant"
	"qft/internal/walk"
)

// spec is a tree as a test describes it: a path and what is there.
type spec map[string]any

type (
	link    string // a symbolic link and its text
	hard    string // one more name of another path
	special struct{}
	sparse  int64 // a file of that size with a few bytes at its ends
)

// build makes the tree below dir, with times that a seed decides.
func (s spec) build(t *testing.T, dir string, seed uint64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 9))
	paths := s.paths()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range paths {
		full := filepath.Join(dir, p)
		must(os.MkdirAll(filepath.Dir(full), 0o755))
		switch v := s[p].(type) {
		case nil:
			must(os.MkdirAll(full, 0o755))
		case []byte:
			must(os.WriteFile(full, v, 0o644))
		case link:
			must(os.Symlink(string(v), full))
		case sparse:
			f, err := os.Create(full)
			must(err)
			must(f.Truncate(int64(v)))
			f.WriteAt([]byte("begin"), 0)
			f.WriteAt([]byte("end"), int64(v)-3)
			f.Close()
		case special:
			must(syscall.Mkfifo(full, 0o600))
		}
	}
	for _, p := range paths {
		if v, ok := s[p].(hard); ok {
			must(os.Link(filepath.Join(dir, string(v)), filepath.Join(dir, p)))
		}
	}
	for k := len(paths) - 1; k >= 0; k-- {
		full := filepath.Join(dir, paths[k])
		switch s[paths[k]].(type) {
		case nil, []byte, sparse:
			must(os.Chmod(full, fs.FileMode([]int{0o644, 0o600, 0o755, 0o755}[rng.IntN(4)]|0o100)))
			at := time.Unix(1e9+int64(rng.IntN(1e8)), int64(rng.IntN(1e9)))
			must(os.Chtimes(full, at, at))
		}
	}
}

func (s spec) paths() []string {
	var all []string
	for p := range s {
		all = append(all, p)
	}
	sort.Strings(all)
	return all
}

// mixed is a tree with some of everything: about n bytes.
func mixed(seed uint64, n int) spec {
	rng := rand.New(rand.NewPCG(seed, 3))
	s := spec{
		"t":              nil,
		"t/empty":        nil,
		"t/nothing":      []byte{},
		"t/large":        content(seed, n/2+rng.IntN(blockSize)),
		"t/exact":        content(seed+1, blockSize),
		"t/over":         content(seed+2, blockSize+1),
		"t/a/b/c/d/deep": []byte("deep"),
		"t/dangling":     link("/nowhere/at/all"),
		"t/up":           link("../.."),
		"t/to":           link("large"),
		"t/other name":   hard("t/large"),
		"t/a/twin":       hard("t/a/b/c/d/deep"),
		"t/holes":        sparse(5*blockSize + 17),
		"t/\xff\xfe":     []byte("no UTF-8"),
		"t/ümlaut":       []byte("composed"),
		"single":         content(seed+3, 12345),
	}
	for i := range 60 {
		s[fmt.Sprintf("t/small/%d/%d", i%7, i)] = content(seed+uint64(i), rng.IntN(40_000))
	}
	return s
}

// wantTree checks that two trees are the same: names, kinds, contents, modes,
// times, links and which files are one.
func wantTree(t *testing.T, from, to string) {
	t.Helper()
	want, got := listTree(t, from), listTree(t, to)
	for p, w := range want {
		if g, ok := got[p]; !ok {
			t.Errorf("%s is missing", p)
		} else if g != w {
			t.Errorf("%s is\n  %s, want\n  %s", p, g, w)
		}
	}
	for p := range got {
		if _, ok := want[p]; !ok {
			t.Errorf("%s should not be there", p)
		}
	}
}

func listTree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	names := make(map[uint64]string)
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		info, err := os.Lstat(p)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		line := fmt.Sprintf("%v %v", info.Mode(), info.ModTime().UnixNano())
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			text, _ := os.Readlink(p)
			line = "link " + text // its time and mode are not kept
		case info.Mode().IsRegular():
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			st := info.Sys().(*syscall.Stat_t)
			first, ok := names[st.Ino]
			if !ok {
				first = rel
				names[st.Ino] = rel
			}
			line += fmt.Sprintf(" %x first name %s", bytesSum(b), first)
		}
		all[rel] = line
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func bytesSum(b []byte) string {
	if len(b) > 32 {
		sum := fileSum(b)
		return fmt.Sprintf("%d:%x", len(b), sum[:8])
	}
	return fmt.Sprintf("%d:%x", len(b), b)
}

// trees is a source directory with a tree, and an empty one to receive in.
func trees(t *testing.T, s spec, seed uint64) (from, to string) {
	t.Helper()
	top := tempDir(t)
	from, to = filepath.Join(top, "from"), filepath.Join(top, "to")
	for _, d := range []string{from, to} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.build(t, from, seed)
	return from, to
}

// items are the paths of what lies directly in a directory.
func items(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range list {
		all = append(all, filepath.Join(dir, e.Name()))
	}
	return all
}

func sending(paths ...string) SenderConfig { return SenderConfig{Walk: walk.Config{Paths: paths}} }

func receiving(dir string) ReceiverConfig {
	return ReceiverConfig{Plant: plant.Config{Dir: dir}}
}

// wantDelivered runs a transfer and checks that both sides call it a success.
func (w *world) wantDelivered() {
	w.t.Helper()
	sent, received := w.finish()
	if sent != nil || received != nil {
		w.t.Fatalf("sender: %v, receiver: %v", sent, received)
	}
}

func TestTreeArrivesWhateverTheLink(t *testing.T) {
	for seed := range seeds(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			from, to := trees(t, mixed(seed, 12<<20), seed)
			w := newWorld(t, seed)
			w.link.loss = []float64{0, 0.1, 0.3}[seed%3]
			w.link.dup = 0.05
			if seed%4 == 3 {
				w.exec = newWorkers(t)
			} else if seed%2 == 1 {
				w.exec = &delayed{rng: w.rng}
			}
			w.connect(sending(items(t, from)...), receiving(to))
			w.wantDelivered()
			wantTree(t, from, to)
		})
	}
}

// TestKilledTransferContinuesWithoutSendingAgain: what the journal vouches for
// is neither sent nor hashed again, on either side.
func TestKilledTransferContinuesWithoutSendingAgain(t *testing.T) {
	for seed := range seeds(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			tree := mixed(seed, 20<<20)
			delete(tree, "t/holes") // is told again, and costs nothing
			from, to := trees(t, tree, seed)
			rng := rand.New(rand.NewPCG(seed, 4))
			var safe int64
			for run := 0; ; run++ {
				w := newWorld(t, seed<<8+uint64(run))
				w.link.loss = 0.1
				w.exec = &delayed{rng: w.rng}
				w.connect(sending(items(t, from)...), receiving(to))
				if run == 4 {
					w.wantDelivered()
					p := w.r.Progress()
					if p.Resumed < safe {
						t.Errorf("%d bytes resumed, though %d were safe", p.Resumed, safe)
					}
					if p := w.s.Progress(); p.Hashed > p.Size-p.Resumed {
						t.Errorf("%d bytes hashed at the sender, %d of %d resumed", p.Hashed, p.Resumed, p.Size)
					}
					break
				}
				for range 20 + rng.IntN(400) {
					w.round()
				}
				if done, _ := w.r.Done(); done {
					break
				}
				safe = max(safe, w.vouched())
				w.crash()
			}
			wantTree(t, from, to)
		})
	}
}

// vouched is how many bytes the journal vouches for at this moment.
func (w *world) vouched() int64 {
	n := w.r.safe.bytes - w.r.ledger.bytes
	if w.r.ledger.busy || w.r.phase != Moving {
		return 0 // not known
	}
	return n
}

func fileSum(b []byte) [32]byte {
	var out [32]byte
	copy(out[:], bytesHash(b))
	return out
}

func TestNothingIsSentThatIsThere(t *testing.T) {
	from, to := trees(t, mixed(1, 4<<20), 1)
	w := newWorld(t, 1)
	w.connect(sending(items(t, from)...), receiving(to))
	w.wantDelivered()
	again := newWorld(t, 2)
	again.connect(sending(items(t, from)...), receiving(to))
	again.wantDelivered()
	if p := again.s.Progress(); p.Sent != 0 || p.Hashed != 0 {
		t.Errorf("%d bytes sent and %d hashed of a tree that is there", p.Sent, p.Hashed)
	}
	wantTree(t, from, to)
}

func TestOneFileHasTheHashThatB3sumPrints(t *testing.T) {
	for _, size := range []int{0, 1, 1 << 20, 1<<20 + 1, 5<<20 + 77} {
		b := content(uint64(size), size)
		src, dir := place(t, b)
		w := newWorld(t, 1)
		sc := sending(src)
		sc.Checksum = true
		rc := receiving(dir)
		rc.Plant.Checksum = true
		w.connect(sc, rc)
		w.wantDelivered()
		want := fmt.Sprintf("%x", bytesHash(b))
		if s, r := w.s.Progress().FileSum, w.r.Progress().FileSum; s != want || r != want {
			t.Errorf("%d bytes: sender says %s, receiver %s, want %s", size, s, r, want)
		}
		wantFile(t, filepath.Join(dir, "file.bin"), b)

		unasked := newWorld(t, 2)
		unasked.connect(sending(src), receiving(tempDir(t)))
		unasked.wantDelivered()
		if s, r := unasked.s.Progress().FileSum, unasked.r.Progress().FileSum; s != "" || r != "" {
			t.Errorf("nobody asked for the hash, and the sender says %q, the receiver %q", s, r)
		}
	}
}

func TestStreamArrivesInOrder(t *testing.T) {
	b := content(5, 9<<20+5)
	w := newWorld(t, 5)
	w.link.loss = 0.1
	w.exec = &delayed{rng: w.rng}
	var out bytes.Buffer
	w.connect(SenderConfig{Stream: bytes.NewReader(b)}, ReceiverConfig{Stream: &out})
	w.wantDelivered()
	if !bytes.Equal(out.Bytes(), b) {
		t.Errorf("%d bytes came out of %d, or others", out.Len(), len(b))
	}
}

func TestStreamGoesIntoAFile(t *testing.T) {
	b := content(6, 3<<20+5)
	w := newWorld(t, 6)
	w.exec = &delayed{rng: w.rng}
	dir := tempDir(t)
	rc := receiving(dir)
	rc.Plant.Name = "out"
	w.connect(SenderConfig{Stream: bytes.NewReader(b)}, rc)
	w.wantDelivered()
	wantFile(t, filepath.Join(dir, "out"), b)
	wantOnly(t, dir, "out")
}

func TestFileGoesIntoAStream(t *testing.T) {
	for _, size := range []int{0, 1000, 7<<20 + 1} {
		b := content(8, size)
		src, _ := place(t, b)
		w := newWorld(t, 8)
		w.link.loss = 0.05
		w.exec = &delayed{rng: w.rng}
		var out bytes.Buffer
		w.connect(sending(src), ReceiverConfig{Stream: &out})
		w.wantDelivered()
		if !bytes.Equal(out.Bytes(), b) {
			t.Errorf("%d bytes came out of %d, or others", out.Len(), len(b))
		}
	}
}

func TestTextArrives(t *testing.T) {
	w := newWorld(t, 7)
	const text = "a line\nand another \x1b[31m"
	w.connect(SenderConfig{Text: text}, receiving(tempDir(t)))
	w.wantDelivered()
	if got := w.r.Text(); got != text {
		t.Errorf("the text is %q", got)
	}
}

func TestPersonIsAskedFirst(t *testing.T) {
	from, to := trees(t, mixed(2, 1<<20), 2)
	for _, yes := range []bool{true, false} {
		w := newWorld(t, 2)
		rc := receiving(to)
		rc.Ask = true
		w.connect(sending(items(t, from)...), rc)
		for range 50 {
			w.round()
		}
		p, waits := w.r.Proposal()
		if !waits || p.Items != 2 || !p.Counted || p.Files == 0 || strings.Join(p.Names, ",") != "single,t" {
			t.Fatalf("proposal %+v, waits %v", p, waits)
		}
		wantOnly(t, to)
		if !yes {
			w.r.Refuse()
			w.r.Step(w.now)
			sent, received := w.finish()
			wantKind(t, "sender", sent, Refused, true)
			wantKind(t, "receiver", received, Refused, false)
			wantOnly(t, to)
			continue
		}
		w.r.Accept()
		w.r.Step(w.now)
		w.wantDelivered()
		wantTree(t, from, to)
		os.RemoveAll(filepath.Join(to, "t"))
		os.Remove(filepath.Join(to, "single"))
	}
}

// TestOtherNamesAreTold: a name that cannot be used here arrives as another one,
// and not silently.
func TestOtherNamesAreTold(t *testing.T) {
	from, to := trees(t, spec{"d/esc\x1b[31m": []byte("x"), "d/plain": []byte("y")}, 1)
	w := newWorld(t, 1)
	w.connect(sending(items(t, from)...), receiving(to))
	w.wantDelivered()
	if p := w.r.Progress(); len(p.Renamed) != 1 || p.Renamed[0].Name != "esc%1B[31m" {
		t.Errorf("renamed: %q", p.Renamed)
	}
	wantFile(t, filepath.Join(to, "d", "esc%1B[31m"), []byte("x"))
}
