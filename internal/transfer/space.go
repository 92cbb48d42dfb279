package transfer

import "qft/internal/digest"

// blockSize is the most content that a block has, and the distance of blocks
// in the bulk space. It is a constant of the protocol: both sides must cut
// files alike.
const blockSize = digest.Block

const blockShift = 20

// maxSize bounds positions, lengths and counts (64 TiB), so that no sum of two
// in this package can overflow.
const maxSize = 1 << 46

// slabs is how many slabs a file of that size has; one of at most blockSize
// has none: it is part of a pack.
func slabs(size int64) int64 {
	if size <= blockSize {
		return 0
	}
	return (size + blockSize - 1) / blockSize
}
