package plant_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"qft/internal/manifest"
	"qft/internal/plant"
)

// manySmall is 10,000 files of 1 to 16 KiB in 100 directories.
func manySmall() (entries []entry, bytes int64) {
	rng := rand.New(rand.NewPCG(1, 2))
	content := make([]byte, 16<<10)
	for i := range content {
		content[i] = byte(rng.Uint32())
	}
	entries = append(entries, dirEntry("t"))
	for d := range 100 {
		entries = append(entries, dirEntry(fmt.Sprintf("t/d%02d", d)))
		for f := range 100 {
			n := 1<<10 + rng.IntN(15<<10)
			e := fileEntry(fmt.Sprintf("t/d%02d/f%02d", d, f), string(content[:n]))
			entries = append(entries, e)
			bytes += int64(n)
		}
	}
	return entries, bytes
}

// BenchmarkManySmallFiles compares with cp -r of the same tree, by turns: first
// until all is written, and then until it is durable and in place.
func BenchmarkManySmallFiles(b *testing.B) {
	for _, base := range []string{"/dev/shm", "/tmp"} {
		b.Run(filepath.Base(base), func(b *testing.B) {
			if _, err := exec.LookPath("cp"); err != nil {
				b.Skip(err)
			}
			dir, err := os.MkdirTemp(base, "plant")
			if err != nil {
				b.Skip(err)
			}
			defer os.RemoveAll(dir)
			entries, bytes := manySmall()
			b.SetBytes(bytes)
			plantTree(b, filepath.Join(dir, "source"), entries)
			var ours, theirs, oursDone, theirsDone []float64
			// Nothing is removed before the end: ext4 without a journal is slow to
			// use the places of files that were removed just now.
			for n := 0; b.Loop(); n++ {
				for turn := range 2 {
					if (turn+n)%2 == 0 {
						w, d := plantTree(b, filepath.Join(dir, fmt.Sprint("ours", n)), entries)
						ours, oursDone = append(ours, w), append(oursDone, d)
					} else {
						w, d := copyTree(b, filepath.Join(dir, "source", "t"), filepath.Join(dir, fmt.Sprint("theirs", n)))
						theirs, theirsDone = append(theirs, w), append(theirsDone, d)
					}
				}
			}
			b.ReportMetric(median(ours)/median(theirs), "cp-r")
			b.ReportMetric(median(oursDone)/median(theirsDone), "cp-r+sync")
			b.ReportMetric(median(ours)*1000, "ms-written")
			b.ReportMetric(median(oursDone)*1000, "ms-done")
		})
	}
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

func plantTree(b *testing.B, dir string, entries []entry) (written, done float64) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	g, err := plant.Open(plant.Config{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close()
	bed, err := g.Prepare([16]byte{}, []string{"t"}, 1)
	if err != nil {
		b.Fatal(err)
	}
	defer bed.Close()
	for i := range entries {
		e := &entries[i]
		at, err := bed.Place(e.dir(), e.Entry)
		if err == nil && e.Kind == manifest.File {
			err = bed.WriteFile(at.Path, &e.Entry, []byte(e.content))
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	written = time.Since(began).Seconds()
	if err := bed.Commit(); err != nil {
		b.Fatal(err)
	}
	return written, time.Since(began).Seconds()
}

func copyTree(b *testing.B, from, to string) (written, done float64) {
	began := time.Now()
	if err := exec.Command("cp", "-r", from, to).Run(); err != nil {
		b.Fatal(err)
	}
	written = time.Since(began).Seconds()
	if err := exec.Command("sync", "-f", to).Run(); err != nil {
		b.Fatal(err)
	}
	return written, time.Since(began).Seconds()
}

// BenchmarkReserve writes 1 GiB in order, in the engine's pieces, with and
// without space reserved before, and makes it durable.
func BenchmarkReserve(b *testing.B) {
	for _, base := range []string{"/dev/shm", "/tmp"} {
		b.Run(filepath.Base(base), func(b *testing.B) {
			dir, err := os.MkdirTemp(base, "plant")
			if err != nil {
				b.Skip(err)
			}
			defer os.RemoveAll(dir)
			b.SetBytes(2 << 30)
			var with, without, withSync, withoutSync []float64
			for n := 0; b.Loop(); n++ {
				for turn := range 2 {
					sparse := (turn+n)%2 == 0
					w, d := writeLarge(b, dir, sparse)
					if sparse {
						without, withoutSync = append(without, w), append(withoutSync, d)
					} else {
						with, withSync = append(with, w), append(withSync, d)
					}
				}
			}
			b.ReportMetric(median(with)/median(without), "reserved/not")
			b.ReportMetric(median(withSync)/median(withoutSync), "reserved/not+sync")
			b.ReportMetric(1024/median(withSync), "MiB/s-reserved+sync")
		})
	}
}

// writeLarge writes a file that the bed takes for sparse, for which nothing is
// reserved, or for one that is not.
func writeLarge(b *testing.B, dir string, sparse bool) (written, done float64) {
	g, err := plant.Open(plant.Config{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close()
	bed, err := g.Prepare([16]byte{}, []string{"t"}, 1)
	if err != nil {
		b.Fatal(err)
	}
	defer bed.Discard()
	e := fileEntry("t", "")
	e.Size, e.Sparse = 1<<30, sparse
	at, err := bed.Place("", e.Entry)
	if err != nil {
		b.Fatal(err)
	}
	piece := make([]byte, 128<<10)
	for i := range piece {
		piece[i] = byte(i)
	}
	began := time.Now()
	f, err := bed.OpenFile(at.Path, &e.Entry)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	for off := int64(0); off < e.Size; off += int64(len(piece)) {
		if _, err := f.WriteAt(piece, off); err != nil {
			b.Fatal(err)
		}
	}
	written = time.Since(began).Seconds()
	if err := f.Datasync(); err != nil {
		b.Fatal(err)
	}
	return written, time.Since(began).Seconds()
}
