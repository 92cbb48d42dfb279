package transfer

import (
	"encoding/binary"

	"github.com/zeebo/blake3"
	"golang.org/x/sys/cpu"
	"lukechampine.com/blake3/guts"
)

// pieceSize is how much of a block is read, or written, before it is hashed:
// little enough that it is still in the processor's own cache, where a whole
// block is not.
const pieceSize = 128 << 10

// sumBlock returns the BLAKE3 hash of a block. Before a piece is hashed, each is
// called with it, to fill it or to write it: at is its position in the block.
// The first error of each ends it.
func sumBlock(block []byte, each func(piece []byte, at int64) error) (digest, error) {
	if len(block) == blockSize && cpu.X86.HasAVX512F {
		return sumWide(block, each)
	}
	h := blake3.New()
	for at := 0; at < len(block); at += pieceSize {
		piece := block[at:min(at+pieceSize, len(block))]
		if err := each(piece, int64(at)); err != nil {
			return digest{}, err
		}
		h.Write(piece) // a hash.Hash never returns an error
	}
	var sum digest
	h.Sum(sum[:0])
	return sum, nil
}

// groupSize is what AVX-512 hashes at a time: 16 chunks of 1,024 bytes.
const groupSize = guts.MaxSIMD * guts.ChunkSize

// sumWide is sumBlock for whole blocks on processors with AVX-512, for which
// github.com/zeebo/blake3 has no code: a complete binary tree over groups.
func sumWide(block []byte, each func(piece []byte, at int64) error) (digest, error) {
	var cvs [blockSize / groupSize][8]uint32 // chaining values
	for at := 0; at < blockSize; at += pieceSize {
		piece := block[at : at+pieceSize]
		if err := each(piece, int64(at)); err != nil {
			return digest{}, err
		}
		for k := 0; k < pieceSize; k += groupSize {
			group := (*[groupSize]byte)(piece[k:])
			node := guts.CompressBuffer(group, groupSize, &guts.IV, uint64(at+k)/guts.ChunkSize, 0)
			cvs[(at+k)/groupSize] = guts.ChainingValue(node)
		}
	}
	n := len(cvs)
	for ; n > 2; n /= 2 {
		for i := range n / 2 {
			cvs[i] = guts.ChainingValue(guts.ParentNode(cvs[2*i], cvs[2*i+1], &guts.IV, 0))
		}
	}
	words := guts.CompressNode(guts.ParentNode(cvs[0], cvs[1], &guts.IV, guts.FlagRoot))
	var sum digest
	for i := range len(sum) / 4 {
		binary.LittleEndian.PutUint32(sum[4*i:], words[i])
	}
	return sum, nil
}
