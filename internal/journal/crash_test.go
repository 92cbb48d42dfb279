package journal

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
)

// TestTornJournalIsReadUpToTheTear cuts and spoils a journal at every byte, and
// goes on behind the tear with a record as long as the one that was lost, so
// that the next old one, if it were still there, would follow it.
func TestTornJournalIsReadUpToTheTear(t *testing.T) {
	d := newDisk(1)
	j := create(t, d, "head")
	header := int(j.end.at)
	var runs []Run
	var ends []int
	for i := range 3 {
		r := []Run{run(i, int64(i), 2), run(9, int64(i), 1)}
		appendTo(t, j, r...)
		runs = append(runs, r...)
		ends = append(ends, int(j.end.at))
	}
	whole := d.cached[:j.end.at]
	for at := range whole {
		spoilt := bytes.Clone(whole)
		spoilt[at] ^= 1 << (at % 8)
		for name, b := range map[string][]byte{
			"cut": whole[:at], "zeros": append(whole[:at:at], make([]byte, 5000)...), "spoilt": spoilt,
		} {
			d := holding(b)
			j, err := Resume(d)
			// Zeros in place of zeros, such as the end of a checksum now and
			// then is, leave what was there whole.
			reach := at
			for name == "zeros" && reach < len(whole) && whole[reach] == 0 {
				reach++
			}
			switch {
			case at < header && name == "spoilt" && at < len(magic):
				if !errors.Is(err, ErrForeign) {
					t.Errorf("%s at %d: %v", name, at, err)
				}
				continue
			case reach < header:
				if !errors.Is(err, ErrEmpty) {
					t.Errorf("%s at %d: %v", name, at, err)
				}
				continue
			case err != nil:
				t.Fatalf("%s at %d: %v", name, at, err)
			}
			good, _ := slices.BinarySearch(ends, reach+1) // records that end at or before reach
			left := runs[:2*good]
			want(t, j, left...)
			more := []Run{run(7, 70, 2), run(8, 80, 1)}
			appendTo(t, j, more...)
			want(t, resume(t, d), append(left[:len(left):len(left)], more...)...)
		}
	}
}

func TestRecordOfAnotherJournalIsNotValid(t *testing.T) {
	one, two := newDisk(1), newDisk(2)
	j := create(t, one, "same head")
	from := j.end.at
	appendTo(t, j, run(1, 1, 1))
	create(t, two, "same head")
	if _, err := two.WriteAt(one.cached[from:], from); err != nil {
		t.Fatal(err)
	}
	want(t, resume(t, two))
}

// TestRemainsOfAFailureDoNotComeBack: two records fail, and the file cannot be
// cut at once either. What is written later has the length of the first of
// them, so that the second one follows it.
func TestRemainsOfAFailureDoNotComeBack(t *testing.T) {
	d := newDisk(1)
	j := create(t, d, "head")
	appendTo(t, j, run(1, 1, 1))
	d.fails = func(call string) error {
		if call == "sync" || call == "truncate" {
			return errors.New("broken")
		}
		return nil
	}
	long := run(2, 0, 2*maxSums) // is two records
	if err := j.Append([]Run{long}); err == nil {
		t.Fatal("no error")
	}
	want(t, j, run(1, 1, 1))
	if err := j.Append([]Run{run(3, 0, maxSums)}); err == nil {
		t.Fatal("no error though the file could not be cut")
	}
	d.fails = nil
	half := long
	half.Sums = half.Sums[:maxSums] // just what was written there before
	appendTo(t, j, half)
	want(t, j, run(1, 1, 1), half)
	want(t, resume(t, d), run(1, 1, 1), half)
}

// TestPowerCutLosesNothingThatIsDurable writes, fails, and cuts the power at
// random: whatever Append has confirmed must be there, and nothing that was
// never written.
func TestPowerCutLosesNothingThatIsDurable(t *testing.T) {
	lost, failures := 0, 0
	for seed := range uint64(150) {
		d := newDisk(seed)
		j := create(t, d, fmt.Sprint(seed))
		var sure []Run            // confirmed, in order
		tried := map[int64]bool{} // First of each run ever written: all differ
		next := int64(0)
		for range 6 {
			var hopes []Run // written behind the last that are sure
			d.fails = func(call string) error {
				if call != "read" && d.rng.IntN(12) == 0 {
					failures++
					return errors.New("broken")
				}
				return nil
			}
			for range d.rng.IntN(12) {
				var runs []Run
				for range d.rng.IntN(4) {
					runs = append(runs, run(int(next)%5, next, 1+d.rng.IntN(20)))
					tried[next] = true
					next += 1000
				}
				if d.rng.IntN(4) == 0 {
					if j.AppendLazily(runs) == nil {
						hopes = append(hopes, runs...)
					}
				} else if j.Append(runs) == nil {
					sure = append(append(sure, hopes...), runs...)
					hopes = nil
				} else if j.end == j.durable {
					hopes = nil // the sync has failed, or there were none
				}
			}
			d.powerCut()
			j = resume(t, d)
			found := all(t, j, 5)
			wantWithin(t, found, sure, tried)
			lost += len(hopes) - (len(found) - len(sure))
			sure = found
		}
	}
	if lost == 0 || failures < 100 {
		t.Errorf("%d runs were lost and %d calls failed: the test shows little", lost, failures)
	}
}

// all is every run of the first n IDs, in the order they were written.
func all(t *testing.T, j *Journal, n int) (runs []Run) {
	t.Helper()
	for i := range n {
		r, err := j.Find(id(i))
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, r...)
	}
	slices.SortFunc(runs, func(a, b Run) int { return int(a.First - b.First) })
	return runs
}

// wantWithin checks that found begins with sure and goes on with what was
// written.
func wantWithin(t *testing.T, found, sure []Run, tried map[int64]bool) {
	t.Helper()
	if len(found) < len(sure) || !reflect.DeepEqual(found[:len(sure)], sure[:len(sure):len(sure)]) && len(sure) > 0 {
		t.Fatalf("%d runs were sure and %d are there", len(sure), len(found))
	}
	for _, r := range found[len(sure):] {
		if !tried[r.First] || !reflect.DeepEqual(r, run(int(r.First)%5, r.First, len(r.Sums))) {
			t.Fatalf("a run from %d on was never written", r.First)
		}
	}
}
