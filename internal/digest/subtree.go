package digest

import (
	"encoding/binary"

	"lukechampine.com/blake3/guts"
)

const (
	chunksPerBlock = Block / guts.ChunkSize

	// pieceSize is how much of a block is read, or written, before it is hashed:
	// little enough that it is still in the processor's own cache, where a whole
	// block is not.
	pieceSize = 128 << 10

	// groupSize is what AVX-512 hashes at a time: 16 chunks of 1,024 bytes.
	groupSize = guts.MaxSIMD * guts.ChunkSize
)

// words is a chaining value or key as BLAKE3 computes with it.
type words = [8]uint32

// mode is what distinguishes plain hashing from key derivation.
type mode struct {
	key   *words
	flags uint32
}

func plain() mode { return mode{key: &guts.IV} }

// row is the groups of a block, from left to right. The node of the newest is
// kept as it is, because it may turn out to be the root.
type row struct {
	cvs  [Block / groupSize]words
	n    int // groups in cvs
	last guts.Node
	any  bool // last is one
}

func (r *row) add(node guts.Node) {
	if r.any {
		r.cvs[r.n] = guts.ChainingValue(r.last)
		r.n++
	}
	r.last, r.any = node, true
}

// subtree hashes b, of at most Block bytes, the first of which belongs to the
// given chunk of the file, and returns the node at its top.
func (m mode) subtree(b []byte, chunk uint64, each func(piece []byte, at int64) error) (guts.Node, error) {
	var r row
	for at := 0; at < len(b); at += pieceSize {
		piece := b[at:min(at+pieceSize, len(b))]
		if each != nil {
			if err := each(piece, int64(at)); err != nil {
				return guts.Node{}, err
			}
		}
		for len(piece) > 0 {
			group := piece[:min(groupSize, len(piece))]
			r.add(m.group(group, chunk))
			piece = piece[len(group):]
			chunk += guts.MaxSIMD
		}
	}
	if !r.any {
		r.add(m.group(nil, chunk)) // nothing is hashed as one empty chunk
	}
	return m.join(&r), nil
}

// group hashes up to groupSize bytes.
func (m mode) group(b []byte, chunk uint64) guts.Node {
	switch {
	case len(b) <= guts.ChunkSize:
		return guts.CompressChunk(b, m.key, chunk, m.flags)
	case len(b) < groupSize:
		return m.partGroup(b, chunk)
	}
	return guts.CompressBuffer((*[groupSize]byte)(b), groupSize, m.key, chunk, m.flags)
}

// partGroup hashes a group that is not full, from a copy, because groupSize
// bytes are read all the same.
func (m mode) partGroup(b []byte, chunk uint64) guts.Node {
	var whole [groupSize]byte
	copy(whole[:], b)
	return guts.CompressBuffer(&whole, len(b), m.key, chunk, m.flags)
}

// join makes a row into a tree, pair by pair, level by level; what has no
// neighbour moves up. As all but the last are complete and of equal size, that
// is the tree of section 2.1 of the BLAKE3 paper.
func (m mode) join(r *row) guts.Node {
	if r.n == 0 {
		return r.last
	}
	cvs := &r.cvs
	cvs[r.n] = guts.ChainingValue(r.last)
	n := r.n + 1
	for ; n > 2; n = (n + 1) / 2 {
		for i := range n / 2 {
			cvs[i] = guts.ChainingValue(guts.ParentNode(cvs[2*i], cvs[2*i+1], m.key, m.flags))
		}
		if n%2 == 1 {
			cvs[n/2] = cvs[n-1]
		}
	}
	return guts.ParentNode(cvs[0], cvs[1], m.key, m.flags)
}

// rootSum is the hash of the tree that has node at its top.
func rootSum(node guts.Node) Sum {
	node.Flags |= guts.FlagRoot
	out := guts.CompressNode(node)
	return sumOf(words(out[:8]))
}

func sumOf(w words) (s Sum) {
	for i, v := range w {
		binary.LittleEndian.PutUint32(s[4*i:], v)
	}
	return s
}

func wordsOf(s *Sum) (w words) {
	for i := range w {
		w[i] = binary.LittleEndian.Uint32(s[4*i:])
	}
	return w
}
