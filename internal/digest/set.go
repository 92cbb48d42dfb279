package digest

// setContext separates the digest over a file's slabs from every other use of
// BLAKE3.
const setContext = "qft 2026-11 digest: file of slab digests v1"

const sumsPerPage = 64

// Set collects the digests of the slabs of one file in any order and folds them
// in order. What is folded is forgotten, so that it needs memory for the spread
// of arrival and not for the size of the file.
type Set struct {
	next, end int64 // slabs below next are folded
	list      *list
	tree      Tree
	holes     bool            // the tree cannot be right
	pages     map[int64]*page // by slab / sumsPerPage
}

type page struct {
	known uint64 // one bit for each slab
	sums  []Sum
}

// NewSet is the set of slabs 0 to n-1, none of which has a digest yet.
func NewSet(n int64) *Set { return &Set{end: n, list: newList(setContext)} }

// Has reports whether slab i, of 0 to n-1, was put.
func (s *Set) Has(i int64) bool {
	if i < s.next {
		return true
	}
	p := s.pages[i/sumsPerPage]
	return p != nil && p.known>>(i%sumsPerPage)&1 == 1
}

// Put records the digest of slab i, of 0 to n-1, which must not have one yet;
// the zero Sum says that it is a hole.
func (s *Set) Put(i int64, sum Sum) {
	if i == s.next {
		s.fold(sum)
		s.advance()
		return
	}
	k := i / sumsPerPage
	p := s.pages[k]
	if p == nil {
		if s.pages == nil {
			s.pages = make(map[int64]*page)
		}
		p = &page{sums: make([]Sum, min(sumsPerPage, s.end-k*sumsPerPage))}
		s.pages[k] = p
	}
	p.known |= 1 << (i % sumsPerPage)
	p.sums[i%sumsPerPage] = sum
}

// advance folds whatever follows without a gap.
func (s *Set) advance() {
	for s.next < s.end && s.Has(s.next) {
		s.fold(s.pages[s.next/sumsPerPage].sums[s.next%sumsPerPage])
	}
}

func (s *Set) fold(sum Sum) {
	s.list.add(&sum)
	if sum == (Sum{}) {
		s.holes = true
	}
	s.tree.Add(sum)
	s.next++
	if s.next%sumsPerPage == 0 || s.next == s.end {
		delete(s.pages, (s.next-1)/sumsPerPage)
	}
}

// Complete reports whether every slab has a digest.
func (s *Set) Complete() bool { return s.next == s.end }

// Sum is BLAKE3 in key derivation mode over the digests of all slabs, the marks
// of holes included. It means nothing before the set is complete.
func (s *Set) Sum() Sum { return s.list.sum() }

// File is the BLAKE3 of the file, as b3sum prints it. ok is false if that is
// not known: a slab is a hole, the set is not complete, or it has fewer than
// two slabs.
func (s *Set) File() (sum Sum, ok bool) {
	if s.holes || !s.Complete() || s.end < 2 {
		return Sum{}, false
	}
	return s.tree.Sum(), true
}
