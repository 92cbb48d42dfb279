package squeeze

import (
	"runtime"
	"time"

	"github.com/klauspost/compress/zstd"
)

const (
	// maxBlock is the longest block, and the window that zstd looks back.
	maxBlock = 1 << 20

	// minBlock is the shortest block worth a look: what fits into one packet
	// arrives no sooner for being smaller.
	minBlock = 1 << 10

	// minGain is the part of a block, one in so many bytes, that must be saved:
	// with less the receiver's work costs more than it brings.
	minGain = 20

	// fastMargin and betterMargin are how many times as fast as the path a
	// sample must be compressed for the block to be compressed at all, or
	// better. A path that carries r bytes/s carries 4 r of what shrinks to a
	// quarter, and has other work for the processor; and the better level is
	// slower than the sample by a factor of 3 to 6, on blocks of text.
	fastMargin   = 4
	betterMargin = 32

	// maxWorkers is how many blocks are compressed at the same time.
	maxWorkers = 3
)

// Encoder compresses blocks. It may be used by several goroutines at the same
// time; more than three wait for each other.
type Encoder struct {
	now    func() time.Time
	trial  *zstd.Encoder // fast, matches only: gives noise up at once
	fast   *zstd.Encoder
	better *zstd.Encoder
}

// NewEncoder is an Encoder that takes the time from now, which must bear being
// called by several goroutines at the same time. It needs memory from its first
// use on.
func NewEncoder(now func() time.Time) *Encoder {
	return &Encoder{
		now:    now,
		trial:  newLevel(zstd.SpeedFastest, zstd.WithAllLitEntropyCompression(false)),
		fast:   newLevel(zstd.SpeedFastest, zstd.WithAllLitEntropyCompression(true)),
		better: newLevel(zstd.SpeedBetterCompression, zstd.WithAllLitEntropyCompression(true)),
	}
}

func newLevel(level zstd.EncoderLevel, literals zstd.EOption) *zstd.Encoder {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), literals,
		zstd.WithEncoderConcurrency(min(maxWorkers, runtime.GOMAXPROCS(0))), zstd.WithWindowSize(maxBlock),
		zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true))
	if err != nil {
		panic(err) // only for options that are wrong in themselves
	}
	return z
}

// Block compresses src, of at most 1 MiB, into dst[:0] if that pays; dst must
// have a capacity of len(src) and not overlap it. rate is what the path carries
// now, in bytes/s; 0 if that is not known. ok is false if src is to be sent as
// it is; dst holds anything then.
func (e *Encoder) Block(dst, src []byte, rate float64) (out []byte, ok bool) {
	if len(src) < minBlock || len(src) > maxBlock {
		return nil, false
	}
	z := e.choose(dst, src, rate)
	if z == nil {
		return nil, false
	}
	out = z.EncodeAll(src, dst[:0])
	if !pays(len(out), len(src)) {
		return nil, false
	}
	return out, true
}

// choose is the level for src; nil if none pays.
func (e *Encoder) choose(dst, src []byte, rate float64) *zstd.Encoder {
	parts := sample(src)
	speed, ok := e.try(e.trial, dst, parts)
	if !ok && uneven(parts) {
		speed, ok = e.try(e.fast, dst, parts)
	}
	switch {
	case !ok || speed < fastMargin*rate:
		return nil
	case rate > 0 && speed >= betterMargin*rate:
		return e.better
	}
	return e.fast
}

func pays(out, in int) bool { return out <= in-in/minGain }
