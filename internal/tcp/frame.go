package tcp

import (
	"encoding/binary"
	"fmt"

	"qft/internal/udp"
)

// lengthSize is the size of what stands before each packet.
const lengthSize = 2

// greeting is the first frame each way: its last byte is the version.
const greeting = "\x00\x04qft\x01"

// appendFrame appends a packet of 1 to 65,507 bytes as a frame.
func appendFrame(b, packet []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(packet)))
	return append(b, packet...)
}

// cut takes the first frame off b. The packet is nil if b does not hold all of
// it yet; then rest is b. A packet of no or more than most bytes is an error,
// as soon as its length is there.
func cut(b []byte, most int) (packet, rest []byte, err error) {
	if len(b) < lengthSize {
		return nil, b, nil
	}
	n := int(binary.BigEndian.Uint16(b))
	if n == 0 || n > min(most, udp.MaxPayload) {
		return nil, b, fmt.Errorf("a frame of %d bytes", n)
	}
	if len(b) < lengthSize+n {
		return nil, b, nil
	}
	return b[lengthSize : lengthSize+n : lengthSize+n], b[lengthSize+n:], nil
}

// whole returns how many bytes of b are whole frames, and the error of the
// frame behind them if there can be none.
func whole(b []byte, most int) (n int, err error) {
	rest := b
	for {
		packet, next, err := cut(rest, most)
		if packet == nil {
			return len(b) - len(rest), err
		}
		rest = next
	}
}
