package transfer

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// story is one seed's file, link, memory, skips and interruptions.
type story struct {
	*world
	rng     *rand.Rand
	b       []byte
	sc      SenderConfig
	rc      ReceiverConfig
	dir     string
	damaged bool // the link changes bytes
}

// TestAnyInterruption runs a transfer again and again, each time to another
// end: killed, stopped by either side, cut off, closed. After each nothing but
// the right bytes may be under the final name, nothing that the journal
// vouched for may be sent again, and in the end the file must be there.
// QFT_SEEDS sets how many stories are told.
func TestAnyInterruption(t *testing.T) {
	seeds := 16
	if n, err := strconv.Atoi(os.Getenv("QFT_SEEDS")); err == nil {
		seeds = n
	}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := newStory(t, seed)
			for run := 0; !s.chapter(run); run++ {
				if run == 40 {
					t.Fatal("the file does not arrive")
				}
			}
			wantFile(t, filepath.Join(s.dir, "file.bin"), s.b)
		})
		if t.Failed() {
			return
		}
	}
}

func newStory(t *testing.T, seed uint64) *story {
	s := &story{world: newWorld(t, seed), rng: rand.New(rand.NewPCG(seed, 77))}
	size := s.rng.IntN(12 * blockSize)
	if s.rng.IntN(10) == 0 {
		size = s.rng.IntN(3)
	}
	s.b = content(seed, size)
	s.link.piece = []int{1400, 9000, 300_000, blockSize}[s.rng.IntN(4)]
	s.link.batch = 1 + s.rng.IntN(60)
	s.link.loss, s.link.dup = s.rng.Float64()/2, s.rng.Float64()/3
	if s.damaged = s.rng.IntN(4) == 0; s.damaged {
		s.link.corrupt = func(p packet) {
			if s.rng.IntN(2000) == 0 {
				p.data[0] ^= 1
			}
		}
	}
	s.sc.Path, s.dir = place(t, s.b)
	s.rc.Dir = s.dir
	s.sc.Memory = int64(8+s.rng.IntN(25)) << 20
	s.rc.Memory = int64(8+s.rng.IntN(25)) << 20
	if s.rng.IntN(3) == 0 && size > 0 {
		s.rc.Skip = 1 + s.rng.Int64N(int64(size))
		s.sc.Skip = s.rng.Int64N(s.rc.Skip + 1)
		writeFile(t, filepath.Join(s.dir, "file.bin"), s.b[:s.rc.Skip])
	}
	return s
}

// chapter runs the transfer until it ends or is interrupted, and reports
// whether the file has arrived.
func (s *story) chapter(run int) bool {
	s.exec = &delayed{rng: s.world.rng}
	if s.rng.IntN(5) == 0 {
		s.exec = inline{}
	}
	safe := journaled(s.t, s.dir, "file.bin")
	s.connect(s.sc, s.rc)
	rounds := s.rng.IntN(400)
	if run > 12 {
		rounds = 100_000
	}
	over := false
	for ; rounds > 0 && !over; rounds-- {
		s.round()
		s.checkMemory()
		if s.rng.IntN(30) == 0 {
			s.now = s.now.Add(journalPeriod)
		}
		sent, _ := s.s.Done()
		received, _ := s.r.Done()
		over = sent && received
	}
	wantNotSent(s.t, s.world, safe)
	if over {
		return s.ended()
	}
	s.interrupt()
	got, err := os.ReadFile(filepath.Join(s.dir, "file.bin"))
	if err == nil && !bytes.Equal(got, s.b) && !(s.rc.Skip > 0 && bytes.Equal(got, s.b[:s.rc.Skip])) {
		s.t.Fatal("a mixture is in place")
	}
	return err == nil && bytes.Equal(got, s.b)
}

// ended checks an end that nobody forced.
func (s *story) ended() bool {
	s.close()
	_, serr := s.s.Done()
	_, rerr := s.r.Done()
	var e *Error
	damage := s.damaged && errors.As(rerr, &e) && (e.Kind == Corrupt || e.Kind == BadSkip)
	if !damage && (serr != nil || rerr != nil) {
		s.t.Fatalf("sender: %v, receiver: %v", serr, rerr)
	}
	return rerr == nil
}

func (s *story) interrupt() {
	switch s.rng.IntN(5) {
	case 0:
		s.crash()
	case 1:
		s.s.Stop(nil)
		s.s.Step(s.now)
		s.finish()
	case 2:
		s.r.Stop(nil)
		s.r.Step(s.now)
		s.finish()
	case 3:
		s.s.PeerClosed(nil)
		s.r.PeerClosed(nil)
		s.finish()
	case 4:
		s.s.Close()
		s.r.Close()
		for s.exec.round() {
		}
		if !s.s.released || !s.r.released {
			s.t.Fatal("files are still open")
		}
	}
}
