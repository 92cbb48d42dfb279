package walk

import (
	"bytes"
	"encoding/binary"
	"slices"
)

const (
	blockSize = 1 << 16 // of names: what fits beside the block's number in 32 bits
	keepNames = 1 << 12 // names whose room is kept for another directory
)

// names are the names in a directory. A directory may have millions, so they
// lie one behind the other, and only 32 bits point to each: there is no string
// header to store, and nothing for the garbage collector to look at.
type names struct {
	blocks [][]byte // of at most blockSize: each name behind its length (2)
	at     []uint32 // where they are: number of the block << 16 | offset
	taken  int      // of at, that next has returned
}

// add takes a name of less than 64 KiB.
func (n *names) add(name string) {
	last := len(n.blocks) - 1
	if last < 0 || len(n.blocks[last])+2+len(name) > blockSize {
		var b []byte
		if last++; last > 0 {
			b = make([]byte, 0, blockSize) // many names will follow
		}
		n.blocks = append(n.blocks, b)
	}
	b := n.blocks[last]
	n.at = append(n.at, uint32(last)<<16|uint32(len(b)))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(name)))
	n.blocks[last] = append(b, name...)
}

func (n *names) get(at uint32) []byte {
	b := n.blocks[at>>16][at&0xffff:]
	size := binary.LittleEndian.Uint16(b)
	return b[2 : 2+size]
}

// sort puts the names in order. A name that came twice, as can happen while a
// directory is written to, is kept once.
func (n *names) sort() {
	compare := func(a, b uint32) int { return bytes.Compare(n.get(a), n.get(b)) }
	slices.SortFunc(n.at, compare)
	n.at = slices.CompactFunc(n.at, func(a, b uint32) bool { return compare(a, b) == 0 })
}

// next takes the first name that is left, or returns false. It is valid until
// reset.
func (n *names) next() ([]byte, bool) {
	if n.taken == len(n.at) {
		return nil, false
	}
	n.taken++
	return n.get(n.at[n.taken-1]), true
}

// left is how many names next has yet to return.
func (n *names) left() int { return len(n.at) - n.taken }

// reset empties n for another directory, and keeps its room if that is little.
func (n *names) reset() {
	if len(n.blocks) != 1 || len(n.at) > keepNames {
		*n = names{}
		return
	}
	n.blocks[0] = n.blocks[0][:0]
	n.at, n.taken = n.at[:0], 0
}

// has reports whether a name is among those that are sorted.
func (n *names) has(name string) bool {
	_, ok := slices.BinarySearchFunc(n.at, name, func(at uint32, name string) int {
		return bytes.Compare(n.get(at), []byte(name))
	})
	return ok
}
