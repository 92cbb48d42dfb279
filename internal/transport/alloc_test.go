package transport

import (
	"net/netip"
	"testing"
	"time"

	"qft/internal/lab"
	"qft/internal/udp"
)

// direct joins two connections by nothing but a clock: each round, what one
// sends the other receives.
type direct struct {
	a, b *Conn
	now  time.Time
	out  *udp.Batch
}

var addrA, addrB = netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:2")

func newDirect(t testing.TB) *direct {
	w := lab.New(1)
	sa, sb := sessions(t, w)
	d := &direct{now: w.Now(), out: udp.NewBatch(256 << 10)}
	// A bounded payload keeps path MTU probing out of the picture.
	d.a = NewConn(d.now, Config{Rand: w.Entropy(), Sealer: sa.Sealer(), Opener: sa.Opener(), SendID: 1, ReceiveID: 2, Path: udp.To(addrB), RTT: time.Millisecond, MaxPayload: BaseMTU})
	d.b = NewConn(d.now, Config{Rand: w.Entropy(), Sealer: sb.Sealer(), Opener: sb.Opener(), SendID: 2, ReceiveID: 1, Path: udp.To(addrA), RTT: time.Millisecond, MaxPayload: BaseMTU})
	d.a.SetSource(zeros{})
	d.b.SetSink(accepting{})
	d.a.SendBulk(0, 1<<40)
	return d
}

type zeros struct{}

func (zeros) ReadBulk(p []byte, _ int64) (int, bool) { return len(p), true }

// round lets a fraction of a millisecond pass and returns how many packets a
// has sent.
func (d *direct) round() int {
	d.now = d.now.Add(200 * time.Microsecond)
	d.out.Reset()
	d.a.Send(d.now, d.out)
	n := d.out.Len()
	for p := range d.out.All() {
		d.b.Receive(d.now, udp.Packet{Path: udp.To(addrA), Data: p.Data})
	}
	d.out.Reset()
	d.b.Send(d.now, d.out)
	for p := range d.out.All() {
		d.a.Receive(d.now, udp.Packet{Path: udp.To(addrB), Data: p.Data})
	}
	return n
}

func TestAllocationsPerPacket(t *testing.T) {
	skipUnderRace(t)
	d := newDirect(t)
	for range 3000 {
		d.round()
	}
	packets := 0
	allocs := testing.AllocsPerRun(2000, func() { packets += d.round() })
	if per := allocs * 2000 / float64(packets); per > 0.01 {
		t.Errorf("%.3f allocations per packet", per)
	}
	if packets < 10000 {
		t.Errorf("only %d packets: nothing was measured", packets)
	}
}

func BenchmarkPackets(b *testing.B) {
	d := newDirect(b)
	for range 3000 {
		d.round()
	}
	b.ReportAllocs()
	b.ResetTimer()
	n := 0
	for n < b.N {
		n += d.round()
	}
	b.SetBytes(BaseMTU)
}
