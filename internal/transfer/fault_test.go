package transfer

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"qft/internal/plant"
	"qft/internal/plant/faulty"
)

// station is a receiver's simulated disk and a source that it receives again
// and again until all of it is there.
type station struct {
	t    *testing.T
	rng  *rand.Rand
	disk *faulty.Disk
	from string
	want map[string]string
	runs uint64
}

func newStation(t *testing.T, seed uint64, opt faulty.Options) *station {
	from, _ := trees(t, mixed(seed, 6<<20), seed)
	s := &station{t: t, rng: rand.New(rand.NewPCG(seed, 8)), disk: faulty.New(seed, opt), from: from}
	s.look()
	return s
}

// portrait is what of a file must arrive.
func portrait(mode fs.FileMode, mtime time.Time, content []byte) string {
	if mode&fs.ModeSymlink != 0 {
		return "link to " + string(content)
	}
	return fmt.Sprintf("%v %d %s", mode, mtime.UnixNano(), bytesSum(content))
}

// begin starts one more transfer.
func (s *station) begin() *world {
	s.runs++
	w := newWorld(s.t, s.rng.Uint64())
	w.link.loss = 0.05
	w.exec = &delayed{rng: w.rng}
	rc := ReceiverConfig{Plant: plant.Config{Dir: "there", FS: s.disk.FS()}}
	w.connect(sending(items(s.t, s.from)...), rc)
	return w
}

// wantWhole checks everything that is not hidden: it is what was sent. all says
// that nothing may be missing or left over.
func (s *station) wantWhole(all bool) {
	s.t.Helper()
	got := make(map[string]string)
	s.disk.Each(func(p string, mode fs.FileMode, mtime time.Time, content []byte) {
		if all || !strings.HasPrefix(p, ".") {
			got[p] = portrait(mode, mtime, content)
		}
	})
	for p, g := range got {
		if w := s.want[p]; g != w {
			s.t.Errorf("run %d: %q is %q, want %q", s.runs, p, g, w)
		}
	}
	for p := range s.want {
		_, there := got[p]
		item, _, _ := strings.Cut(p, "/")
		if _, begun := got[item]; !there && (all || begun) {
			s.t.Errorf("run %d: %q is missing", s.runs, p)
		}
	}
	if s.t.Failed() {
		s.t.FailNow()
	}
}

// TestPowerFailsAtAnyMoment: whatever the disk loses of what was not synced,
// the next run ends in the same tree, nothing half is ever under a final name,
// and what the journal vouches for is there.
func TestPowerFailsAtAnyMoment(t *testing.T) {
	for seed := range faultSeeds(t, 10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := newStation(t, seed, faulty.Options{NoSyncAll: seed%3 == 1, NoRenameNew: seed%5 == 1})
			for range 5 {
				w := s.begin()
				s.disk.Fail(faulty.Fault{At: 1 + s.rng.IntN(700), Short: seed%2 == 0})
				for range 100_000 {
					w.round()
					s1, _ := w.s.Done()
					r1, _ := w.r.Done()
					if s.disk.Failed() || s1 && r1 {
						break
					}
				}
				w.crash()
				s.disk.Crash()
				s.disk.Fail(faulty.Fault{})
				s.wantWhole(false)
			}
			s.begin().wantDelivered()
			s.wantWhole(true)
		})
	}
}

// TestDiskFailsAtEachCall: any call to the disk fails once, in every way that
// calls fail. The transfer ends on both sides with an error that says so, or
// goes well; the next one ends in the same tree.
func TestDiskFailsAtEachCall(t *testing.T) {
	for seed := range faultSeeds(t, 14) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := newStation(t, seed, faulty.Options{})
			cause := []error{syscall.ENOSPC, syscall.EIO, syscall.EDQUOT}[seed%3]
			w := s.begin()
			s.disk.Fail(faulty.Fault{At: 1 + s.rng.IntN(900), Err: cause, Short: seed%2 == 0})
			sent, received := w.finish()
			var e *Error
			switch {
			case received == nil && sent == nil:
			case !errors.As(received, &e) || e.Peer || !errors.As(sent, &e) || !e.Peer:
				t.Errorf("sender: %v, receiver: %v", sent, received)
			}
			s.disk.Fail(faulty.Fault{})
			s.wantWhole(false)
			again := s.begin()
			again.wantDelivered()
			s.wantWhole(true)
		})
	}
}

// faultSeeds is how many seeds a test runs: QFT_CRASH, or few.
func faultSeeds(t *testing.T, few uint64) uint64 {
	n, err := strconv.ParseUint(os.Getenv("QFT_CRASH"), 10, 32)
	if err != nil {
		return seeds(few)
	}
	t.Logf("%d seeds", n)
	return n
}

// seeds is n, and a fourth of it with the race detector: it makes these tests
// ten times slower, and looks at the goroutines of one seed as at those of all.
// Each test runs in full without it.
func seeds(n uint64) uint64 {
	if underRace {
		return (n + 3) / 4
	}
	return n
}
