package lab

import (
	"io"
	"math"
	"math/bits"
	"math/rand/v2"
)

// Every consumer of randomness has a stream of its own, numbered within its
// kind, so that one more packet lost on one link, or one more consumer of one
// kind, changes nothing for the others.
const (
	streamPipe = iota
	streamRouter
	streamHost
	streamRand
	streamEntropy
	streamKinds
)

// dice is a stream of random decisions.
type dice struct{ pcg rand.PCG }

// fork returns the next stream of a kind.
func (w *World) fork(kind int) dice {
	w.streams[kind]++
	stream := uint64(kind)<<32 | uint64(w.streams[kind])
	return dice{*rand.NewPCG(scramble(w.seed), scramble(stream))}
}

// scramble is the finaliser of SplitMix64 (Steele, Lea, Flood 2014): streams
// of neighbouring numbers must not begin alike.
func scramble(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// odds turns a probability into what hit compares with: 0 is never, and
// anything from 1 on is always.
func odds(p float64) uint64 {
	switch {
	case !(p > 0):
		return 0
	case p >= 1:
		return math.MaxUint64
	}
	return uint64(math.Ldexp(p, 64))
}

// hit decides with the given odds. Never draws no number, so a link without
// loss is not slowed by the question.
func (d *dice) hit(odds uint64) bool {
	return odds != 0 && d.pcg.Uint64() <= odds
}

// unit returns a number in [0, 1).
func (d *dice) unit() float64 { return float64(d.pcg.Uint64()>>11) / (1 << 53) }

// below returns a number in [0, n).
func (d *dice) below(n int64) int64 {
	hi, _ := bits.Mul64(d.pcg.Uint64(), uint64(n))
	return int64(hi)
}

// Rand returns a new random stream that depends on the seed and on the number
// of calls before only.
func (w *World) Rand() *rand.Rand {
	d := w.fork(streamRand)
	return rand.New(&d.pcg)
}

// Entropy returns a new endless source of random bytes, for a machine's
// Config.Rand. It depends on the seed and on the number of calls before only.
func (w *World) Entropy() io.Reader {
	d := w.fork(streamEntropy)
	var key [32]byte
	for i := range key {
		key[i] = byte(d.pcg.Uint64())
	}
	return rand.NewChaCha8(key)
}
