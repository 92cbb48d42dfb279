package tcp

import (
	"bytes"
	"testing"

	"qft/internal/udp"
)

func TestFramesAreCutWhereTheyWereMade(t *testing.T) {
	packets := [][]byte{{1}, bytes.Repeat([]byte{2}, 1200), bytes.Repeat([]byte{3}, udp.MaxPayload), {4, 5}}
	var b []byte
	for _, p := range packets {
		b = appendFrame(b, p)
	}
	if n, err := whole(b[:len(b)-1], udp.MaxPayload); n != len(b)-4 || err != nil {
		t.Errorf("of all but the last byte %d are whole, %v; want %d", n, err, len(b)-4)
	}
	for i, want := range packets {
		var got []byte
		var err error
		if got, b, err = cut(b, udp.MaxPayload); err != nil || !bytes.Equal(got, want) {
			t.Errorf("packet %d has %d bytes, %v; want %d", i, len(got), err, len(want))
		}
	}
	if len(b) != 0 {
		t.Errorf("%d bytes are left", len(b))
	}
}

func TestFramesThatCannotBe(t *testing.T) {
	for _, x := range []struct {
		name  string
		bytes []byte
		most  int
	}{
		{"empty", []byte{0, 0}, udp.MaxPayload},
		{"larger than any packet", []byte{0xff, 0xff}, 1 << 20},
		{"larger than allowed", []byte{0x04, 0x01}, 1024},
	} {
		if packet, rest, err := cut(x.bytes, x.most); packet != nil || err == nil || len(rest) != len(x.bytes) {
			t.Errorf("%s: packet %v, %d bytes left, error %v", x.name, packet, len(rest), err)
		}
	}
}

// FuzzFrames has bytes come in two pieces: what is whole must be the same as if
// they had come at once, must be within the bytes, and be frames again.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x00\x01a\x00\x02bc"), 3, 100)
	f.Add([]byte("\x00\x00"), 1, 100)
	f.Add([]byte("\xff\xff\xff"), 2, 70000)
	f.Fuzz(func(t *testing.T, b []byte, split, most int) {
		n, err := whole(b, most)
		if n < 0 || n > len(b) {
			t.Fatalf("%d of %d bytes are whole", n, len(b))
		}
		var again []byte
		for rest := b[:n]; len(rest) > 0; {
			packet, next, err := cut(rest, most)
			if err != nil || len(packet) == 0 || len(packet) > most {
				t.Fatalf("a whole frame has %d bytes, %v", len(packet), err)
			}
			again, rest = appendFrame(again, packet), next
		}
		if !bytes.Equal(again, b[:n]) {
			t.Fatalf("frames %x became %x", b[:n], again)
		}
		first, broken := whole(b[:min(max(split, 0), len(b))], most)
		if broken != nil {
			if err == nil || first != n {
				t.Fatalf("broken in parts at %d (%v), whole at %d (%v)", first, broken, n, err)
			}
			return
		}
		second, late := whole(b[first:], most)
		if first+second != n || (late == nil) != (err == nil) {
			t.Fatalf("%d and %d bytes in parts (%v), %d at once (%v)", first, second, late, n, err)
		}
	})
}
