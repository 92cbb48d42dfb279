package digest

import (
	"slices"

	"lukechampine.com/blake3/guts"
)

// list hashes digests in key derivation mode as they come. It is small, for
// there may be thousands, one for each file that is on its way: a hasher that
// is made for long input has 10 KiB.
type list struct {
	key    words
	forest forest // of whole chunks
	chunk  []byte // what is not hashed yet: at most one chunk
}

// newList derives the key from the context as section 2.3 of the BLAKE3 paper
// says. A context has at most one chunk.
func newList(context string) *list {
	node := guts.CompressChunk([]byte(context), &guts.IV, 0, guts.FlagDeriveKeyContext)
	node.Flags |= guts.FlagRoot
	out := guts.CompressNode(node)
	return &list{key: words(out[:8])}
}

func (l *list) mode() mode { return mode{&l.key, guts.FlagDeriveKeyMaterial} }

// add appends a digest. Chunks are whole numbers of digests.
func (l *list) add(s *Sum) {
	if len(l.chunk) == guts.ChunkSize {
		l.forest.add(l.mode(), guts.ChainingValue(l.last()))
		l.chunk = l.chunk[:0]
	}
	l.chunk = append(l.chunk, s[:]...)
}

// last is the node of the chunk that is not in the forest.
func (l *list) last() guts.Node {
	return guts.CompressChunk(l.chunk, &l.key, l.forest.count, guts.FlagDeriveKeyMaterial)
}

// sum is the hash of what was added; more may follow.
func (l *list) sum() Sum {
	if l.forest.count == 0 {
		return rootSum(l.last())
	}
	all := forest{tops: slices.Clone(l.forest.tops), count: l.forest.count}
	all.add(l.mode(), guts.ChainingValue(l.last()))
	return rootSum(all.top(l.mode()))
}
