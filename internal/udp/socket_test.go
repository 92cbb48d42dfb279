package udp

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	loopback4 = netip.MustParseAddr("127.0.0.1")
	loopback6 = netip.MustParseAddr("::1")
)

// listen opens a socket that is closed when the test ends.
func listen(t testing.TB, cfg Config) *Socket {
	t.Helper()
	return started(t, bound(t, cfg))
}

// bound opens a socket that does not receive yet, so that the test can replace
// parts of it.
func bound(t testing.TB, cfg Config) *Socket {
	t.Helper()
	s, err := bind(cfg)
	if err != nil {
		if cfg.Addr == loopback6 && !errors.Is(err, ErrPortInUse) {
			t.Skipf("this machine has no IPv6: %v", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func started(_ testing.TB, s *Socket) *Socket {
	s.start()
	return s
}

// addrOf returns the address of a socket bound to a single one.
func addrOf(s *Socket) netip.AddrPort {
	f := cmp.Or(s.v4, s.v6)
	return f.conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// patience is for what must come, however slow the machine is.
const patience = time.Minute

// next is what the socket delivers next.
func next(t testing.TB, s *Socket, late <-chan time.Time) *Received {
	t.Helper()
	select {
	case r, ok := <-s.Incoming():
		if !ok {
			t.Fatalf("Incoming was closed: %v", s.Err())
		}
		return r
	case <-late:
		t.Fatalf("nothing more is received: %+v", s.Stats())
	}
	return nil
}

// receive returns copies of the next n packets. It fails the test if they do
// not come.
func receive(t testing.TB, s *Socket, n int) []Packet {
	t.Helper()
	var got []Packet
	for late := time.After(patience); len(got) < n; {
		r := next(t, s, late)
		for p := range r.Packets() {
			got = append(got, Packet{p.Path, bytes.Clone(p.Data)})
		}
		r.Release()
	}
	if len(got) > n {
		t.Fatalf("received %d packets, sent %d", len(got), n)
	}
	return got
}

func write(t testing.TB, s *Socket, b *Batch) {
	t.Helper()
	if err := s.Write(b); err != nil {
		t.Fatal(err)
	}
}

// numbered returns payloads that differ, of the given sizes.
func numbered(sizes ...int) [][]byte {
	var all [][]byte
	for i, size := range sizes {
		p := make([]byte, size)
		for j := range p {
			p[j] = byte(i + j/251)
		}
		all = append(all, p)
	}
	return all
}

func batchOf(to netip.AddrPort, payloads [][]byte) *Batch {
	b := NewBatch(1 << 20)
	for _, p := range payloads {
		b.Add(To(to), p)
	}
	return b
}

func wantPayloads(t testing.TB, got []Packet, want [][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("received %d packets, want %d", len(got), len(want))
	}
	for i := range want {
		if !bytes.Equal(got[i].Data, want[i]) {
			t.Fatalf("packet %d has %d bytes, want %d; or their content differs", i, len(got[i].Data), len(want[i]))
		}
	}
}

func repeat(size, n int) []int { return slices.Repeat([]int{size}, n) }

// eachWay runs f over both families, with and without offload.
func eachWay(t *testing.T, f func(t *testing.T, cfg Config)) {
	for _, addr := range []netip.Addr{loopback4, loopback6} {
		for _, no := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v/offload=%v", addr, !no), func(t *testing.T) {
				f(t, Config{Addr: addr, NoOffload: no})
			})
		}
	}
}

func TestPacketsArriveIntactAndInOrder(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg Config) {
		from, to1, to2 := listen(t, cfg), listen(t, cfg), listen(t, cfg)
		rng := rand.New(rand.NewPCG(1, 2))
		for range 10 {
			b := NewBatch(1 << 20)
			var want1, want2 [][]byte
			for b.Len() < 150 { // runs of one size and destination, so that trains form
				size, run := 1+rng.IntN(2000), 1+rng.IntN(20)
				to, want := to1, &want1
				if rng.IntN(2) == 0 {
					to, want = to2, &want2
				}
				payloads := numbered(append(repeat(size, run), 1+rng.IntN(size))...)
				for _, p := range payloads {
					b.Add(To(addrOf(to)), p)
				}
				*want = append(*want, payloads...)
			}
			write(t, from, b)
			got := receive(t, to1, len(want1))
			wantPayloads(t, got, want1)
			wantPayloads(t, receive(t, to2, len(want2)), want2)
			if got[0].Remote != addrOf(from) {
				t.Fatalf("source is %v, want %v", got[0].Remote, addrOf(from))
			}
		}
	})
}

func TestTrainWithShorterLastPacketIsCutRight(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg Config) {
		from, to := listen(t, cfg), listen(t, cfg)
		want := numbered(append(append(repeat(1200, 20), 7), append(repeat(500, 5), 1, 0, 0, 9000)...)...)
		write(t, from, batchOf(addrOf(to), want))
		wantPayloads(t, receive(t, to, len(want)), want)
	})
}

func TestBothFamiliesShareOnePort(t *testing.T) {
	from, to := listen(t, Config{}), listen(t, Config{})
	if v4, v6 := to.Families(); !v4 || !v6 {
		t.Skip("this machine lacks a family")
	}
	b := NewBatch(1000)
	b.Add(To(netip.AddrPortFrom(loopback4, to.Port())), []byte("four"))
	b.Add(To(netip.AddrPortFrom(loopback6, to.Port())), []byte("six"))
	b.Add(To(netip.AddrPortFrom(netip.AddrFrom16(loopback4.As16()), to.Port())), []byte("mapped"))
	write(t, from, b)
	for _, p := range receive(t, to, 3) {
		want := loopback4
		if string(p.Data) == "six" {
			want = loopback6
		}
		if p.Remote != netip.AddrPortFrom(want, from.Port()) {
			t.Errorf("%q came from %v, want %v", p.Data, p.Remote, netip.AddrPortFrom(want, from.Port()))
		}
	}
}

func TestZoneOfLinkLocalSourceIsKept(t *testing.T) {
	local := linkLocal(t)
	from, to := listen(t, Config{}), listen(t, Config{})
	if _, v6 := to.Families(); !v6 {
		t.Skip("this machine has no IPv6")
	}
	write(t, from, batchOf(netip.AddrPortFrom(local, to.Port()), [][]byte{[]byte("hello")}))
	got := receive(t, to, 1)[0]
	if got.Remote != netip.AddrPortFrom(local, from.Port()) {
		t.Fatalf("source is %v, want %v", got.Remote, netip.AddrPortFrom(local, from.Port()))
	}
	write(t, to, batchOf(got.Remote, [][]byte{[]byte("answer")}))
	wantPayloads(t, receive(t, from, 1), [][]byte{[]byte("answer")})
}

func linkLocal(t *testing.T) netip.Addr {
	list, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, ifi := range list {
		addrs, _ := ifi.Addrs()
		for _, a := range addrs {
			ip, _ := netip.AddrFromSlice(a.(*net.IPNet).IP)
			if carries(ifi.Flags) && ip.Is6() && ip.IsLinkLocalUnicast() {
				return ip.WithZone(ifi.Name)
			}
		}
	}
	t.Skip("no interface has an IPv6 link-local address")
	return netip.Addr{}
}

func TestListenRefusesPortTakenInEitherFamily(t *testing.T) {
	for _, network := range []string{"udp4", "udp6"} {
		t.Run(network, func(t *testing.T) {
			for range 100 {
				if opensOnceFree(t, network) {
					return
				} // it may be somebody else's by then, but not each time
			}
			t.Error("the failed attempt left something open")
		})
	}
}

// opensOnceFree wants a port that is taken to be refused, and reports whether it
// can be had when it is not any more.
func opensOnceFree(t *testing.T, network string) bool {
	t.Helper()
	other, err := net.ListenUDP(network, nil)
	if err != nil {
		t.Skip(err)
	}
	defer other.Close()
	taken := port(other)
	s, err := Listen(Config{Port: taken})
	if err == nil {
		s.Close()
		t.Fatalf("port %d was opened twice", taken)
	}
	var system *os.SyscallError
	if !errors.Is(err, ErrPortInUse) || !errors.As(err, &system) {
		t.Errorf("error does not wrap ErrPortInUse and the system's error: %v", err)
	}
	other.Close()
	s, err = Listen(Config{Port: taken})
	if errors.Is(err, ErrPortInUse) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Port() != taken {
		t.Errorf("Port() = %d, want %d", s.Port(), taken)
	}
	return true
}

func TestListenReportsAddressOfAnotherMachine(t *testing.T) {
	s, err := Listen(Config{Addr: netip.MustParseAddr("198.51.100.1")})
	if err == nil {
		s.Close()
		t.Fatal("bound to an address that this machine does not have")
	}
	if errors.Is(err, ErrPortInUse) {
		t.Errorf("mistaken for a taken port: %v", err)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	from, to := listen(t, Config{Addr: loopback4}), listen(t, Config{Addr: loopback4})
	b := batchOf(addrOf(to), numbered(100, 100))
	write(t, from, b)
	r := next(t, to, time.After(patience))
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	for rest := range to.Incoming() { // ends only if Close closed it
		rest.Release()
	}
	if got, want := slices.Collect(r.Packets()), numbered(100); !bytes.Equal(got[0].Data, want[0]) {
		t.Error("a packet changed under its reader when the socket was closed")
	}
	r.Release()
	if err := to.Err(); err != nil {
		t.Errorf("closing counts as an error: %v", err)
	}
	if err := to.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	if err := to.Write(b); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write after Close returned %v, want net.ErrClosed", err)
	}
}

func TestCloseEndsReaderThatWaitsForBuffer(t *testing.T) {
	from, to := listen(t, Config{Addr: loopback4}), listen(t, Config{Addr: loopback4})
	b := batchOf(addrOf(to), numbered(1))
	for range poolSize { // nothing is released, so that the pool runs dry
		write(t, from, b)
		next(t, to, time.After(patience))
	}
	to.Close()
	if _, ok := <-to.Incoming(); ok {
		t.Error("a packet arrived without a buffer")
	}
}

func TestKernelBuffersAreAsLargeAsAsked(t *testing.T) {
	s := listen(t, Config{ReadBuffer: 100 << 10, WriteBuffer: 120 << 10})
	st := s.Stats()
	if st.ReadBuffer < 100<<10 || st.WriteBuffer < 120<<10 {
		t.Errorf("granted %d and %d bytes", st.ReadBuffer, st.WriteBuffer)
	}
	if h := s.Hints(); len(h) != 0 {
		t.Errorf("complains without reason: %q", h)
	}
}

func TestStatsCountPacketsAndBytes(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg Config) {
		from, to := listen(t, cfg), listen(t, cfg)
		write(t, from, batchOf(addrOf(to), numbered(repeat(1000, 50)...)))
		receive(t, to, 50)
		out, in := from.Stats(), to.Stats()
		if out.Sent != 50 || out.SentBytes != 50_000 || in.Received != 50 || in.ReceivedBytes != 50_000 {
			t.Errorf("sent %d packets, %d bytes; received %d, %d", out.Sent, out.SentBytes, in.Received, in.ReceivedBytes)
		}
		if out.Offload && (out.Writes != 1 || in.Reads != 1) {
			t.Errorf("a train took %d writes and %d reads", out.Writes, in.Reads)
		}
		if !out.Offload && out.Writes != 50 {
			t.Errorf("50 packets took %d writes without offload", out.Writes)
		}
		if cfg.NoOffload && out.Offload {
			t.Error("offload is on although it was not wanted")
		}
	})
}
