package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"qft/internal/digest"
)

// million makes a journal with 1e6 runs of one digest, batch in each Append, on
// a real file.
func million(t testing.TB, runs, batch int) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	j := create(t, f, "head")
	for at := 0; at < runs; at += batch {
		var list []Run
		for i := at; i < at+batch; i++ {
			sum := digest.File(fmt.Append(nil, i))
			list = append(list, Run{ID(sum[:16]), 0, []digest.Sum{sum}})
		}
		if err := j.AppendLazily(list); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	return f
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestResumedRunNeeds32BytesAtMost(t *testing.T) {
	const runs = 50_000
	f := million(t, runs, 1000)
	defer f.Close()
	before := heap()
	j := resume(t, f)
	got := heap() - before
	if got > 32*runs {
		t.Errorf("%d bytes for %d runs", got, runs)
	}
	t.Logf("%.1f bytes a run", float64(got)/runs)
	runtime.KeepAlive(j)
}

// TestGarbageNeedsNoMemory: lengths that the file tells are not believed.
func TestGarbageNeedsNoMemory(t *testing.T) {
	d := newDisk(1)
	j := create(t, d, "head")
	appendTo(t, j, run(1, 1, 1))
	header := d.cached[:j.end.at]
	long := append(append([]byte(nil), header...), 0xff, 0xff, 0xff, 0xff)
	long = append(long, make([]byte, 32<<20)...)
	for _, b := range [][]byte{long, make([]byte, 32<<20)} {
		d := holding(b)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		j, err := Resume(d)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
			t.Errorf("%d bytes were allocated (%v)", got, err)
		}
		if j != nil {
			want(t, j, run(1, 1, 1))
		}
	}
}

func BenchmarkResumeMillionRuns(b *testing.B) {
	for _, batch := range []int{1, 1000} {
		b.Run(fmt.Sprintf("%d in each Append", batch), func(b *testing.B) {
			f := million(b, 1_000_000, batch)
			defer f.Close()
			for b.Loop() {
				j := resume(b, f)
				if j.index.len() != 1_000_000 {
					b.Fatalf("%d runs", j.index.len())
				}
			}
		})
	}
}

func BenchmarkFind(b *testing.B) {
	f := million(b, 1_000_000, 1000)
	defer f.Close()
	j := resume(b, f)
	i := 0
	for b.Loop() {
		sum := digest.File(fmt.Append(nil, i%1_000_000))
		if runs, err := j.Find(ID(sum[:16])); err != nil || len(runs) != 1 {
			b.Fatalf("%d runs, %v", len(runs), err)
		}
		i += 7919
	}
}

func BenchmarkAppendLazily(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "journal"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	j := create(b, f, "head")
	var runs []Run
	for i := range 64 {
		runs = append(runs, run(i, 0, 1))
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := j.AppendLazily(runs); err != nil {
			b.Fatal(err)
		}
	}
}
