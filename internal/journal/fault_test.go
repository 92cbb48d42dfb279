package journal

import (
	"bytes"
	"errors"
	"testing"
)

// TestEachCallMayFail lets each call to the file in turn fail: the journal is as
// it was, in memory and on disk, and works again.
func TestEachCallMayFail(t *testing.T) {
	broken := errors.New("broken")
	for n := 0; ; n++ {
		d := newDisk(uint64(n))
		j := create(t, d, "head")
		appendTo(t, j, run(0, 0, 1))
		calls := 0
		d.fails = func(string) error {
			if calls++; calls == n+1 {
				return broken
			}
			return nil
		}
		good := []Run{run(0, 0, 1)}
		failed := false
		for i := range 40 { // several times the file grows
			runs := []Run{run(i, 1, 100), run(i, 2, 1)}
			if err := j.Append(runs); err == nil {
				good = append(good, runs...)
			} else if failed = true; !errors.Is(err, broken) {
				t.Fatalf("call %d: %v", n, err)
			}
			if calls <= n || i > 30 {
				d.fails = nil
				want(t, j, good...)
			}
		}
		want(t, resume(t, d), good...)
		if calls <= n {
			return
		}
		if n < 5 && !failed && calls > n+1 {
			t.Logf("call %d was one whose failure does no harm", n)
		}
	}
}

// TestCreateThatFailsIsDoneAgain: what it leaves is taken for empty, or is the
// journal.
func TestCreateThatFailsIsDoneAgain(t *testing.T) {
	for _, bad := range []string{"truncate", "write", "sync"} {
		d := newDisk(1)
		d.fails = func(call string) error {
			if call == bad {
				return errors.New("broken")
			}
			return nil
		}
		if _, err := Create(d, []byte("head")); err == nil {
			t.Errorf("%s: no error", bad)
		}
		d.powerCut()
		if _, err := Resume(d); err != nil && !errors.Is(err, ErrEmpty) {
			t.Errorf("%s: %v", bad, err)
		}
		j := create(t, d, "head")
		appendTo(t, j, run(1, 2, 3))
		want(t, resume(t, d), run(1, 2, 3))
	}
}

func TestResumeThatFailsSaysSo(t *testing.T) {
	broken := errors.New("broken")
	d := newDisk(1)
	j := create(t, d, "head")
	var runs []Run
	for i := range 8000 { // several readings
		runs = append(runs, run(i, 0, 2))
	}
	appendTo(t, j, runs...)
	kept := bytes.Clone(d.cached)
	for _, bad := range []string{"read", "truncate", "sync"} {
		for n := 1; ; n++ {
			d := holding(kept)
			calls := 0
			d.fails = func(call string) error {
				if call == bad {
					calls++
				}
				if call == bad && calls == n {
					return broken
				}
				return nil
			}
			_, err := Resume(d)
			if calls < n {
				if err != nil || n == 1 {
					t.Errorf("%s: %v, %d calls", bad, err, calls)
				}
				break
			}
			if !errors.Is(err, broken) {
				t.Errorf("%s %d fails: %v", bad, n, err)
			}
			if bad == "read" && d.touched > 0 {
				t.Errorf("read %d fails: the file was touched", n)
			}
			d.fails = nil
			want(t, resume(t, d), runs...)
		}
	}
}

// TestJournalHasRoomAhead: when the data has filled the disk, the journal can
// still say what is safe.
func TestJournalHasRoomAhead(t *testing.T) {
	for _, size := range []int{1, 100, 2000} {
		d := newDisk(1)
		j := create(t, d, "head")
		var good []Run
		for i := range 30 {
			var runs []Run
			for k := range size {
				runs = append(runs, run(k, int64(i), 1))
			}
			if i%10 == 9 {
				d.limit = len(d.cached) // the rest of the disk is taken
			}
			appendTo(t, j, runs...)
			good = append(good, runs...)
			if d.limit > 0 {
				d.limit = 0
				continue
			}
			if got := int64(len(d.cached)) - j.end.at; got < spare {
				t.Fatalf("after %d appends of %d there are %d bytes of room", i+1, size, got)
			}
			if len(bytes.Trim(d.cached[j.end.at:], "\x00")) > 0 {
				t.Fatal("the room is not zeros")
			}
		}
		want(t, resume(t, d), good...)
	}
}

func TestFullDiskLeavesTheJournalAsItWas(t *testing.T) {
	d := newDisk(1)
	j := create(t, d, "head")
	appendTo(t, j, run(1, 0, 3))
	d.limit = len(d.cached)
	var many []Run
	for i := range 4000 {
		many = append(many, run(i, 0, 1))
	}
	if err := j.Append(many); !errors.Is(err, errNoSpace) {
		t.Fatalf("a full disk: %v", err)
	}
	if len(d.cached) < d.limit {
		t.Error("it gave room away")
	}
	want(t, j, run(1, 0, 3))
	appendTo(t, j, run(2, 0, 3)) // there is room for a little
	d.limit = 0
	appendTo(t, j, many...)
	want(t, resume(t, d), append([]Run{run(1, 0, 3), run(2, 0, 3)}, many...)...)
}
