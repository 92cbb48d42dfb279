package transfer

// blockSize is the unit of hashing, of verification and of the journal. It is
// a constant of the protocol: both sides must cut the space alike.
const blockSize = 1 << blockShift

const blockShift = 20

// maxSize bounds what an offer may claim (64 TiB), so that no sum of offset
// and length in this package can overflow.
const maxSize = 1 << 46

// space is the part of the linear space that an offer covers: the bytes
// [start, size). Blocks are numbered from offset 0, so that the same file has
// the same block boundaries whatever is skipped; the first and the last block
// are clipped to the space.
type space struct {
	start, size int64
}

// first is the number of the first block.
func (s space) first() int64 { return s.start / blockSize }

// end is the number behind the last block; it equals first when the space is
// empty.
func (s space) end() int64 {
	if s.start == s.size {
		return s.first()
	}
	return (s.size + blockSize - 1) / blockSize
}

// block returns the byte range of block i.
func (s space) block(i int64) (lo, hi int64) {
	return max(i*blockSize, s.start), min((i+1)*blockSize, s.size)
}

// has reports whether i is the number of a block.
func (s space) has(i int64) bool { return i >= s.first() && i < s.end() }

// contains reports whether the n bytes at off lie in the space.
func (s space) contains(off int64, n int) bool {
	return off >= s.start && off <= s.size && int64(n) <= s.size-off
}

// length is the number of bytes in the space.
func (s space) length() int64 { return s.size - s.start }
