package tcp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"qft/internal/udp"
)

var loopback = netip.MustParseAddr("127.0.0.1")

func listen(t *testing.T, cfg Config) *Lines {
	t.Helper()
	l, err := Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func at(l *Lines) netip.AddrPort { return netip.AddrPortFrom(loopback, l.Port()) }

// patience is for what must come, however slow the machine is.
const patience = time.Minute

func next(t *testing.T, l *Lines) *Burst {
	t.Helper()
	select {
	case b := <-l.Incoming():
		return b
	case <-time.After(patience):
		t.Fatal("nothing was told")
		return nil
	}
}

func wantUp(t *testing.T, l *Lines) udp.Path {
	t.Helper()
	b := next(t, l)
	if b.Kind != Up || !b.Path.IsLine() {
		t.Fatalf("was told %+v, want that a line is up", b)
	}
	return b.Path
}

// send writes packets, again where there was no room.
func send(l *Lines, to udp.Path, packets [][]byte) {
	b := udp.NewBatch(256 << 10)
	for _, p := range packets {
		for {
			before := l.Dropped()
			b.Reset()
			b.Add(to, p)
			l.Write(b)
			if l.Dropped() == before {
				break
			}
		}
	}
}

func wantPackets(t *testing.T, l *Lines, from udp.Path, want [][]byte) {
	t.Helper()
	for i := 0; i < len(want); {
		b := next(t, l)
		for p := range b.Packets() {
			if p.Path != from || !bytes.Equal(p.Data, want[i]) {
				t.Fatalf("packet %d has %d bytes from %v, want %d from %v", i, len(p.Data), p.Path, len(want[i]), from)
			}
			i++
		}
		b.Release()
	}
}

func TestPacketsCrossBothWays(t *testing.T) {
	a, b := listen(t, Config{Dials: true}), listen(t, Config{})
	a.Dial(at(b), time.Minute)
	toB, toA := wantUp(t, a), wantUp(t, b)
	if toB.Remote != at(b) || toA.Remote != at(a) {
		t.Errorf("the line is from %v to %v, want from %v to %v", toA.Remote, toB.Remote, at(a), at(b))
	}
	var packets [][]byte
	for i := range 2000 {
		packets = append(packets, bytes.Repeat([]byte{byte(i)}, 1+i*37%3000))
	}
	packets = append(packets, make([]byte, udp.MaxPayload))
	go send(a, toB, packets)
	wantPackets(t, b, toA, packets)
	go send(b, toA, packets)
	wantPackets(t, a, toB, packets)

	b.Hang(toA.Local)
	for _, l := range []*Lines{a, b} {
		if k := next(t, l); k.Kind != Down {
			t.Errorf("was told %+v, want that the line is down", k)
		}
	}
	a.Dial(at(b), time.Minute)
	if p := wantUp(t, a); p.Local == toB.Local {
		t.Error("a new line has the number of the old one")
	}
}

// TestTwoWhoDialEachOther have one line, or two if both attempts got through.
func TestTwoWhoDialEachOther(t *testing.T) {
	a, b := listen(t, Config{Dials: true}), listen(t, Config{Dials: true})
	a.Dial(at(b), time.Minute)
	b.Dial(at(a), time.Minute)
	toB, toA := wantUp(t, a), wantUp(t, b)
	go send(a, toB, [][]byte{[]byte("hello")})
	wantPackets(t, b, toA, [][]byte{[]byte("hello")})
}

func TestDialGoesOnUntilSomebodyIsThere(t *testing.T) {
	for range 100 {
		a := listen(t, Config{Dials: true})
		late, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		there := addrPort(late.Addr())
		late.Close()
		a.Dial(there, time.Minute)
		a.Dial(there, time.Minute) // is the same
		b, err := Listen(Config{Ports: []uint16{there.Port()}})
		if errors.Is(err, syscall.EADDRINUSE) {
			continue // somebody else on this machine has got it meanwhile
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
		wantUp(t, b)
		if p := wantUp(t, a); p.Remote != there {
			t.Errorf("the line is to %v, want %v", p.Remote, there)
		}
		return
	}
	t.Fatal("no port stays free")
}

func TestNoLineToOneself(t *testing.T) {
	a := listen(t, Config{Dials: true, Silence: time.Minute})
	a.Dial(at(a), 300*time.Millisecond)
	select {
	case b := <-a.Incoming():
		t.Errorf("was told %+v", b)
	case <-time.After(500 * time.Millisecond):
	}
}

// flood connects n times from an address and greets; it returns what was not
// closed at once.
func flood(t *testing.T, l *Lines, from string, n int) (open []net.Conn) {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	for range n {
		conn, err := d.Dial("tcp4", at(l).String())
		if err != nil {
			continue // reset before it was seen
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(patience))
		conn.Write([]byte(greeting)) // or it would be closed when a slow machine is not through with the others
		if _, err := io.ReadFull(conn, make([]byte, len(greeting))); err == nil {
			open = append(open, conn)
		}
	}
	return open
}

// TestThousandsOfConnections: a source has its share and no more, all sources
// together have theirs, and what has ended makes room.
func TestThousandsOfConnections(t *testing.T) {
	l := listen(t, Config{Addr: loopback, Accept: 20, SourceAccept: 8, Silence: time.Hour})
	first := flood(t, l, "127.0.0.1", 2000)
	if len(first) != 8 {
		t.Errorf("%d of 2000 connections of one source are open, want 8", len(first))
	}
	second, third := flood(t, l, "127.0.0.2", 100), flood(t, l, "127.0.0.3", 100)
	if len(second) != 8 || len(third) != 4 {
		t.Errorf("of two more sources %d and %d are open, want 8 and 4", len(second), len(third))
	}
	for _, c := range slices.Concat(first, second) {
		c.Close()
	}
	for deadline := time.Now().Add(patience); len(flood(t, l, "127.0.0.4", 1)) == 0; {
		if time.Now().After(deadline) {
			t.Fatal("there is no room after the others have left")
		}
	}
}

func TestPortInUseIsAnError(t *testing.T) {
	a := listen(t, Config{})
	if b, err := Listen(Config{Ports: []uint16{a.Port()}}); err == nil {
		b.Close()
		t.Error("two listen on one port")
	}
}

func TestRenewedPortIsUsedBesideTheOld(t *testing.T) {
	a, b := listen(t, Config{Dials: true}), listen(t, Config{})
	old := at(a)
	a.Renew()
	if a.Port() == old.Port() {
		t.Fatal("the port is the same")
	}
	a.Dial(at(b), time.Minute)
	wantUp(t, a)
	if p := wantUp(t, b); p.Remote != at(a) {
		t.Errorf("dialled from %v, want %v", p.Remote, at(a))
	}
	c := listen(t, Config{Dials: true})
	c.Dial(old, time.Minute)
	wantUp(t, c)
	for range 1000 {
		a.Renew()
	}
	if n := len(a.listeners); n > 2*maxPorts {
		t.Errorf("%d listeners", n)
	}
}

// TestWhatWasWrittenLastArrives though all ends at once, there is more than the
// system takes, and the other end goes on talking. That may take closeTime, which
// is not enough for a machine that is busy: such a round shows nothing.
func TestWhatWasWrittenLastArrives(t *testing.T) {
	for rounds, slow := 0, 0; rounds < 20; {
		got, took := writeLast(t)
		switch {
		case got == lastPackets:
			rounds++
		case took < closeTime:
			t.Fatalf("%d of %d packets arrived within %v", got, lastPackets, took)
		default:
			if slow++; slow > 100 {
				t.Fatalf("%d of %d packets arrived, as in %d rounds before", got, lastPackets, slow)
			}
		}
	}
}

const lastPackets = 4000

// writeLast writes packets and closes at once. It returns how many have arrived,
// and how long closing took.
func writeLast(t *testing.T) (got int, took time.Duration) {
	a, b := listen(t, Config{Dials: true, Queue: 8 << 20}), listen(t, Config{})
	a.Dial(at(b), time.Minute)
	toB, toA := wantUp(t, a), wantUp(t, b)
	batch := udp.NewBatch(lastPackets * 1000)
	for i := range lastPackets {
		batch.Add(toB, bytes.Repeat([]byte{byte(i)}, 1000))
	}
	back := udp.NewBatch(100_000)
	for range 100 {
		back.Add(toA, make([]byte, 1000))
	}
	b.Write(back)
	a.Write(batch)
	if d := a.Dropped(); d > 0 {
		t.Fatalf("%d packets were dropped", d)
	}
	closed := make(chan time.Duration)
	go func() {
		began := time.Now()
		a.Close()
		closed <- time.Since(began)
	}()
	for down := false; got < lastPackets && !down; {
		k := next(t, b)
		down = k.Kind == Down
		for range k.Packets() {
			got++
		}
		k.Release()
	}
	took = <-closed
	b.Close()
	return got, took
}

// TestANeighbourhoodHasItsShare: whoever has many addresses side by side does not
// take all lines.
func TestANeighbourhoodHasItsShare(t *testing.T) {
	l := listen(t, Config{Addr: loopback, Accept: 100, SourceAccept: 1, Silence: time.Hour})
	n := 0
	for i := range areaFactor + 4 {
		n += len(flood(t, l, fmt.Sprintf("127.0.0.%d", 2+i), 1))
	}
	if n != areaFactor {
		t.Errorf("%d lines of one neighbourhood are open, want %d", n, areaFactor)
	}
	if len(flood(t, l, "127.0.1.1", 1)) != 1 {
		t.Error("another neighbourhood is not let in")
	}
}
