package squeeze

import (
	"time"

	"github.com/klauspost/compress/zstd"
)

const (
	sampleParts = 4
	partSize    = 16 << 10
	countSize   = 1 << 10 // how much of each part uneven counts

	// unmeasured is the speed, in bytes/s, of a sample for which the clock is
	// too coarse: that of text on a processor of 2020.
	unmeasured = 300e6
)

// sample is the parts of b that speak for it: spread, because a block may hold
// many files; all of it, if it is short.
func sample(b []byte) (parts [][]byte) {
	if len(b) <= sampleParts*partSize {
		return [][]byte{b}
	}
	step := (len(b) - partSize) / (sampleParts - 1)
	for i := range sampleParts {
		parts = append(parts, b[i*step:][:partSize])
	}
	return parts
}

// try compresses parts, each by itself, into dst. ok says whether that makes
// them small enough; speed is in bytes/s.
func (e *Encoder) try(z *zstd.Encoder, dst []byte, parts [][]byte) (speed float64, ok bool) {
	in, out := 0, 0
	began := e.now()
	for _, p := range parts {
		in += len(p)
		out += len(z.EncodeAll(p, dst[:0]))
	}
	took := e.now().Sub(began)
	if took <= 0 {
		return unmeasured, pays(out, in)
	}
	return float64(in) * float64(time.Second) / float64(took), pays(out, in)
}

// uneven reports whether some bytes are so much more frequent than others that
// coding them alone may pay: of two bytes at random, in noise one pair of 256
// is of the same value, in base64 one of 64. The entropy is at least as high as
// the logarithm of that (it is the Rényi entropy of order 2), so with fewer
// pairs than one in 150, or 7.2 bits a byte, hardly 10 % could be saved.
func uneven(parts [][]byte) bool {
	var counts [256]int
	n := 0
	for _, p := range parts {
		p = p[:min(len(p), countSize)]
		n += len(p)
		for _, c := range p {
			counts[c]++
		}
	}
	pairs := int64(0)
	for _, c := range counts {
		pairs += int64(c) * int64(c)
	}
	return pairs*150 > int64(n)*int64(n)
}
