package secret

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// line is one direction: what one side seals, the other opens.
type line struct {
	t testing.TB
	s *Sealer
	o *Opener
}

func newLine(t testing.TB, aes bool) *line {
	secret := bytes.Repeat([]byte{7}, trafficSize)
	return &line{t, newSealer(slices.Clone(secret), aes), newOpener(slices.Clone(secret), aes)}
}

// sent is a sealed packet on its way.
type sent struct {
	pkt   []byte
	pn    uint64
	phase byte
}

const testHeader = "header"

func text(pn uint64) string { return fmt.Sprint("text of ", pn) }

func (l *line) seal(pn uint64) sent {
	l.t.Helper()
	pkt := make([]byte, 0, 100)
	pkt = append(append(pkt, testHeader...), text(pn)...)
	out, err := l.s.Seal(pkt, len(testHeader), pn)
	if err != nil {
		l.t.Fatalf("sealing %d: %v", pn, err)
	}
	if len(out) != len(pkt)+Overhead || &out[0] != &pkt[0] {
		l.t.Fatalf("sealing %d: not in place, or %d bytes of %d", pn, len(out), len(pkt))
	}
	return sent{out, pn, l.s.Phase()}
}

func (l *line) open(p sent) ([]byte, error) {
	return l.o.Open(slices.Clone(p.pkt), len(testHeader), p.pn, p.phase)
}

func (l *line) wantOpen(p sent) {
	l.t.Helper()
	if got, err := l.open(p); err != nil || string(got) != text(p.pn) {
		l.t.Errorf("opening %d in phase %d: %q, %v", p.pn, p.phase, got, err)
	}
}

func (l *line) wantErr(p sent, want error) {
	l.t.Helper()
	if got, err := l.open(p); !errors.Is(err, want) || got != nil {
		l.t.Errorf("opening %d in phase %d: %q, %v, want %v", p.pn, p.phase, got, err, want)
	}
}

func (l *line) wantPhase(want byte) {
	l.t.Helper()
	if l.o.phase != want {
		l.t.Errorf("the opener is in phase %d, want %d", l.o.phase, want)
	}
}

func bothSuites(t *testing.T, test func(t *testing.T, l *line)) {
	for _, aes := range []bool{true, false} {
		t.Run(fmt.Sprint("aes ", aes), func(t *testing.T) { test(t, newLine(t, aes)) })
	}
}

func TestPacketsOpenInAnyOrderOnce(t *testing.T) {
	bothSuites(t, func(t *testing.T, l *line) {
		var all []sent
		for pn := range uint64(100) {
			all = append(all, l.seal(pn*3))
		}
		for i := range all {
			l.wantOpen(all[i*37%len(all)])
		}
		for _, p := range all {
			l.wantErr(p, ErrReplay)
		}
	})
}

func TestSessionsSealForEachOther(t *testing.T) {
	m := meet(t, 1, testCode, testCode).finish()
	ab := &line{t, m.si.Sealer(), m.sr.Opener()}
	ba := &line{t, m.sr.Sealer(), m.si.Opener()}
	a, b := ab.seal(5), ba.seal(5)
	if bytes.Equal(a.pkt, b.pkt) {
		t.Error("both directions have one key")
	}
	ab.wantErr(b, ErrAuth) // reflected
	ba.wantErr(a, ErrAuth)
	ab.wantOpen(a)
	ba.wantOpen(b)
}

func TestAlteredPacketsDoNotOpen(t *testing.T) {
	bothSuites(t, func(t *testing.T, l *line) {
		p := l.seal(9)
		for at := range p.pkt {
			bad := sent{slices.Clone(p.pkt), p.pn, p.phase}
			bad.pkt[at] ^= bits(at)
			l.wantErr(bad, ErrAuth)
			l.wantErr(sent{p.pkt[:at], p.pn, p.phase}, ErrAuth)
		}
		l.wantErr(sent{p.pkt, 8, p.phase}, ErrAuth)
		l.wantErr(sent{p.pkt, 9 + 1<<32, p.phase}, ErrAuth)
		l.wantErr(sent{p.pkt, p.pn, 1}, ErrAuth)
		l.wantErr(sent{p.pkt, p.pn, 2}, ErrAuth)
		l.wantErr(sent{p.pkt, 1 << 62, p.phase}, ErrAuth)
		if _, err := l.o.Open(slices.Clone(p.pkt), -1, p.pn, p.phase); !errors.Is(err, ErrAuth) {
			t.Errorf("negative header: %v", err)
		}
		l.wantOpen(p) // nothing of all that has changed the opener
	})
}

func TestEmptyPacketsAndHeaders(t *testing.T) {
	l := newLine(t, true)
	for pn, hdr := range []int{0, 4} {
		pkt, err := l.s.Seal(make([]byte, hdr, hdr+Overhead), hdr, uint64(pn))
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := l.o.Open(pkt, hdr, uint64(pn), 0); err != nil || len(plain) != 0 {
			t.Errorf("header of %d: %q, %v", hdr, plain, err)
		}
	}
}

func TestSealNeedsRoomAndOrder(t *testing.T) {
	l := newLine(t, true)
	for _, c := range []struct{ length, capacity, hdr int }{{10, 25, 4}, {10, 26, 11}, {10, 26, -1}} {
		if _, err := l.s.Seal(make([]byte, c.length, c.capacity), c.hdr, 0); err == nil {
			t.Errorf("sealed %+v", c)
		}
	}
	l.seal(5)
	for _, pn := range []uint64{5, 4, 0} {
		if _, err := l.s.Seal(make([]byte, 10, 100), 4, pn); err == nil {
			t.Errorf("number %d after 5: a nonce repeats", pn)
		}
	}
	l.seal(6)
}

func TestKeyUpdateWithReorderingAcrossTheBoundary(t *testing.T) {
	bothSuites(t, func(t *testing.T, l *line) {
		t.Log("# packets 0 to 9 in phase 0, 10 to 19 in phase 1")
		var p []sent
		for pn := range uint64(20) {
			if pn == 10 {
				l.s.Update(pn)
			}
			p = append(p, l.seal(pn))
		}
		l.wantOpen(p[0])
		l.wantOpen(p[8])
		l.wantPhase(0)
		t.Log("# the first of phase 1 to arrive is not its first")
		l.wantOpen(p[13])
		l.wantPhase(1)
		for _, n := range []int{9, 11, 3, 10, 15, 7, 12, 1} {
			l.wantOpen(p[n])
		}
		l.wantPhase(1)
		for _, n := range []int{13, 9, 0, 10} {
			l.wantErr(p[n], ErrReplay)
		}
		t.Log("# a packet may not change its phase")
		l.wantErr(sent{p[2].pkt, 2, 1}, ErrAuth)
		l.wantErr(sent{p[14].pkt, 14, 0}, ErrAuth)
		l.wantPhase(1)
		t.Log("# one more update: the phase bit is 0 again")
		l.s.Update(20)
		l.wantOpen(l.seal(20))
		l.wantPhase(0)
		t.Log("# of phase 0 the key is forgotten, of phase 1 it is kept")
		l.wantErr(p[4], ErrAuth)
		l.wantOpen(p[19])
	})
}

func TestDirectionsUpdateIndependently(t *testing.T) {
	m := meet(t, 2, testCode, testCode).finish()
	ab := &line{t, m.si.Sealer(), m.sr.Opener()}
	ba := &line{t, m.sr.Sealer(), m.si.Opener()}
	for pn := range uint64(6) {
		ab.s.Update(pn)
		ab.wantOpen(ab.seal(pn))
		ba.wantOpen(ba.seal(pn))
	}
	ab.wantPhase(0)
	if ba.wantPhase(0); ba.s.key == ab.s.key || ba.o.prev != nil {
		t.Error("one direction moved the other")
	}
}

func TestGarbageInTheOtherPhaseChangesNothing(t *testing.T) {
	l := newLine(t, true)
	before := l.seal(0)
	l.s.Update(1)
	after := l.seal(1)
	for pn := range uint64(200) {
		l.wantErr(sent{make([]byte, 60), pn, 1}, ErrAuth)
		l.wantErr(sent{make([]byte, 60), pn << 40, 1}, ErrAuth)
	}
	l.wantPhase(0)
	l.wantOpen(before)
	l.wantOpen(after)
	l.wantPhase(1)
}

func TestPreviousKeyIsForgottenBehindTheWindow(t *testing.T) {
	l := newLine(t, true)
	l.wantOpen(l.seal(0))
	l.s.Update(1)
	l.wantOpen(l.seal(1))
	l.wantOpen(l.seal(1 + replayWindow))
	if l.o.prev == nil {
		t.Error("forgotten while packets of the previous phase may still open")
	}
	l.wantOpen(l.seal(2 + replayWindow))
	if l.o.prev != nil {
		t.Error("kept for packets that are all too old")
	}
}

func TestKeyIsDueThenExhausted(t *testing.T) {
	l := newLine(t, true)
	const start = 1000
	l.s.Update(start)
	for pn, due := range map[uint64]bool{0: false, start: false, start + KeyLimit - 1: false, start + KeyLimit: true} {
		if l.s.Due(pn) != due {
			t.Errorf("Due(%d) = %v", pn, !due)
		}
	}
	l.seal(start + hardLimit - 1)
	pkt := make([]byte, 10, 100)
	for _, pn := range []uint64{start + hardLimit, 1 << 62, 1<<64 - 1} {
		_, err := l.s.Seal(pkt, 4, pn)
		wantErr(t, fmt.Sprint("sealing ", pn), err, ErrKeyExhausted)
	}
	l.s.Update(start + hardLimit)
	l.seal(start + hardLimit)
	if hardLimit > 1<<23 {
		t.Error("the limit is above that of RFC 9001")
	}
}

// A transfer that never ends: numbers far beyond 32 bits, keys updated as they
// fall due, packets lost and late around every update.
func TestSessionOutlivesManyKeysAnd32BitNumbers(t *testing.T) {
	bothSuites(t, func(t *testing.T, l *line) {
		const start = 1<<32 - 40*KeyLimit
		l.s.Update(start - 1)
		updates := 0
		for pn := uint64(start); pn < 1<<32+40*KeyLimit; pn += KeyLimit / 3 {
			late := l.seal(pn - 1) // arrives after what follows
			if l.s.Due(pn) {
				l.s.Update(pn)
				updates++
			}
			l.wantOpen(l.seal(pn))
			l.wantOpen(late)
		}
		if updates < 60 {
			t.Errorf("only %d updates", updates)
		}
		l.s.Update(maxPacketNumber - 5)
		l.wantOpen(l.seal(maxPacketNumber))
	})
}

func TestSealAndOpenDoNotAllocate(t *testing.T) {
	bothSuites(t, func(t *testing.T, l *line) {
		buf := make([]byte, 1350, 1350+Overhead)
		pn := uint64(0)
		n := testing.AllocsPerRun(1000, func() {
			pkt, err := l.s.Seal(buf, 12, pn)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := l.o.Open(pkt, 12, pn, 0); err != nil {
				t.Fatal(err)
			}
			if _, err := l.o.Open(pkt, 12, pn, 0); err == nil {
				t.Fatal("replay opened")
			}
			if _, err := l.o.Open(pkt, 12, pn+1, 1); err == nil {
				t.Fatal("garbage opened")
			}
			pn++
		})
		if n != 0 {
			t.Errorf("%v allocations per packet", n)
		}
	})
}

func FuzzOpen(f *testing.F) {
	l := newLine(f, true)
	p := l.seal(7)
	l.s.Update(8)
	q := l.seal(8)
	f.Add(p.pkt, len(testHeader), p.pn, p.phase)
	f.Add(q.pkt, len(testHeader), q.pn, q.phase)
	f.Add(q.pkt, len(testHeader), q.pn, byte(2))
	f.Add([]byte{}, 0, uint64(0), byte(0))
	f.Add(p.pkt, -1, uint64(1<<63), byte(9))
	f.Add(p.pkt[:Overhead], 1, uint64(7), byte(1))
	f.Fuzz(func(t *testing.T, pkt []byte, hdr int, pn uint64, phase byte) {
		real := hdr == len(testHeader) &&
			(bytes.Equal(pkt, p.pkt) && pn == p.pn && phase == p.phase ||
				bytes.Equal(pkt, q.pkt) && pn == q.pn && phase == q.phase)
		l := &line{t: t, o: newLine(t, true).o}
		before := *l.o
		_, err := l.o.Open(slices.Clone(pkt), hdr, pn, phase)
		if real != (err == nil) {
			t.Errorf("Open(%x, %d, %d, %d): %v", pkt, hdr, pn, phase, err)
		}
		if after := *l.o; err != nil && (after.first != before.first || after.phase != before.phase || after.cur != before.cur || after.replay != before.replay) {
			t.Error("garbage changed the opener")
		}
	})
}

func benchmarkPackets(b *testing.B, aes, open bool) {
	l := newLine(b, aes)
	buf := make([]byte, 1350, 1350+Overhead)
	sealed, err := l.s.Seal(buf, 12, 0)
	if err != nil {
		b.Fatal(err)
	}
	keep, pn := slices.Clone(sealed), uint64(0)
	b.SetBytes(1350)
	for b.Loop() {
		if open {
			copy(sealed, keep)
			l.o.replay.top, l.o.replay.ring[0] = 0, 0
			if _, err = l.o.Open(sealed, 12, 0, 0); err != nil {
				b.Fatal(err)
			}
			continue
		}
		pn++
		if l.s.Due(pn) {
			l.s.Update(pn)
		}
		if _, err = l.s.Seal(buf, 12, pn); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSealAES(b *testing.B)    { benchmarkPackets(b, true, false) }
func BenchmarkSealChaCha(b *testing.B) { benchmarkPackets(b, false, false) }
func BenchmarkOpenAES(b *testing.B)    { benchmarkPackets(b, true, true) }
func BenchmarkOpenChaCha(b *testing.B) { benchmarkPackets(b, false, true) }
