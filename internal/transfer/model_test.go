package transfer

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// thing is what a model of a tree has at a path.
type thing struct {
	kind    byte // 'd', 'f', 's' a sparse file, 'l' a symbolic link, 'h' a hard link
	version uint64
	size    int
	target  string
	other   bool // of other content than its version says
}

// forest is a model of the trees of two items.
type forest map[string]thing

var modelSizes = []int{0, 1, 17, 5000, 1<<20 - 1, 1 << 20, 1<<20 + 1, 3<<20 + 7, 7 << 20}

// grow adds or replaces something at random.
func (f forest) grow(rng *rand.Rand, version uint64) {
	p := path.Join([]string{"i", "j"}[rng.IntN(2)], fmt.Sprint("n", rng.IntN(5)))
	if rng.IntN(2) == 0 {
		p = path.Join(p, fmt.Sprint("m", rng.IntN(4)))
	}
	f.cut(p)
	for up := path.Dir(p); up != "."; up = path.Dir(up) {
		if f[up].kind != 'd' {
			f.cut(up)
			f[up] = thing{kind: 'd', version: version}
		}
	}
	t := thing{kind: "dffffffsslh"[rng.IntN(11)], version: version, size: modelSizes[rng.IntN(len(modelSizes))], target: "../somewhere"}
	if t.kind == 's' {
		t.size = (1 + rng.IntN(12)) << 20
	}
	if t.kind == 'h' {
		var files []string
		for _, q := range slices.Sorted(maps.Keys(f)) {
			if f[q].kind == 'f' {
				files = append(files, q)
			}
		}
		if len(files) == 0 {
			return
		}
		t.target = files[rng.IntN(len(files))]
	}
	f[p] = t
}

// cut removes a path, what is below it, and links to what is removed.
func (f forest) cut(p string) {
	for q := range f {
		if q == p || strings.HasPrefix(q, p+"/") {
			delete(f, q)
		}
	}
	for q, t := range f {
		if _, ok := f[t.target]; t.kind == 'h' && !ok {
			delete(f, q)
		}
	}
}

// change makes the next version of it.
func (f forest) change(rng *rand.Rand, version uint64) {
	for range 1 + rng.IntN(4) {
		paths := slices.Sorted(maps.Keys(f))
		p := paths[rng.IntN(len(paths))]
		t := f[p]
		switch k := rng.IntN(6); {
		case k == 0 && p != "i" && p != "j":
			f.cut(p)
		case k == 1 && (t.kind == 'f' || t.kind == 's'): // content, and so time
			t.version = version
			f[p] = t
		case k == 2 && (t.kind == 'f' || t.kind == 's') && strings.Contains(p, "/"): // another name
			f.cut(p)
			f[p+"x"] = t
		default:
			f.grow(rng, version)
		}
	}
}

// build makes the trees.
func (f forest) build(t *testing.T, dir string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.RemoveAll(dir))
	must(os.Mkdir(dir, 0o755))
	paths := slices.Sorted(maps.Keys(f))
	for _, p := range paths {
		full := filepath.Join(dir, p)
		switch x := f[p]; x.kind {
		case 'd':
			must(os.Mkdir(full, 0o755))
		case 'l':
			must(os.Symlink(x.target, full))
		case 'f':
			must(os.WriteFile(full, content(x.seed(p), x.size), 0o644))
		case 's':
			b := content(x.seed(p), 1<<20)
			g, err := os.Create(full)
			must(err)
			must(g.Truncate(int64(x.size)))
			for at := int64(0); at < int64(x.size); at += 1 << 20 {
				if (x.version+uint64(at>>20))%3 == 0 {
					g.WriteAt(b, at)
				}
			}
			must(g.Truncate(int64(x.size)))
			must(g.Close())
		}
	}
	for _, p := range paths {
		if f[p].kind == 'h' {
			must(os.Link(filepath.Join(dir, f[p].target), filepath.Join(dir, p)))
		}
	}
	for _, p := range slices.Backward(paths) {
		if k := f[p].kind; k == 'd' || k == 'f' || k == 's' {
			at := time.Unix(1e9+int64(f[p].version), 500)
			must(os.Chtimes(filepath.Join(dir, p), at, at))
			must(os.Chmod(filepath.Join(dir, p), fs.FileMode(0o700|f[p].version%8*9)))
		}
	}
}

func (x thing) seed(p string) uint64 {
	n := x.version*31 + uint64(len(p)) + uint64(p[len(p)-1])
	if x.other {
		n += 7777
	}
	return n
}

// interrupt ends a transfer in one of many ways, and checks that it ends.
func (w *world) interrupt(rng *rand.Rand) (delivered bool) { return w.endIn(rng.IntN(8)) }

func (w *world) endIn(way int) (delivered bool) {
	w.t.Helper()
	switch way {
	case 0, 1:
		w.crash()
		return false
	case 2:
		w.s.Stop(nil)
	case 3:
		w.r.Stop(errors.New("a test"))
	case 4:
		w.s.PeerClosed(nil)
		w.r.PeerClosed(errors.New("no contact"))
	case 5:
		w.s.Close()
		w.link.down = true
		w.r.PeerClosed(nil)
	case 6:
		w.r.Close()
		w.link.down = true
		w.s.PeerClosed(nil)
	case 7:
		w.s.Close()
		w.r.Close()
	}
	w.s.Step(w.now)
	w.r.Step(w.now)
	for range 100_000 {
		sd, _ := w.s.Done()
		rd, _ := w.r.Done()
		if sd && rd {
			break
		}
		w.round()
	}
	sd, _ := w.s.Done()
	rd, _ := w.r.Done()
	if !sd || !rd {
		w.t.Fatalf("way %d: sender in phase %d, receiver in phase %d", way, w.s.phase, w.r.phase)
	}
	w.s.Close()
	w.r.Close()
	for w.exec.round() {
	}
	if !w.s.released || !w.r.released {
		w.t.Errorf("way %d: files are still open", way)
	}
	w.checkMemory()
	_, err := w.r.Done()
	return err == nil // it was too late to stop it
}

// wantCounted wants every byte to be safe or kept, once, on both sides.
func (w *world) wantCounted() {
	w.t.Helper()
	s, r := w.s.Progress(), w.r.Progress()
	for who, p := range map[string]Progress{"sender": s, "receiver": r} {
		if p.Safe+p.Kept != p.Size || p.FilesDone != p.Files || !p.Counted || p.Resumed > p.Safe || p.Failed > 0 {
			w.t.Errorf("%s: %+v", who, p)
		}
	}
	if s.Size != r.Size || s.Resumed != r.Resumed || s.Kept != r.Kept || s.Files != r.Files || s.Sum != r.Sum {
		w.t.Errorf("sender: %+v\nreceiver: %+v", s, r)
	}
}

// TestChangedTreesAreContinued: whatever ends a transfer, and whatever becomes
// of the source meanwhile, also that it is as it was before, the last run ends in
// just the tree that there is then.
func TestChangedTreesAreContinued(t *testing.T) {
	for seed := range faultSeeds(t, 10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 77))
			f := forest{"i": {kind: 'd'}, "j": {kind: 'd'}}
			for range 14 {
				f.grow(rng, uint64(1))
			}
			top := tempDir(t)
			from, to := filepath.Join(top, "from"), filepath.Join(top, "to")
			if err := os.Mkdir(to, 0o755); err != nil {
				t.Fatal(err)
			}
			old := []forest{maps.Clone(f)}
			for run := range uint64(6) {
				f.build(t, from)
				w := newWorld(t, seed<<8+run)
				w.link.loss, w.link.batch = 0.05, 1+rng.IntN(500)
				if rng.IntN(3) > 0 {
					w.exec = &delayed{rng: w.rng}
				}
				w.connect(sending(filepath.Join(from, "i"), filepath.Join(from, "j")), receiving(to))
				if run == 5 {
					w.wantDelivered()
					w.wantCounted()
					break
				}
				early := false
				for range rng.IntN(1 << rng.IntN(11)) {
					w.round()
					if done, _ := w.r.Done(); done {
						early = true
						break
					}
					if rng.IntN(10) == 0 { // the period of the journal
						w.now = w.now.Add(time.Second)
					}
				}
				if early || w.r.phase >= Finishing {
					w.wantDelivered()
					w.wantCounted()
					break
				}
				if w.interrupt(rng) {
					break
				}
				wantNothingFinal(t, to)
				if rng.IntN(3) == 0 {
					f = maps.Clone(old[rng.IntN(len(old))])
				} else {
					f.change(rng, run+2)
				}
				old = append(old, maps.Clone(f))
			}
			wantTree(t, from, to)
		})
	}
}

// TestInterruptedBesideTheLoop ends transfers whose works run at the same time
// as the loop: run it with -race.
func TestInterruptedBesideTheLoop(t *testing.T) {
	for seed := range faultSeeds(t, 12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			from, to := trees(t, mixed(seed, 16<<20), seed)
			rng := rand.New(rand.NewPCG(seed, 5))
			for run := range uint64(4) {
				w := newWorld(t, seed<<8+run)
				w.link.loss, w.link.batch = 0.05, 1+rng.IntN(400)
				w.exec = newWorkers(t)
				w.connect(sending(items(t, from)...), receiving(to))
				for range rng.IntN(400) {
					w.round()
				}
				if run == 3 || w.r.phase >= Finishing {
					w.wantDelivered()
					break
				}
				if w.endIn(2 + rng.IntN(6)) {
					break
				}
				wantNothingFinal(t, to)
			}
			wantTree(t, from, to)
		})
	}
}
