package walk

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"qft/internal/manifest"
)

// benchTree makes 10,000 files in 100 directories.
func benchTree(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	for i := range 10_000 {
		plant(b, dir, fmt.Sprintf("dir%02d/file%04d", i/100, i))
	}
	return dir
}

func BenchmarkWalk(b *testing.B) {
	dir := benchTree(b)
	for _, archive := range []bool{false, true} {
		b.Run(fmt.Sprintf("archive=%v", archive), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w, err := New(Config{Paths: []string{dir}, Archive: archive})
				for err == nil {
					_, err = w.Next(1000)
				}
				if !errors.Is(err, io.EOF) {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*10_000/b.Elapsed().Seconds(), "files/s")
		})
	}
}

func BenchmarkOpenReadClose(b *testing.B) {
	dir := b.TempDir()
	plant(b, dir, "d/file")
	w, err := New(Config{Paths: []string{dir + "/d"}})
	if err != nil {
		b.Fatal(err)
	}
	found, err := w.Next(2)
	if err != nil || found[1].Kind != manifest.File {
		b.Fatal(found, err)
	}
	p := make([]byte, found[1].Size)
	b.ReportAllocs()
	for b.Loop() {
		f, err := Open(found[1])
		if err != nil {
			b.Fatal(err)
		}
		if _, err := f.ReadAt(p, 0); err != nil {
			b.Fatal(err)
		}
		if err := f.Unchanged(); err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
}
