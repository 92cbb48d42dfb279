package duplex

import "slices"

const (
	chunkSize = 64 << 10
	maxSpare  = 4 // chunks that are kept to be used again
)

// maxPieces bounds the gaps in what has arrived: a window of full packets has
// fewer, and a hostile peer's tiny pieces would make every further one slower.
const maxPieces = 16 << 10

// window is a stretch of a stream: bytes by their offset. Memory is taken in
// chunks where something is written, and given back behind the front.
type window struct {
	first  int64 // number of chunks[0]
	chunks [][]byte
	spare  [][]byte
}

// write puts bytes in their place, which is not before the front.
func (w *window) write(p []byte, off int64) {
	for len(p) > 0 {
		i := int(off/chunkSize - w.first)
		for i >= len(w.chunks) {
			w.chunks = append(w.chunks, nil)
		}
		if w.chunks[i] == nil {
			w.chunks[i] = w.take()
		}
		n := copy(w.chunks[i][off%chunkSize:], p)
		p, off = p[n:], off+int64(n)
	}
}

func (w *window) take() []byte {
	if n := len(w.spare); n > 0 {
		c := w.spare[n-1]
		w.spare = w.spare[:n-1]
		return c
	}
	return make([]byte, chunkSize)
}

// read fills p with the bytes at off, which were written.
func (w *window) read(p []byte, off int64) {
	for len(p) > 0 {
		n := copy(p, w.chunks[off/chunkSize-w.first][off%chunkSize:])
		p, off = p[n:], off+int64(n)
	}
}

// trim moves the front: nothing below is read any more.
func (w *window) trim(front int64) {
	n := 0
	for ; n < len(w.chunks) && (w.first+int64(n)+1)*chunkSize <= front; n++ {
		if c := w.chunks[n]; c != nil && len(w.spare) < maxSpare {
			w.spare = append(w.spare, c)
		}
	}
	w.chunks = slices.Delete(w.chunks, 0, n)
	w.first += int64(n)
	if len(w.chunks) == 0 {
		w.first = front / chunkSize
	}
}

// piece is a stretch of what has arrived.
type piece struct{ low, high int64 }

// pieces are what has arrived, sorted, with gaps between.
type pieces []piece

// add takes a stretch; false: it would be one too many.
func (s *pieces) add(low, high int64) bool {
	i, _ := slices.BinarySearchFunc(*s, low, func(x piece, low int64) int {
		if x.high < low {
			return -1
		}
		return 1
	})
	j := i
	for j < len(*s) && (*s)[j].low <= high {
		low, high = min(low, (*s)[j].low), max(high, (*s)[j].high)
		j++
	}
	if i == j {
		if len(*s) >= maxPieces {
			return false
		}
		*s = slices.Insert(*s, i, piece{low, high})
		return true
	}
	(*s)[i] = piece{low, high}
	*s = slices.Delete(*s, i+1, j)
	return true
}

// runTo is where the stretch that begins at or before off ends; off if there
// is none.
func (s pieces) runTo(off int64) int64 {
	if len(s) > 0 && s[0].low <= off {
		return max(off, s[0].high)
	}
	return off
}
