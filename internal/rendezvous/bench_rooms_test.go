package rendezvous

import (
	"encoding/binary"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"qft/internal/udp"
)

// TestWhatAWaitingMemberCosts: a million times over, so that a field more shows.
func TestWhatAWaitingMemberCosts(t *testing.T) {
	for name, s := range map[string][2]uintptr{
		"member": {unsafe.Sizeof(member{}), 128},
		"room":   {unsafe.Sizeof(room{}), 64},
		"source": {unsafe.Sizeof(source{}), 64},
	} {
		if s[0] > s[1] {
			t.Errorf("a %s has %d bytes, want at most %d", name, s[0], s[1])
		}
	}
}

// TestBenchRooms fills a helper with a million senders, each from an address of
// its own, with a number assigned, and lets them wait for two minutes, their
// keep-alives on time.
func TestBenchRooms(t *testing.T) {
	if os.Getenv("QFT_BENCH") == "" {
		t.Skip("QFT_BENCH is not set")
	}
	const n = 1_000_000
	d := newDesk(t, ServerConfig{Members: n + 1, Joins: n})
	batch := udp.NewBatch(1 << 20)
	drain := func() {
		for due(d.Deadline(), d.now) {
			batch.Reset()
			d.Send(d.now, batch)
		}
	}
	var packet []byte
	join := func(i int, req uint32) {
		var k key
		binary.BigEndian.PutUint32(k[:], uint32(i))
		src := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 4000)
		q := request{typ: typeJoin, cookie: d.cookies.issue(d.now, src), req: req, room: NumberedRoom(0), role: Sender, key: k}
		packet = q.append(packet[:0])
		d.Receive(d.now, udp.Packet{Path: udp.To(src), Data: packet})
		if i%64 == 0 {
			drain()
		}
	}
	start, began := time.Now(), d.now
	round := func(req uint32, over time.Duration) {
		for i := range n {
			d.now = d.now.Add(over / n)
			join(i, req)
		}
	}
	round(1, 30*time.Second)
	filled := time.Since(start)
	for req := range uint32(6) {
		round(2+req, 10*time.Second)
	}
	drain()
	if st := d.Stats(); st.Rooms != n || st.Members != n || st.Expired+st.Refused != 0 {
		t.Fatalf("%+v", st)
	}
	rss, peak := status(t, "VmRSS:"), status(t, "VmHWM:")
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	t.Logf("1,000,000 waiting rooms: %d MiB resident, %d MiB at most, %d MiB of it live; %d collections (%v); %v to fill, %.0f keep-alives/s",
		rss, peak, m.HeapAlloc>>20, m.NumGC, time.Duration(m.PauseTotalNs),
		filled.Round(time.Millisecond), 6*n/(time.Since(start)-filled).Seconds())
	t.Logf("in %v of virtual time", d.now.Sub(began))
	if peak > 500 {
		t.Errorf("%d MiB at most, want 500", peak)
	}
}

// status reads a size in MiB from what Linux says of this process.
func status(t *testing.T, field string) int {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); f[0] == field {
			kib, _ := strconv.Atoi(f[1])
			return kib >> 10
		}
	}
	t.Skip("no ", field)
	return 0
}
