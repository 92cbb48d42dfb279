package digest

import "lukechampine.com/blake3/guts"

// Block is the length of a slab, and the most that a file hashed as a whole
// may have.
const Block = 1 << 20

// Sum is the digest of a block, a file or a list of digests. The zero Sum is
// the mark of a slab that is a hole.
type Sum [32]byte

// packContext separates the digest of a pack from every other use of BLAKE3.
const packContext = "qft 2026-11 digest: pack of file digests v1"

// File is the BLAKE3 of a whole file of at most Block bytes.
func File(b []byte) Sum {
	node, _ := plain().subtree(b, 0, nil) // only each can fail
	return rootSum(node)
}

// Whole is File piece by piece. Before a piece (128 KiB, the last one may be
// shorter) is hashed, each is called with it, to fill it or to write it while
// it is in the processor's cache; at is its position in b. each may be nil; its
// first error ends the work and is returned as it is.
func Whole(b []byte, each func(piece []byte, at int64) error) (Sum, error) {
	node, err := plain().subtree(b, 0, each)
	if err != nil {
		return Sum{}, err
	}
	return rootSum(node), nil
}

// Slab is the chaining value of block number i of a file of more than Block
// bytes: of Block bytes, or of 1 or more if it is the last one. each is called
// as by Whole.
func Slab(b []byte, i int64, each func(piece []byte, at int64) error) (Sum, error) {
	node, err := plain().subtree(b, uint64(i)*chunksPerBlock, each)
	if err != nil {
		return Sum{}, err
	}
	return sumOf(guts.ChainingValue(node)), nil
}

// Hole is what Slab gives for block number i if its n bytes are zero. It takes
// as long as hashing them, since every chunk's position is hashed with it.
func Hole(i int64, n int) Sum {
	var zeros [groupSize]byte
	var r row
	for at := 0; at < n; at += groupSize {
		group := zeros[:min(groupSize, n-at)]
		r.add(plain().group(group, uint64(i)*chunksPerBlock+uint64(at/guts.ChunkSize)))
	}
	return sumOf(guts.ChainingValue(plain().join(&r)))
}

// Pack is the digest of a pack: BLAKE3 in key derivation mode over the digests
// of its files.
func Pack(files []Sum) Sum {
	l := newList(packContext)
	for i := range files {
		l.add(&files[i])
	}
	return l.sum()
}
