package transfer

import "github.com/zeebo/blake3"

// digest is the BLAKE3 hash of one block, or the root over all of them.
type digest [32]byte

// rootContext separates the root from every other use of BLAKE3 over the same
// bytes: a file that consists of block hashes must not have the root of the
// file they came from.
const rootContext = "qft 2026-11 transfer: root over block hashes v1"

const digestsPerPage = 1024

// digests collects the hashes of a space's blocks in any order and folds them
// into the root in order. What is folded is forgotten, so that it needs memory
// for the spread of arrival and not for the size of the space.
type digests struct {
	next, end int64 // blocks below next are folded
	root      *blake3.Hasher
	pages     map[int64]*digestPage // by block / digestsPerPage
}

type digestPage struct {
	known [digestsPerPage / 64]uint64
	sums  [digestsPerPage]digest
}

func newDigests(s space) digests {
	return digests{
		next:  s.first(),
		end:   s.end(),
		root:  blake3.NewDeriveKey(rootContext),
		pages: make(map[int64]*digestPage),
	}
}

// has reports whether block i was put.
func (d *digests) has(i int64) bool {
	if i < d.next {
		return true
	}
	p := d.pages[i/digestsPerPage]
	if p == nil {
		return false
	}
	k := i % digestsPerPage
	return p.known[k/64]>>(k%64)&1 == 1
}

// put records the hash of block i, which must not have one yet.
func (d *digests) put(i int64, sum digest) {
	if i == d.next {
		d.fold(sum)
		d.advance()
		return
	}
	p := d.pages[i/digestsPerPage]
	if p == nil {
		p = new(digestPage)
		d.pages[i/digestsPerPage] = p
	}
	k := i % digestsPerPage
	p.known[k/64] |= 1 << (k % 64)
	p.sums[k] = sum
}

// advance folds whatever follows without a gap.
func (d *digests) advance() {
	for d.next < d.end {
		p := d.pages[d.next/digestsPerPage]
		k := d.next % digestsPerPage
		if p == nil || p.known[k/64]>>(k%64)&1 == 0 {
			return
		}
		d.fold(p.sums[k])
	}
}

func (d *digests) fold(sum digest) {
	d.root.Write(sum[:]) // a hash.Hash never returns an error
	d.next++
	if d.next%digestsPerPage == 0 || d.next == d.end {
		delete(d.pages, (d.next-1)/digestsPerPage)
	}
}

// complete reports whether every block has a hash.
func (d *digests) complete() bool { return d.next == d.end }

// sum is the root; it is meaningful once the digests are complete.
func (d *digests) sum() (root digest) {
	d.root.Sum(root[:0])
	return root
}
