package tcp

import (
	"encoding/binary"

	"qft/internal/udp"
)

// MSS is the payload of a segment in bytes: 1,500 less 20 of IP and 32 of TCP
// with timestamps.
const MSS = 1448

// Sizes in bytes of UDP payload, such that the IP packets are as large as
// TCP's: the lab adds 28 bytes.
const (
	dataSize  = 1472
	ackSize   = 52 - 28
	sackSize  = 8 // each block
	maxBlocks = 3 // beside timestamps
)

// block is the segments [low, high).
type block struct{ low, high int64 }

// appendData appends segment n.
func appendData(b *udp.Batch, n int64) []byte {
	p := b.Tail(dataSize)
	if p == nil {
		return nil
	}
	p = p[:dataSize]
	clear(p)
	binary.BigEndian.PutUint64(p, uint64(n))
	return p
}

func parseData(p []byte) (n int64, ok bool) {
	if len(p) != dataSize {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(p)), true
}

// appendAck writes an acknowledgement of all segments below next and of the
// blocks: next, the count, and 32-bit distances from next.
func appendAck(p []byte, next int64, blocks []block) []byte {
	size := ackSize
	if len(blocks) > 0 {
		size += 4 + sackSize*len(blocks)
	}
	p = p[:size]
	clear(p)
	binary.BigEndian.PutUint64(p, uint64(next))
	p[8] = byte(len(blocks))
	for i, k := range blocks {
		binary.BigEndian.PutUint32(p[12+8*i:], uint32(k.low-next))
		binary.BigEndian.PutUint32(p[16+8*i:], uint32(k.high-next))
	}
	return p
}

func parseAck(p []byte, blocks []block) (next int64, _ []block, ok bool) {
	if len(p) < ackSize || len(p) < 12+8*int(p[8]) {
		return 0, nil, false
	}
	next = int64(binary.BigEndian.Uint64(p))
	for i := range int(p[8]) {
		low := next + int64(binary.BigEndian.Uint32(p[12+8*i:]))
		high := next + int64(binary.BigEndian.Uint32(p[16+8*i:]))
		blocks = append(blocks, block{low, high})
	}
	return next, blocks, true
}
