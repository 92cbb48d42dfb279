package rendezvous

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"qft/internal/udp"
)

// crowd is a helper with n members in rooms of two, each with a packet that
// keeps it alive.
func crowd(b testing.TB, n int) (d *desk, from []netip.AddrPort, packets [][]byte) {
	d = newDesk(b, ServerConfig{Members: 2 * n})
	for i := range uint32(n) {
		var ip [4]byte
		binary.BigEndian.PutUint32(ip[:], 0x0a000000+i)
		src := netip.AddrPortFrom(netip.AddrFrom4(ip), 4000)
		var k key
		binary.BigEndian.PutUint32(k[:], i)
		d.now = d.now.Add(time.Second / time.Duration(n))
		q := request{typ: typeJoin, cookie: d.cookies.issue(d.now, src), req: 1, room: NumberedRoom(1 + i/2), role: Sender + Role(i%2), key: k}
		from, packets = append(from, src), append(packets, q.append(nil))
		d.raw(src, packets[i])
	}
	for i, src := range from {
		m := d.members[key(packets[i][joinSize-sumSize-16:]).id()]
		d.ask(src, request{typ: typeAck, cookie: d.cookies.issue(d.now, src), from: m.id, seq: m.others().version})
	}
	return d, from, packets
}

// BenchmarkKeepAlive measures what a helper does most: one member's keep-alive
// with 50,000 members present, answer included.
func BenchmarkKeepAlive(b *testing.B) {
	const n = 50_000
	d, from, packets := crowd(b, n)
	if st := d.Stats(); st.Members != n || st.Rooms != n/2 {
		b.Fatalf("%+v", st)
	}
	joins := d.Stats().Joins
	batch := udp.NewBatch(1 << 20)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		d.now = d.now.Add(10 * time.Second / n) // as often as so many members do
		d.refresh(from, packets, i%n)
		if i%64 == 0 {
			batch.Reset()
			d.Send(d.now, batch)
		}
	}
	b.StopTimer()
	if got := d.Stats().Joins - joins; got != uint64(b.N) {
		b.Fatalf("%d of %d were served: %+v", got, b.N, d.Stats())
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "keepalives/s")
}

// refresh hands over the keep-alive of member i with a cookie that holds.
func (d *desk) refresh(from []netip.AddrPort, packets [][]byte, i int) {
	p := packets[i]
	c := d.cookies.issue(d.now, from[i])
	copy(p[headerSize:], c[:])
	d.Receive(d.now, udp.Packet{Path: udp.To(from[i]), Data: finish(p[:len(p)-sumSize], 0)})
}

func BenchmarkHello(b *testing.B) {
	d := newDesk(b, ServerConfig{})
	hello := (&request{typ: typeHello}).append(nil)
	batch := udp.NewBatch(1 << 20)
	b.ReportAllocs()
	for i := range b.N {
		d.now = d.now.Add(10 * time.Millisecond)
		d.Receive(d.now, udp.Packet{Path: udp.To(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 4), byte(i)}), 1)), Data: hello})
		if i%64 == 0 {
			batch.Reset()
			d.Send(d.now, batch)
		}
	}
}
