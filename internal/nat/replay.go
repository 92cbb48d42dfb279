package nat

// window accepts each sequence number once (the sliding window of RFC 4303
// section 3.4.3). It must span what reordering between paths of different
// length can do: 4,096 probes are three seconds at the highest rate a peer may
// send pings, pongs and guesses. The zero value works; sequence numbers begin with 1.
type window struct {
	top  uint64 // highest accepted
	seen [windowSize / 64]uint64
}

const windowSize = 4096

// accept marks seq and reports whether it is new.
func (w *window) accept(seq uint64) bool {
	if seq == 0 || seq+windowSize <= w.top {
		return false
	}
	if seq > w.top {
		// Slots between the old top and the new one are of numbers not
		// seen yet, and hold bits of numbers that left the window.
		for s, n := w.top+1, 0; s <= seq && n < windowSize; s, n = s+1, n+1 {
			w.seen[s/64%(windowSize/64)] &^= 1 << (s % 64)
		}
		w.top = seq
	}
	word, bit := &w.seen[seq/64%(windowSize/64)], uint64(1)<<(seq%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	return true
}
