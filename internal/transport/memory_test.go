package transport

import (
	"math"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"testing"
	"time"

	"qft/internal/secret"
)

// sizeOf adds up the memory that v refers to: all of a slice's capacity, and
// whatever pointers lead to, each once. Interfaces are somebody else's.
func sizeOf(v reflect.Value, seen map[uintptr]bool) (n uintptr) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || seen[v.Pointer()] {
			return 0
		}
		seen[v.Pointer()] = true
		return v.Type().Elem().Size() + sizeOf(v.Elem(), seen)
	case reflect.Struct:
		for i := range v.NumField() {
			n += sizeOf(v.Field(i), seen)
		}
	case reflect.Array, reflect.Slice:
		elem := v.Type().Elem()
		if v.Kind() == reflect.Slice {
			n = uintptr(v.Cap()) * elem.Size()
		}
		if refers(elem) {
			for i := range v.Len() {
				n += sizeOf(v.Index(i), seen)
			}
		}
	}
	return n
}

// refers reports whether values of a type may refer to memory elsewhere.
func refers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return true
	case reflect.Array:
		return refers(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if refers(t.Field(i).Type) {
				return true
			}
		}
	}
	return false
}

func (c *Conn) memory() int { return int(sizeOf(reflect.ValueOf(c), map[uintptr]bool{})) }

// TestMemoryOnALongFatPath wants a connection to leave most of 64 MiB to the
// layers above, whose buffers for blocks take 32 MiB, at 1 Gbit/s and 1 s.
func TestMemoryOnALongFatPath(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	const transferMemory = 32 * mib // transfer.Config.Memory when it is zero
	for _, loss := range []float64{0, 0.1} {
		l := link(1000, 500*time.Millisecond)
		l.Loss = loss
		w := newWorld(t, 1, l, l)
		w.sink.blind = true
		w.a.SetSource(zeros{})
		w.sendBulk(1 << 40)
		var a, b, records, flight int
		for range 60 {
			w.Run(150*time.Millisecond, nil)
			a, b = max(a, w.a.memory()), max(b, w.b.memory())
			records = max(records, int(w.a.sent.next-w.a.sent.base))
			flight = max(flight, w.a.Stats().InFlight)
		}
		// A ring that grows is there twice for a moment.
		peak := a + len(w.a.sent.ring)/2*int(reflect.TypeFor[sentPacket]().Size())
		t.Logf("%g %% loss: sender %.1f MiB, while growing %.1f MiB, receiver %.2f MiB; %d records of %d bytes, at most %d MB in flight",
			100*loss, float64(a)/mib, float64(peak)/mib, float64(b)/mib, records, reflect.TypeFor[sentPacket]().Size(), flight/1e6)
		if flight < 100e6 {
			t.Errorf("%g %% loss: only %d bytes in flight: nothing was measured", 100*loss, flight)
		}
		if most := max(peak, b) + transferMemory; most > 64*mib {
			t.Errorf("%g %% loss: %d MiB with the layers above", 100*loss, most/mib)
		}
	}
}

// TestMemoryDoesNotGrow runs for hours: QFT_HOURS, or one.
func TestMemoryDoesNotGrow(t *testing.T) {
	skipUnderRace(t)
	hours := 1
	if n, err := strconv.Atoi(os.Getenv("QFT_HOURS")); err == nil {
		hours = n
	}
	l := link(1, 50*time.Millisecond)
	l.Loss, l.Reorder, l.Duplicate = 0.01, 0.01, 0.001
	w := newWorld(t, 1, l, l)
	w.sendBulk(1 << 40)
	w.Run(10*time.Minute, nil)
	heap := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	a, b, all, bytes := w.a.memory(), w.b.memory(), heap(), w.sink.backlog
	w.Run(time.Duration(hours)*time.Hour, nil)
	a2, b2, all2 := w.a.memory(), w.b.memory(), heap()
	share := float64(w.sink.backlog-bytes) * 8 / float64(hours) / 3600 / 1e6 / payloadShare / 0.99
	t.Logf("%d h at %.3f of the rate, %d packets: sender %d to %d bytes, receiver %d to %d, heap %d to %d kB",
		hours, share, w.a.Stats().SentPackets, a, a2, b, b2, all/1000, all2/1000)
	if a2 > a+a/4 || b2 > b+b/4 || all2 > all+mib/2 {
		t.Errorf("memory grows: sender %d to %d bytes, receiver %d to %d, heap %d to %d", a, a2, b, b2, all, all2)
	}
	if b2 > 200e3 {
		t.Errorf("a receiver, which sends next to nothing, holds %d bytes", b2)
	}
	if share < 0.85 {
		t.Errorf("only %.3f of the rate", share)
	}
}

// startAt makes both ends count packets from pn on, as if so many had been
// sent, and with the key that would be used by then.
func (w *world) startAt(pn uint64) {
	for _, c := range []*Conn{w.a, w.b} {
		c.sent.base, c.sent.next, c.loss.scan, c.ccFirst, c.end.phasePN = pn, pn, pn, pn, pn
		c.cfg.Sealer.Update(pn)
	}
}

func TestCountsPassTheir32Bits(t *testing.T) {
	t.Parallel()
	const boundary = 1 << 32
	l := link(50, 20*time.Millisecond)
	l.Loss, l.Reorder, l.Duplicate = 0.05, 0.05, 0.05
	w := newWorld(t, 1, l, l)
	w.startAt(boundary - 500)
	// Bytes received, file offsets, and packets received.
	w.b.acks.counted.bytes = boundary - mib
	w.b.acks.received = boundary - 300
	for _, off := range []int64{boundary - mib, 1<<40 - mib, MaxOffset - 2*mib} {
		w.sink.got = nil
		w.a.SendBulk(off, 2*mib)
		w.hostA.Wake(port)
		if !w.Run(20*time.Second, func() bool { return w.sink.got.covers(off, off+2*mib) && w.a.BulkUnacked() == 0 }) {
			t.Fatalf("2 MiB at %d do not arrive: %+v", off, w.a.Stats())
		}
	}
	if w.a.sent.next < boundary+1000 || w.b.acks.counted.bytes < boundary {
		t.Errorf("the boundary was not passed: %d packets, %d bytes", w.a.sent.next, w.b.acks.counted.bytes)
	}
}

func TestManyKeyUpdates(t *testing.T) {
	t.Parallel()
	l := link(10, 20*time.Millisecond)
	l.Loss, l.Reorder, l.Duplicate = 0.1, 0.05, 0.05
	w := newWorld(t, 1, l, l)
	w.startAt(math.MaxUint32 - 10_000)
	w.sendBulk(1 << 40)
	updates := 0
	for range 1200 {
		w.Run(100*time.Millisecond, nil)
		for _, c := range []*Conn{w.a, w.b} {
			// As begin does when a key is used up.
			if c.loss.anyAcked && c.loss.newest >= c.end.phasePN {
				c.cfg.Sealer.Update(c.sent.next)
				c.end.phasePN = c.sent.next
				updates++
			}
		}
	}
	share := float64(w.sink.backlog) * 8 / 120 / 10e6 / 0.9 / payloadShare
	t.Logf("%d key updates, %.3f of the rate", updates, share)
	if updates < 1000 || share < 0.9 {
		t.Errorf("%d key updates, %.3f of the rate; %+v", updates, share, w.a.Stats())
	}
	if s := w.b.Stats(); s.Rejected > s.Received/4 {
		t.Errorf("%d packets did not open", s.Rejected)
	}
}

// TestLargestPacketNumbersWork: nobody ever gets there, but nothing breaks just
// before it.
func TestLargestPacketNumbersWork(t *testing.T) {
	l := link(10, 5*time.Millisecond)
	w := newWorld(t, 1, l, l)
	w.startAt(1<<62 - 1 - secret.KeyLimit)
	w.sendBulk(mib)
	w.wantBulk(mib, time.Minute)
}
