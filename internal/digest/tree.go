package digest

import "lukechampine.com/blake3/guts"

// Tree joins the slabs of a file, in order, into the BLAKE3 of the file. Its
// zero value is ready.
type Tree struct{ forest forest }

// Add takes the digest of the next slab: the true one, of Slab or Hole.
func (t *Tree) Add(cv Sum) { t.forest.add(plain(), wordsOf(&cv)) }

// Sum is the BLAKE3 of the file whose slabs were added, as b3sum prints it. It
// needs two slabs at least, since a file of one block is not hashed as a slab;
// with fewer it is the zero Sum.
func (t *Tree) Sum() Sum {
	if t.forest.count < 2 {
		return Sum{}
	}
	return rootSum(t.forest.top(plain()))
}

// forest is the complete subtrees, of falling size, that the leaves so far make
// up: one for each bit of their number. The newest leaf is not joined with those
// before it until another follows, because until then it may be that the node
// above them is the root (section 5.1.2 of the BLAKE3 paper).
type forest struct {
	tops  []words // their chaining values
	count uint64  // leaves
}

func (f *forest) add(m mode, cv words) {
	for n := f.count; n > 0 && n&1 == 0; n >>= 1 {
		f.merge(m)
	}
	f.tops = append(f.tops, cv)
	f.count++
}

func (f *forest) merge(m mode) {
	n := len(f.tops)
	f.tops[n-2] = guts.ChainingValue(guts.ParentNode(f.tops[n-2], f.tops[n-1], m.key, m.flags))
	f.tops = f.tops[:n-1]
}

// top is the node over all leaves, of which there are 2 or more.
func (f *forest) top(m mode) guts.Node {
	n := len(f.tops) - 1
	cv := f.tops[n]
	for ; n > 1; n-- {
		cv = guts.ChainingValue(guts.ParentNode(f.tops[n-1], cv, m.key, m.flags))
	}
	return guts.ParentNode(f.tops[0], cv, m.key, m.flags)
}
