package journal

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"

	"qft/internal/digest"
)

// id is the n-th ID.
func id(n int) ID { return ID{0: byte(n), 7: byte(n >> 8), 15: byte(n >> 16)} }

// run is count digests of blocks of the n-th ID.
func run(n int, first int64, count int) Run {
	r := Run{ID: id(n), First: first}
	for k := range int64(count) {
		r.Sums = append(r.Sums, digest.File([]byte{byte(n), byte(first + k), byte((first + k) >> 8)}))
	}
	return r
}

// create makes a journal on d.
func create(t testing.TB, d File, head string) *Journal {
	t.Helper()
	j, err := Create(d, []byte(head))
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func resume(t testing.TB, d File) *Journal {
	t.Helper()
	j, err := Resume(d)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func appendTo(t testing.TB, j *Journal, runs ...Run) {
	t.Helper()
	if err := j.Append(runs); err != nil {
		t.Fatal(err)
	}
}

// want checks that j has just these runs, in this order for each ID.
func want(t *testing.T, j *Journal, runs ...Run) {
	t.Helper()
	byID := make(map[ID][]Run)
	for _, r := range runs {
		byID[r.ID] = append(byID[r.ID], r)
	}
	for id, w := range byID {
		got, err := j.Find(id)
		if err != nil || !reflect.DeepEqual(got, w) {
			t.Fatalf("ID %x: %d runs, want %d (%v)", id, len(got), len(w), err)
		}
	}
	if n := j.index.len(); n != len(runs) {
		t.Fatalf("%d runs in the index, want %d", n, len(runs))
	}
}

// len is how many runs there are.
func (x *index) len() int {
	n := len(x.tail)
	for _, level := range x.levels {
		n += len(level)
	}
	return n
}

func TestRunsAreFoundInThisProcessAndTheNext(t *testing.T) {
	d := newDisk(1)
	j := create(t, d, "head")
	runs := []Run{run(1, 0, 2), run(2, 7, 2), run(1, 9, 1), run(3, 0, 1024), run(1, 0, 1), run(4, math.MaxInt64-1, 1)}
	appendTo(t, j, runs[:2]...)
	want(t, j, runs[:2]...)
	appendTo(t, j, runs[2:]...)
	want(t, j, runs...)
	for range 3 {
		j = resume(t, d)
		if string(j.Head()) != "head" {
			t.Errorf("the head is %q", j.Head())
		}
		want(t, j, runs...)
		runs = append(runs, run(1, 50, 3))
		appendTo(t, j, runs[len(runs)-1])
		want(t, j, runs...)
	}
	if got, err := j.Find(id(9)); got != nil || err != nil {
		t.Errorf("an ID without runs: %v, %v", got, err)
	}
}

func TestHeadOfAnyLengthComesBack(t *testing.T) {
	for _, n := range []int{0, 1, 1000, maxHead} {
		d := newDisk(1)
		head := bytes.Repeat([]byte{7}, n)
		j := create(t, d, string(head))
		appendTo(t, j, run(1, 2, 3))
		j = resume(t, d)
		want(t, j, run(1, 2, 3))
		if !bytes.Equal(j.Head(), head) {
			t.Errorf("a head of %d bytes came back as %d", n, len(j.Head()))
		}
		if got, err := ReadHead(d.cached[:min(len(d.cached), MaxHeader)]); err != nil || !bytes.Equal(got, head) {
			t.Errorf("a head of %d bytes was read as %d (%v)", n, len(got), err)
		}
	}
	d := newDisk(1)
	if _, err := Create(d, make([]byte, maxHead+1)); err == nil || d.touched > 0 {
		t.Errorf("a head that is too long: %v, touched %d times", err, d.touched)
	}
}

func TestLongRunIsRecordedInPieces(t *testing.T) {
	d := newDisk(1)
	long := run(1, 5, 3000)
	appendTo(t, create(t, d, ""), long)
	got, err := resume(t, d).Find(id(1))
	if err != nil || len(got) != 3 {
		t.Fatalf("%d runs, %v", len(got), err)
	}
	var sums []digest.Sum
	for _, r := range got {
		if r.First != 5+int64(len(sums)) {
			t.Errorf("a run from %d, want %d", r.First, 5+len(sums))
		}
		sums = append(sums, r.Sums...)
	}
	if !reflect.DeepEqual(sums, long.Sums) {
		t.Error("the digests have changed")
	}
}

func TestManyRunsAtOnceMakeSeveralRecords(t *testing.T) {
	var runs []Run
	for i := range 5000 {
		runs = append(runs, run(i%700, int64(i), 1+i%3))
	}
	d := newDisk(1)
	j := create(t, d, "")
	appendTo(t, j, runs...)
	want(t, j, runs...)
	want(t, resume(t, d), runs...)
}

func TestNothingIsNotRecorded(t *testing.T) {
	d := newDisk(1)
	j := create(t, d, "")
	end := j.end
	appendTo(t, j)
	appendTo(t, j, Run{ID: id(1), First: 3})
	if j.end != end {
		t.Error("the journal has grown")
	}
	want(t, j)
}

// TestImpossibleRunIsRefused: a record that could not be read would hide all
// those behind it.
func TestImpossibleRunIsRefused(t *testing.T) {
	d := newDisk(1)
	j := create(t, d, "")
	for _, first := range []int64{-1, math.MinInt64, math.MaxInt64, math.MaxInt64 - 1} {
		bad := run(1, 0, 2)
		bad.First = first
		if err := j.Append([]Run{run(2, 0, 1), bad}); err == nil {
			t.Errorf("blocks from %d on were recorded", first)
		}
	}
	want(t, j)
	appendTo(t, j, run(3, 0, 1))
	want(t, resume(t, d), run(3, 0, 1))
}

func TestLazyRunsAreFoundAndSyncedByTheNextAppend(t *testing.T) {
	d := newDisk(1)
	j := create(t, d, "")
	if err := j.AppendLazily([]Run{run(1, 0, 1)}); err != nil {
		t.Fatal(err)
	}
	want(t, j, run(1, 0, 1))
	if len(d.dirty) == 0 {
		t.Error("it was synced")
	}
	appendTo(t, j)
	if len(d.dirty) > 0 {
		t.Error("it was not synced by the next Append")
	}
	want(t, resume(t, d), run(1, 0, 1))
}

func TestForeignFileIsNotTouched(t *testing.T) {
	for name, b := range map[string]string{
		"a letter":       "somebody's letter",
		"one byte":       "x",
		"like ours":      "qftjrnl1, or another version",
		"nearly ours":    "qftjrnX",
		"an image":       string(make([]byte, maxCreated)) + "CD001",
		"zeros and more": "\x00\x00\x00x",
	} {
		d := holding([]byte(b))
		if _, err := Resume(d); !errors.Is(err, ErrForeign) || d.touched > 0 {
			t.Errorf("%s: %v, touched %d times", name, err, d.touched)
		}
		if _, err := ReadHead([]byte(b)); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: its head: %v", name, err)
		}
	}
}

func TestRestOfAnUnfinishedCreateIsEmpty(t *testing.T) {
	d := newDisk(1)
	create(t, d, "some head")
	whole := d.cached
	header := headerFixed + len("some head") + checkSize
	var rests [][]byte
	for n := range header {
		rests = append(rests, whole[:n], make([]byte, n), append(whole[:n:n], make([]byte, 1000)...))
	}
	late := bytes.Clone(whole)
	clear(late[:pageSize]) // the first page never reached the disk
	rests = append(rests, late, make([]byte, MaxHeader+growth))
	for _, b := range rests {
		d := holding(b)
		if _, err := Resume(d); !errors.Is(err, ErrEmpty) || d.touched > 0 {
			t.Errorf("%d bytes: %v, touched %d times", len(b), err, d.touched)
		}
		j := create(t, d, "other")
		appendTo(t, j, run(1, 1, 1))
		want(t, resume(t, d), run(1, 1, 1))
	}
}

func TestCreateLeavesNothingOfWhatWasThere(t *testing.T) {
	d := holding(bytes.Repeat([]byte("old "), 100_000))
	j := create(t, d, "head")
	if len(d.stored) > maxCreated || bytes.Contains(d.stored, []byte("old")) || int64(len(d.stored)) < j.end.at {
		t.Errorf("%d bytes, of which some are old", len(d.stored))
	}
}

func TestRealFileWorks(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Resume(f); !errors.Is(err, ErrEmpty) {
		t.Fatalf("a new file: %v", err)
	}
	j := create(t, f, "head")
	appendTo(t, j, run(1, 0, 5), run(2, 0, 1))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	f, err = os.OpenFile(f.Name(), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	j = resume(t, f)
	defer j.Close()
	want(t, j, run(1, 0, 5), run(2, 0, 1))
}

func TestFindWhileOthersAppend(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	j := create(t, f, "head")
	defer j.Close()
	appendTo(t, j, run(0, 0, 3))
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() {
			for i := range 100 {
				if err := j.AppendLazily([]Run{run(w+1, int64(i), 1), run(0, int64(i), 2)}); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range 100 {
				if got, err := j.Find(id(0)); err != nil || len(got) == 0 || !reflect.DeepEqual(got[0], run(0, 0, 3)) {
					t.Errorf("%d runs, %v", len(got), err)
				}
			}
		})
	}
	wg.Wait()
	if n := j.index.len(); n != 601 {
		t.Errorf("%d runs in the index", n)
	}
}
