package transfer

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"qft/internal/manifest"
)

// TestManyEntriesTakeLittleMemory: of a hundred thousand entries, few are alive
// at a time, however they end.
func TestManyEntriesTakeLittleMemory(t *testing.T) {
	const dirs, each = 400, 249
	dir := plot(t)
	for i := range dirs {
		for j := range each {
			sow(t, fmt.Appendf(nil, "%d", i*each+j), dir, "t", fmt.Sprintf("directory %d", i), fmt.Sprintf("file number %d", j))
		}
	}
	k := newTaker(t, 1)
	k.mode("later")
	k.piece = 64 << 10
	k.serve(files(filepath.Join(dir, "t")))
	if err := k.run(); err != nil {
		t.Fatal(err)
	}
	k.wantWhole()
	if p := k.s.Progress(); p.Files != dirs*each || p.FilesDone != p.Files {
		t.Errorf("progress %+v", p)
	}
	t.Logf("%d entries at most, %d blocks at most, %d blocks in all", k.most.live, k.most.unsettled, k.last)
	if k.last > 2000 {
		t.Errorf("%d blocks", k.last)
	}
}

// TestReceiverThatDoesNotJudgeStopsTheWalk: no more is found than the window
// has room for.
func TestReceiverThatDoesNotJudgeStopsTheWalk(t *testing.T) {
	dir := plot(t)
	for i := range window + 3000 {
		sow(t, nil, dir, "t", fmt.Sprint(i/1000), fmt.Sprint(i))
	}
	k := newTaker(t, 1)
	k.deaf = true
	k.serve(files(filepath.Join(dir, "t")))
	for range 2000 {
		k.round()
	}
	if n := len(k.entries); n > window || n < window-lastBatch {
		t.Errorf("%d entries were told", n)
	}
	k.deaf = false
	if err := k.run(); err != nil {
		t.Fatal(err)
	}
	k.wantWhole()
	if n := len(k.entries); n != window+3000+2+window/1000+3 {
		t.Errorf("%d entries came", n)
	}
}

// TestReceiverThatVerifiesNothingStopsTheReading: a block that is not verified
// takes a little memory, so there cannot be any number.
func TestReceiverThatVerifiesNothingStopsTheReading(t *testing.T) {
	dir := plot(t)
	path := filepath.Join(dir, "f")
	grove(t, path, 20*blockSize, func(int64) bool { return true })
	k := newTaker(t, 1)
	k.zstd = false
	k.piece = 1 << 21
	k.silent = true
	k.serve(files(path))
	s := k.s
	s.blocks.list.base = -maxUnsettled + 5 // as if so many were on their way
	for range maxUnsettled - 5 {
		s.blocks.list.list = append(s.blocks.list.list, &parcel{void: true})
	}
	for range 500 {
		k.now = k.now.Add(time.Millisecond)
		k.deliver()
		s.Step(k.now)
		k.fresh = nil // all of it has been sent
	}
	if n := s.blocks.list.next(); n != 5 {
		t.Errorf("%d blocks were announced", n)
	}
	s.Close()
}

// TestHeavyEntriesAreFew: with the attributes of an archive, an entry may have
// 32 KiB.
func TestHeavyEntriesAreFew(t *testing.T) {
	dir := plot(t)
	for i := range 3000 {
		sow(t, nil, dir, "t", fmt.Sprint(i))
	}
	k := newTaker(t, 1)
	k.deaf = true
	k.mode("later")
	k.serve(files(filepath.Join(dir, "t")))
	s := k.s
	s.tree.weight = maxWeight + 1
	for range 100 {
		k.round()
	}
	if n := len(k.entries); n > firstBatch {
		t.Errorf("%d entries were told", n)
	}
	s.tree.weight -= maxWeight + 1
	k.deaf = false
	if err := k.run(); err != nil {
		t.Fatal(err)
	}
	if s.tree.weight != 0 {
		t.Errorf("a weight of %d is left", s.tree.weight)
	}
}

func TestEncodingsAreThoseOfTheEntries(t *testing.T) {
	dir := plot(t)
	k := newTaker(t, 1)
	k.serve(files(orchard(t, dir, 1)))
	if err := k.run(); err != nil {
		t.Fatal(err)
	}
	for _, e := range k.entries {
		if got := manifest.Append(nil, &e.Entry); string(got) != string(e.raw) {
			t.Errorf("%s: %x, want %x", e.path, e.raw, got)
		}
	}
}
