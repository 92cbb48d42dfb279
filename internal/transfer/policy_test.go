package transfer

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"qft/internal/plant"
)

// TestWhatWasThereIsNeverAMixture: over whatever is there already, under every
// policy, interrupted and continued: each file is the sender's or what it was,
// wholly; with Overwrite it is the sender's unless that is reported; and what the
// sender does not have stays as it was.
func TestWhatWasThereIsNeverAMixture(t *testing.T) {
	for seed := range faultSeeds(t, 10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 78))
			mine := forest{"i": {kind: 'd'}, "j": {kind: 'd'}}
			for range 10 {
				mine.grow(rng, 1)
			}
			f := maps.Clone(mine)
			f.change(rng, 2)
			f.change(rng, 3)
			for _, p := range slices.Sorted(maps.Keys(f)) { // of the same size and time, but another
				x := f[p]
				if x.kind == 'f' && rng.IntN(3) == 0 {
					x.other = true
					f[p] = x
				}
			}
			top := tempDir(t)
			from, to := filepath.Join(top, "from"), filepath.Join(top, "to")
			f.build(t, from)
			mine.build(t, to)
			before := readAll(t, to)
			rc := receiving(to)
			rc.Plant.Existing = []plant.Existing{plant.Overwrite, plant.Overwrite, plant.Skip, plant.Rename}[rng.IntN(4)]
			rc.Plant.Checksum = rng.IntN(3) > 0
			failed := make(map[string]bool)
			for run := range uint64(4) {
				w := newWorld(t, seed<<8+run)
				w.link.loss, w.link.batch = 0.05, 1+rng.IntN(500)
				if rng.IntN(3) > 0 {
					w.exec = &delayed{rng: w.rng}
				}
				w.connect(sending(filepath.Join(from, "i"), filepath.Join(from, "j")), rc)
				early := run == 3
				for range rng.IntN(1 << rng.IntN(11)) {
					w.round()
					if done, _ := w.r.Done(); done || early {
						early = true
						break
					}
					if rng.IntN(10) == 0 {
						w.now = w.now.Add(time.Second)
					}
				}
				if early || w.r.phase >= Finishing {
					w.wantDelivered()
				} else if !w.interrupt(rng) {
					continue
				}
				for _, x := range w.r.Progress().Failures {
					failed[x.Path] = true
				}
				break
			}
			for p, x := range f { // a name more of what was taken for the same, or is not there
				if x.kind == 'h' {
					failed[p], failed[x.target] = true, true
				}
			}
			wantMerged(t, rc.Plant, before, readAll(t, from), readAll(t, to), failed)
		})
	}
}

// readAll is the content of all that is not hidden: files, and the text of links.
func readAll(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, p)
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(rel, ".") && rel != ".":
			t.Errorf("%s was left", rel)
		case d.Type()&os.ModeSymlink != 0:
			text, _ := os.Readlink(p)
			all[rel] = "link " + text
		case d.Type().IsRegular():
			b, err := os.ReadFile(p)
			all[rel] = bytesSum(b)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func wantMerged(t *testing.T, c plant.Config, before, from, to map[string]string, failed map[string]bool) {
	t.Helper()
	fails := func(p string) bool {
		for q := p; q != "."; q = filepath.Dir(q) {
			if failed[q] {
				return true
			}
		}
		return false
	}
	for _, p := range slices.Sorted(maps.Keys(to)) {
		if to[p] != before[p] && to[p] != from[p] && c.Existing != plant.Rename && !fails(p) {
			t.Errorf("%s is neither what it was nor what was sent", p)
		}
	}
	for _, p := range slices.Sorted(maps.Keys(before)) {
		if _, ok := from[p]; (!ok || c.Existing != plant.Overwrite) && to[p] != before[p] {
			t.Errorf("%s has changed", p)
		}
	}
	if c.Existing != plant.Overwrite || !c.Checksum {
		return
	}
	for _, p := range slices.Sorted(maps.Keys(from)) {
		if to[p] != from[p] && !fails(p) {
			t.Errorf("%s is not what was sent, and nothing says so: %s, want %s, was %s", p, to[p], from[p], before[p])
		}
	}
}
