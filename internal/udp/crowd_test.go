package udp

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"
)

func TestPacketsSayByWhichPortTheyCame(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg Config) {
		client := listen(t, cfg)
		cfg.Crowd = true
		server, also := listenAlso(t, cfg)
		ports := server.Ports()
		if len(ports) != 3 || ports[0] != server.Port() || ports[1] != also[0] || ports[2] != also[1] {
			t.Fatalf("the ports are %v, asked for %v", ports, also)
		}
		b := NewBatch(1000)
		for i, p := range ports {
			b.Add(To(netip.AddrPortFrom(cfg.Addr, p)), []byte{byte(i)})
		}
		write(t, client, b)
		b.Reset()
		for _, p := range receive(t, server, 3) {
			if p.Local != Local(p.Data[0]) || p.Remote != addrOf(client) {
				t.Errorf("the packet to port %d of %v came along %v", p.Data[0], ports, p.Path)
			}
			b.Add(p.Path, p.Data)
		}
		write(t, server, b)
		for _, p := range receive(t, client, 3) {
			if want := netip.AddrPortFrom(cfg.Addr, ports[p.Data[0]]); p.Remote != want {
				t.Errorf("the answer came from %v, want %v", p.Remote, want)
			}
		}
	})
}

// freePorts are two that were free a moment ago.
func freePorts(t testing.TB, a netip.Addr) (all []uint16) {
	t.Helper()
	for range 2 {
		conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: a.AsSlice()})
		if err != nil {
			t.Skip(err)
		}
		defer conn.Close()
		all = append(all, port(conn))
	}
	return all
}

// listenAlso opens a socket with two further ports of its choice.
func listenAlso(t testing.TB, cfg Config) (s *Socket, also []uint16) {
	t.Helper()
	for range 100 {
		cfg.Also = freePorts(t, cfg.Addr)
		s, err := Listen(cfg)
		if errors.Is(err, ErrPortInUse) {
			continue // somebody else on this machine has got one of them meanwhile
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s, cfg.Also
	}
	t.Fatal("no port stays free")
	return nil, nil
}

func TestPortTakenAmongSeveralLeavesNoneOpen(t *testing.T) {
	other := listen(t, Config{Addr: loopback4})
	var err error
	for range 100 {
		first := freePorts(t, loopback4)[0]
		_, err = Listen(Config{Addr: loopback4, Port: first, Also: []uint16{other.Port()}})
		if !errors.Is(err, ErrPortInUse) {
			t.Fatalf("error is %v, want %v", err, ErrPortInUse)
		}
		var s *Socket
		if s, err = Listen(Config{Addr: loopback4, Port: first}); err == nil {
			s.Close()
			return
		} // it may be somebody else's meanwhile, but not each time
	}
	t.Errorf("the first port is not free: %v", err)
}

// TestCrowdLosesOnlyWhatCannotBeSent: what the system refuses stands between
// packets that it takes, in one call.
func TestCrowdLosesOnlyWhatCannotBeSent(t *testing.T) {
	for _, no := range []bool{false, true} {
		from := listen(t, Config{Crowd: true, NoOffload: no})
		a, b := listen(t, Config{Addr: loopback4}), listen(t, Config{Addr: loopback4})
		batch := NewBatch(1 << 20)
		var want [2][][]byte
		bad := uint64(0)
		for i := range 150 {
			p := []byte{byte(i)}
			if i%40 == 7 {
				batch.Add(To(netip.MustParseAddrPort("127.0.0.1:0")), p)
				bad++
				continue
			}
			batch.Add(To(addrOf([]*Socket{a, b}[i%2])), p)
			want[i%2] = append(want[i%2], p)
		}
		write(t, from, batch)
		wantPayloads(t, receive(t, a, len(want[0])), want[0])
		wantPayloads(t, receive(t, b, len(want[1])), want[1])
		st := from.Stats()
		if st.Sent != 150-bad || st.Refused != bad || st.LastRefusal == nil {
			t.Errorf("sent %d, refused %d of 150, of which %d are bad: %v", st.Sent, st.Refused, bad, st.LastRefusal)
		}
		if from.v4.many != nil && st.Writes > 2*bad+3 {
			t.Errorf("150 packets took %d writes", st.Writes)
		}
	}
}

func TestCrowdIsReceivedInFewReads(t *testing.T) {
	const n = 2 * 40
	wantFewReads(t, n/8, func() *Socket {
		to := bound(t, Config{Addr: loopback4, Crowd: true})
		var want [][]byte
		for range 2 {
			from := listen(t, Config{Addr: loopback4})
			p := numbered(repeat(60, n/2)...)
			write(t, from, batchOf(addrOf(to), p))
			want = append(want, p...)
		}
		started(t, to)
		wantPayloads(t, receive(t, to, n), want)
		if to.v4.many == nil {
			t.Skip("this system has no such reads")
		}
		return to
	})
}

// wantFewReads wants so many reads at most for what a socket has received that was
// there before the first of them. A kernel that is busy may put off delivering
// some of it, but not each time.
func wantFewReads(t *testing.T, most uint64, received func() *Socket) {
	t.Helper()
	var reads uint64
	for range 50 {
		s := received()
		if reads = s.Stats().Reads; reads <= most {
			return
		}
		s.Close()
	}
	t.Errorf("it took %d reads, want %d at most", reads, most)
}

func TestCrowdDropsLargePackets(t *testing.T) {
	if crowdSlotSize == slotSize {
		t.Skip("there is room for them on this system")
	}
	from, to := listen(t, Config{Addr: loopback4}), listen(t, Config{Addr: loopback4, Crowd: true})
	want := numbered(crowdSlotSize, crowdSlotSize+1, 1)
	write(t, from, batchOf(addrOf(to), want))
	wantPayloads(t, receive(t, to, 2), [][]byte{want[0], want[2]})
	if n := to.Stats().Truncated; n != 1 {
		t.Errorf("%d packets counted as truncated, want 1", n)
	}
}

func TestCrowdAllocatesNothing(t *testing.T) {
	from, to := listen(t, Config{Addr: loopback4}), listen(t, Config{Addr: loopback4, Crowd: true})
	b := batchOf(addrOf(to), numbered(repeat(64, 30)...))
	late := time.After(patience)
	allocs := testing.AllocsPerRun(100, func() {
		write(t, from, b)
		for n := 0; n < b.Len(); {
			r := next(t, to, late)
			n += r.Len()
			r.Release()
		}
	})
	answers := batchOf(addrOf(from), numbered(repeat(64, 30)...))
	allocs += testing.AllocsPerRun(100, func() {
		write(t, to, answers)
		for n := 0; n < answers.Len(); {
			r := next(t, from, late)
			n += r.Len()
			r.Release()
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations for %d packets", allocs, 2*b.Len())
	}
}
