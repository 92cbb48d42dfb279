package transfer

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fastDir is a directory in memory if there is one, so that the benchmark
// measures this package and not a disk.
func fastDir(b *testing.B) string {
	dir, err := os.MkdirTemp("/dev/shm", "qft-transfer-bench-")
	if err != nil {
		return b.TempDir()
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// threadTime is the processor time of this thread, which other processes on the
// machine do not change.
func threadTime(b *testing.B) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		b.Fatal(err)
	}
	return time.Duration(ts.Nano())
}

// timed runs works in place and keeps their time apart from the loop's.
type timed struct {
	b     *testing.B
	spent time.Duration
}

func (e *timed) run(work, done func()) {
	start := threadTime(e.b)
	work()
	e.spent += threadTime(e.b) - start
	done()
}

// BenchmarkTransfer moves a file from memory to memory: everything that this
// package does for a byte, on both sides, in processor time of one core. It
// tells apart what the loop spends in ReadBulk, WriteBulk and Step, and what
// the works of either side spend on reading, hashing and writing.
func BenchmarkTransfer(b *testing.B) {
	const size = 256 << 20
	dir := fastDir(b)
	src := filepath.Join(dir, "source")
	if err := os.WriteFile(src, content(1, size), 0o644); err != nil {
		b.Fatal(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	sw, rw := timed{b: b}, timed{b: b}
	var loop time.Duration
	for b.Loop() {
		sc := sending(src)
		sc.Go = sw.run
		s, err := NewSender(sc)
		if err != nil {
			b.Fatal(err)
		}
		rc := receiving(dir)
		rc.Go, rc.Plant.Name = rw.run, "target"
		r, err := NewReceiver(rc)
		if err != nil {
			b.Fatal(err)
		}
		start := threadTime(b)
		move(b, s, r)
		loop += threadTime(b) - start
		os.Remove(filepath.Join(dir, "target"))
	}
	loop -= sw.spent + rw.spent
	for name, d := range map[string]time.Duration{"loop": loop, "sender-work": sw.spent, "receiver-work": rw.spent} {
		b.ReportMetric(float64(b.N)*size/1e6/d.Seconds(), name+"-MB/s")
	}
}

// move carries packets of 1,400 bytes from s to r without loss until both
// are done.
func move(b *testing.B, s *Sender, r *Receiver) {
	var l wire
	s.Start(conn{&l, &l.toReceiver, &l.toSender})
	r.Start(conn{&l, &l.toSender, &l.toReceiver})
	now := time.Unix(1e9, 0)
	packet := make([]byte, 1400)
	for {
		for _, st := range []*stream{&l.toReceiver, &l.toSender} {
			st.arrived = append(st.arrived, st.sent...)
			st.sent = st.sent[:0]
		}
		now = now.Add(time.Millisecond)
		s.Step(now)
		r.Step(now)
		sd, serr := s.Done()
		rd, rerr := r.Done()
		if serr != nil || rerr != nil {
			b.Fatal(serr, rerr)
		}
		if sd && rd {
			s.Close()
			r.Close()
			return
		}
		for k := 0; k < 64 && len(l.fresh) > 0; k++ {
			e := &l.fresh[0]
			p := packet[:min(int64(len(packet)), e.n)]
			if _, ok := s.ReadBulk(p, e.off); !ok || !r.WriteBulk(p, e.off) {
				break
			}
			e.off, e.n = e.off+int64(len(p)), e.n-int64(len(p))
			if e.n == 0 {
				l.fresh = l.fresh[1:]
			}
		}
	}
}
