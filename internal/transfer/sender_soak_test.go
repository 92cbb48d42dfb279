package transfer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/zeebo/blake3"
)

// TestSenderSurvivesAllAtOnce lets a seed decide everything: the link, memory,
// works, what the receiver has and claims, which blocks are spoilt, which files
// change, and when somebody stops it. What comes must be right, and what the
// sender remembers bounded. QFT_SEEDS sets how many stories are told.
func TestSenderSurvivesAllAtOnce(t *testing.T) {
	stories := seeds(10)
	if n, err := strconv.ParseUint(os.Getenv("QFT_SEEDS"), 10, 32); err == nil {
		stories = n
	}
	for seed := range stories {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			dir := plot(t)
			top := orchard(t, dir, seed)
			grove(t, filepath.Join(top, "holes"), 6*blockSize+99, func(i int64) bool { return (seed>>i)&1 == 0 })
			cache := ""
			if seed%3 > 0 {
				cache = filepath.Join(dir, "cache")
			}
			for run := range 3 {
				tellStory(t, dir, top, cache, seed*10+uint64(run))
			}
		})
		if t.Failed() {
			return
		}
	}
}

func tellStory(t *testing.T, dir, top, cache string, seed uint64) {
	k := newTaker(t, seed)
	rng := k.rng
	k.mode([]string{"at once", "later", "later", "beside"}[rng.IntN(4)])
	k.zstd = rng.IntN(2) == 0
	k.loss = rng.Float64() / 3
	k.piece = []int{1400, 9000, 70_000, blockSize}[rng.IntN(4)]
	k.batch = 1 + rng.IntN(200)
	changes := rng.IntN(3) == 0
	odd := rng.IntN(4)
	k.judging = func(e *takerEntry) verdict { return k.anyVerdict(e, dir, odd, changes) }
	spoilt := make(map[int64]bool)
	if rng.IntN(3) == 0 {
		k.spoil = func(block, at int64, p []byte) {
			if at == 0 && !spoilt[block] && rng.IntN(30) == 0 {
				spoilt[block] = true
				p[0] ^= 1
			}
		}
	}
	stop := -1
	if rng.IntN(4) == 0 {
		stop = rng.IntN(300)
	}
	k.each = func() {
		if stop--; stop == 0 {
			k.s.Stop(nil)
			k.s.Step(k.now)
		}
	}
	cfg := files(top)
	cfg.Cache = cache
	cfg.Memory = int64(8+rng.IntN(25)) << 20
	k.serve(cfg)
	err := k.run()
	var e *Error
	switch {
	case err == nil:
		k.wantContent(dir)
		k.wantWhole()
	case !errors.As(err, &e):
		t.Fatal(err)
	case e.Kind == Canceled && stop <= 0:
	case e.Kind == Changed && changes:
	case e.Kind == Corrupt && len(spoilt) > maxAgain:
	default:
		t.Fatal(err)
	}
}

// anyVerdict is some verdict that an honest receiver could come to. With changes,
// a file may be touched just now.
func (k *taker) anyVerdict(e *takerEntry, dir string, odd int, changes bool) verdict {
	path := filepath.Join(dir, filepath.FromSlash(e.path))
	b := e.source(dir)
	if changes && k.rng.IntN(15) == 0 {
		at := time.Unix(k.rng.Int64N(1e9), 0)
		if err := os.Chtimes(path, at, at); err != nil {
			k.t.Fatal(err)
		}
	}
	if k.rng.IntN(4) > odd {
		return verdictWant
	}
	switch v := verdict(k.rng.IntN(int(verdictMade))); v {
	case verdictHave:
		e.have = had(b, func(int64) bool { return true })
		return v
	case verdictPart:
		if slabs(e.Size) == 0 {
			return verdictWant
		}
		e.have = had(b, func(int64) bool { return k.rng.IntN(2) == 0 })
		return v
	case verdictClaim:
		e.claim = blake3.Sum256(b)
		if k.rng.IntN(3) == 0 {
			e.claim[0]++
		}
		return v
	default:
		return v
	}
}
