package udp

import (
	"cmp"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestNothingIsAllocatedPerPacket(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg Config) {
		from, to := listen(t, cfg), listen(t, cfg)
		b := batchOf(addrOf(to), numbered(append(repeat(1400, 30), 20)...))
		late := time.After(patience)
		allocs := testing.AllocsPerRun(100, func() {
			write(t, from, b)
			for n := 0; n < b.Len(); {
				r := next(t, to, late)
				n += r.Len()
				r.Release()
			}
		})
		if allocs != 0 {
			t.Errorf("%v allocations for %d packets there and back", allocs, b.Len())
		}
	})
}

func TestBurstOfTrainsTakesFewReads(t *testing.T) {
	from := listen(t, Config{Addr: loopback4})
	if !from.Stats().Offload {
		t.Skip("this kernel has no segmentation offload")
	}
	want := numbered(repeat(1400, 46*slots)...)
	wantFewReads(t, slots/2, func() *Socket {
		to := bound(t, Config{Addr: loopback4})
		write(t, from, batchOf(addrOf(to), want))
		started(t, to)
		wantPayloads(t, receive(t, to, len(want)), want)
		return to
	})
}

func TestLargestDatagramArrivesWhole(t *testing.T) {
	enterNamespace(t, 0) // for the usual MTU of loopback
	for _, no := range []bool{false, true} {
		cfg := Config{Addr: loopback4, NoOffload: no}
		from, to := listen(t, cfg), listen(t, cfg)
		want := numbered(MaxPayload, 1, MaxPayload)
		write(t, from, batchOf(addrOf(to), want))
		wantPayloads(t, receive(t, to, len(want)), want)
	}
}

// wellBelow is a buffer with slots of 2,048 bytes.
func wellBelow() *Received { return &Received{buf: make([]byte, slots*2048)} }

func TestTruncatedDatagramIsDroppedAndCounted(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg Config) {
		from, to := listen(t, cfg), bound(t, cfg)
		b := batchOf(addrOf(to), numbered(2049, 100, 5000))
		write(t, from, b)
		r, f := wellBelow(), cmp.Or(to.v4, to.v6)
		f.conn.SetReadDeadline(time.Now().Add(patience))
		for to.Stats().Truncated < 2 {
			if err := f.read(r); err != nil {
				t.Fatalf("%v; of two datagrams that do not fit, %d were noticed", err, to.Stats().Truncated)
			}
		}
		// In a train, the small one is lost with the large one before it.
		var want [][]byte
		if !from.Stats().Offload {
			want = numbered(2049, 100)[1:]
		}
		wantPayloads(t, slices.Collect(r.Packets()), want)
	})
}

func TestReaderGoesOnAfterNothingButTruncatedDatagrams(t *testing.T) {
	from, to := listen(t, Config{Addr: loopback4}), bound(t, Config{Addr: loopback4})
	to.pool.free, to.pool.unmade = append(to.pool.free, &Received{buf: make([]byte, slots*2048), pool: to.pool}), 0
	started(t, to)
	write(t, from, batchOf(addrOf(to), numbered(3000)))
	write(t, from, batchOf(addrOf(to), numbered(10)))
	wantPayloads(t, receive(t, to, 1), numbered(10))
}

// control returns a control message as the kernel writes it.
func control(level, kind int32, data ...byte) []byte {
	b := make([]byte, unix.CmsgSpace(len(data)))
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	h.Level, h.Type = level, kind
	h.SetLen(unix.CmsgLen(len(data)))
	copy(b[unix.CmsgLen(0):], data)
	return b
}

func gro(size int32) []byte {
	return control(unix.IPPROTO_UDP, unix.UDP_GRO, unsafe.Slice((*byte)(unsafe.Pointer(&size)), 4)...)
}

func TestSegmentSizeIsFoundAmongControlMessages(t *testing.T) {
	other := control(unix.SOL_SOCKET, unix.SO_TIMESTAMP, make([]byte, 16)...)
	long := gro(1400)
	(*unix.Cmsghdr)(unsafe.Pointer(&long[0])).SetLen(1 << 20)
	for _, c := range []struct {
		name    string
		control []byte
		want    int
	}{
		{"none", nil, 0},
		{"alone", gro(1400), 1400},
		{"second", slices.Concat(other, gro(1400)), 1400},
		{"another only", other, 0},
		{"negative", gro(-5), 0},
		{"two bytes of four", control(unix.IPPROTO_UDP, unix.UDP_GRO, 1, 2), 0},
		{"half a header", gro(1400)[:unix.SizeofCmsghdr/2], 0},
		{"length beyond the end", long, 0},
	} {
		if got := segmentSize(c.control); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func FuzzTrain(f *testing.F) {
	f.Add(gro(1400), []byte("a train"))
	f.Add(gro(3), []byte("cut in three"))
	f.Add(control(unix.SOL_SOCKET, unix.SO_TIMESTAMP, make([]byte, 16)...), []byte{})
	f.Add([]byte{}, make([]byte, 65535))
	f.Fuzz(func(t *testing.T, control, data []byte) {
		size := segmentSize(control)
		if size < 0 {
			t.Fatalf("segment size %d", size)
		}
		r := Received{trains: []train{{To(alice), data, size}}}
		packets := slices.Collect(r.Packets())
		if r.Len() != len(packets) {
			t.Fatalf("%d packets where %d were told", len(packets), r.Len())
		}
		var joined []byte
		for i, p := range packets {
			if size > 0 && i < len(packets)-1 && len(p.Data) != size {
				t.Fatalf("packet %d of %d has %d bytes, want %d", i, len(packets), len(p.Data), size)
			}
			joined = append(joined, p.Data...)
		}
		if string(joined) != string(data) {
			t.Fatalf("%d bytes became %d", len(data), len(joined))
		}
	})
}
