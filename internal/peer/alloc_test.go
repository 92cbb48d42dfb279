package peer

import (
	"runtime"
	"testing"
	"time"
)

// measured bytes pass between two looks at the allocator, after as many to warm
// up: buffers are made on first use, and the collector's own work is spread.
const measured = 64 << 20

// pump sends or takes bytes without end.
type pump struct {
	link   *Link
	sender bool
	taken  int64
	before measurement
	after  measurement
}

type measurement struct {
	mallocs uint64
	packets uint64
}

func (p *pump) look() measurement {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return measurement{m.Mallocs, p.link.Stats().Received}
}

func (p *pump) Start(_ time.Time, l Link) {
	p.link = &l
	if p.sender {
		l.SetSource(p)
		l.SendBulk(0, 3*measured)
	} else {
		l.SetSink(p)
	}
}

func (p *pump) ReadBulk(b []byte, _ int64) (int, bool) { return len(b), true }

func (p *pump) WriteBulk(b []byte, _ int64) bool {
	p.taken += int64(len(b))
	return true
}

func (p *pump) BulkWindow() int64 { return 1 << 20 }

func (p *pump) Step(now time.Time) {
	switch {
	case p.sender:
	case p.taken >= 2*measured && p.after.packets == 0:
		p.after = p.look()
		p.link.Close(now, 0, "")
	case p.taken >= measured && p.before.packets == 0:
		p.before = p.look()
	}
}

func (p *pump) Deadline() time.Time { return time.Time{} }
func (p *pump) Stop(time.Time)      {}
func (p *pump) Done() bool          { return p.link == nil || p.link.Err() != nil }

// TestNothingIsAllocatedPerPacket counts all that both ends allocate, sockets,
// loops and machines together, for packets of the usual size.
func TestNothingIsAllocatedPerPacket(t *testing.T) {
	if underRace {
		t.Skip("the race detector allocates")
	}
	from, to := &pump{sender: true}, &pump{}
	run(t, 1400, from, to)
	packets := to.after.packets - to.before.packets
	allocs := to.after.mallocs - to.before.mallocs
	if packets < 10_000 {
		t.Fatalf("only %d packets: nothing was measured", packets)
	}
	t.Logf("%d allocations for %d packets", allocs, packets)
	// A batch of packets may cost something; a packet may not.
	if per := float64(allocs) / float64(packets); per > 0.01 {
		t.Errorf("%.3f allocations per packet (%d for %d)", per, allocs, packets)
	}
}
