package udp

import (
	"bytes"
	"net/netip"
	"testing"
)

var (
	alice = netip.MustParseAddrPort("192.0.2.1:1000")
	bob   = netip.MustParseAddrPort("[2001:db8::2]:2000")
)

func TestBatchKeepsPacketsInOrder(t *testing.T) {
	b := NewBatch(100)
	if !b.Add(To(alice), []byte("one")) || !b.Add(To(bob), nil) || !b.Add(To(alice), []byte("three")) {
		t.Fatal("no room in an empty batch")
	}
	want := []Packet{{To(alice), []byte("one")}, {To(bob), nil}, {To(alice), []byte("three")}}
	if b.Len() != len(want) {
		t.Fatalf("Len() = %d, want %d", b.Len(), len(want))
	}
	i := 0
	for p := range b.All() {
		if p.Remote != want[i].Remote || !bytes.Equal(p.Data, want[i].Data) {
			t.Errorf("packet %d is %v %q, want %v %q", i, p.Remote, p.Data, want[i].Remote, want[i].Data)
		}
		i++
	}
	if i != len(want) {
		t.Errorf("All yielded %d packets, want %d", i, len(want))
	}
}

func TestBatchIterationCanStop(t *testing.T) {
	b := NewBatch(10)
	b.Add(To(alice), []byte("a"))
	b.Add(To(alice), []byte("b"))
	n := 0
	for range b.All() {
		n++
		break
	}
	if n != 1 {
		t.Errorf("the loop ran %d times after break", n)
	}
}

func TestBatchTakesNoMoreThanItHasRoomFor(t *testing.T) {
	b := NewBatch(10)
	if !b.Add(To(alice), make([]byte, 6)) {
		t.Fatal("no room for 6 of 10 bytes")
	}
	if b.Room() != 4 {
		t.Errorf("Room() = %d after 6 of 10 bytes, want 4", b.Room())
	}
	if b.Tail(5) != nil {
		t.Error("Tail(5) with room for 4")
	}
	if b.Add(To(alice), make([]byte, 5)) || b.Len() != 1 {
		t.Error("Add took 5 bytes with room for 4")
	}
	if tail := b.Tail(4); tail == nil || len(tail) != 0 || cap(tail) != 4 {
		t.Errorf("Tail(4) = %v with capacity %d", tail, cap(tail))
	}
}

func TestBatchPacketsAreBuiltInPlace(t *testing.T) {
	b := NewBatch(20)
	tail := append(b.Tail(10), "payload"...)
	b.Commit(To(bob), len(tail)) // shorter than the tail asked for
	b.Add(To(alice), []byte("next"))
	tail[0] = 'P'
	if got := b.At(0); string(got.Data) != "Payload" || got.Remote != bob {
		t.Errorf("packet 0 is %v %q", got.Remote, got.Data)
	}
	if got := b.At(1); string(got.Data) != "next" {
		t.Errorf("packet 1 is %q: it must start where packet 0 ends", got.Data)
	}
	if b.Room() != 20-len("Payload")-len("next") {
		t.Errorf("Room() = %d: unused tail was not given back", b.Room())
	}
}

func TestBatchPacketCannotGrowIntoItsNeighbour(t *testing.T) {
	b := NewBatch(10)
	b.Add(To(alice), []byte("ab"))
	b.Add(To(alice), []byte("cd"))
	_ = append(b.At(0).Data, 'X')
	if got := b.At(1).Data; string(got) != "cd" {
		t.Errorf("appending to packet 0 changed packet 1 to %q", got)
	}
}

func TestBatchResetEmptiesIt(t *testing.T) {
	b := NewBatch(8)
	b.Add(To(alice), make([]byte, 8))
	b.Reset()
	if b.Len() != 0 || b.Room() != 8 {
		t.Errorf("after Reset: Len() = %d, Room() = %d", b.Len(), b.Room())
	}
	if !b.Add(To(bob), make([]byte, 8)) || b.At(0).Remote != bob {
		t.Error("the batch cannot be filled again")
	}
}
