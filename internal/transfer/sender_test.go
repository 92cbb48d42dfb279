package transfer

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zeebo/blake3"

	"qft/internal/digest"
	"qft/internal/walk"
)

// noise is n bytes that a seed decides and nothing compresses.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), 9})
	rng.Read(b)
	return b
}

// prose is n bytes that compress well.
func prose(seed uint64, n int) []byte {
	rng := rand.New(rand.NewPCG(seed, 5))
	var b bytes.Buffer
	for b.Len() < n {
		fmt.Fprintf(&b, "%d.%03d host app[%d]: request %x took %d ms\n", 1e9+b.Len(), rng.IntN(1000), rng.IntN(100), rng.IntN(1<<16), rng.IntN(500))
	}
	return b.Bytes()[:n]
}

// plot is a directory in memory, if there is one, in which a test plants files.
func plot(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "qft-sender-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// sow makes a file, and the directories that it needs.
func sow(t *testing.T, b []byte, path ...string) string {
	t.Helper()
	name := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// orchard plants a tree with some of everything, as item "tree" of dir.
func orchard(t *testing.T, dir string, seed uint64) string {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 4))
	top := filepath.Join(dir, "tree")
	for i := range 40 {
		sow(t, noise(seed+uint64(i), rng.IntN(60_000)), top, fmt.Sprintf("d%d", i%5), fmt.Sprintf("small%d", i))
		sow(t, prose(seed+uint64(i), rng.IntN(60_000)), top, fmt.Sprintf("d%d", i%5), fmt.Sprintf("text%d", i))
	}
	sow(t, nil, top, "empty")
	sow(t, noise(seed, blockSize), top, "exact")
	sow(t, noise(seed, blockSize+1), top, "d2", "over")
	sow(t, noise(seed, 3*blockSize+rng.IntN(blockSize)), top, "d3", "large")
	sow(t, prose(seed, 4*blockSize+rng.IntN(blockSize)), top, "large text")
	sow(t, prose(seed, blockSize-7), top, "z", "text")
	if err := os.Symlink("d3/large", filepath.Join(top, "symlink")); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(top, "exact"), filepath.Join(top, "twin")); err != nil {
		t.Fatal(err)
	}
	return top
}

// wantFailure checks the kind of an error, and whether it came from the peer.
func wantFailure(t *testing.T, err error, kind Kind, peer bool) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Kind != kind || e.Peer != peer {
		t.Errorf("ended with %v, want kind %d, peer %v", err, kind, peer)
		return
	}
	if text := e.Error(); text == "" || text != printable(text, len(text)) {
		t.Errorf("error text %q", text)
	}
}

// wantWhole checks what the sender shows of a transfer that went well.
func (k *taker) wantWhole() {
	k.t.Helper()
	p := k.s.Progress()
	if p.Safe+p.Kept != p.Size || !p.Counted || p.Phase != Ended || p.Sum != sumText(k.end.root) {
		k.t.Errorf("progress at the end: %+v", p)
	}
	if k.s.cache.blocks.used > 1 { // the shelf
		k.t.Errorf("%d buffers are still in use", k.s.cache.blocks.used)
	}
	if n := k.s.tree.list.len(); n != 0 {
		k.t.Errorf("%d entries are still in memory", n)
	}
	if last := k.counts[len(k.counts)-1]; !last.final || last.files != p.Files || last.bytes != p.Size {
		k.t.Errorf("the last count is %+v, and the progress %+v", last, p)
	}
}

func TestSenderSendsATreeWhateverTheLink(t *testing.T) {
	for seed := range seeds(12) {
		mode := []string{"at once", "later", "beside"}[seed%3]
		packed := seed%2 == 0
		t.Run(fmt.Sprintf("%d/%s/%v", seed, mode, packed), func(t *testing.T) {
			k := newTaker(t, seed)
			k.mode(mode)
			k.zstd = packed
			k.loss = float64(seed) / 30
			k.piece = []int{1400, 9000, 300, 64 << 10, blockSize, 1 << 21, 1400}[seed%7]
			dir := plot(t)
			top := orchard(t, dir, seed)
			other := sow(t, noise(seed, 70_000), dir, "other item")
			k.serve(files(top, other))
			if err := k.run(); err != nil {
				t.Fatal(err)
			}
			k.wantContent(dir)
			k.wantWhole()
			if packed != (k.zipped > 0) {
				t.Errorf("%d blocks were compressed", k.zipped)
			}
			p := k.s.Progress()
			if p.Files != 87 || p.FilesDone != 87 || p.Name != "tree and 1 more" || p.Failed != 0 || p.Kept != 0 {
				t.Errorf("progress %+v", p)
			}
		})
	}
}

func TestSmallFilesShareBlocks(t *testing.T) {
	dir := plot(t)
	for i := range 3000 {
		sow(t, noise(uint64(i), 1+i%300), dir, "t", fmt.Sprint(i))
	}
	k := newTaker(t, 1)
	k.mode("later")
	k.serve(files(filepath.Join(dir, "t")))
	if err := k.run(); err != nil {
		t.Fatal(err)
	}
	k.wantContent(dir)
	k.wantWhole()
	if k.last > 60 {
		t.Errorf("%d blocks for 3,000 files", k.last)
	}
}

func TestOneFileIsHashedLikeB3sum(t *testing.T) {
	dir := plot(t)
	for _, n := range []int{0, 1, 1024, blockSize - 1, blockSize, blockSize + 1, 2 * blockSize, 5*blockSize + 12345} {
		for _, mode := range []string{"at once", "later"} {
			k := newTaker(t, uint64(n))
			k.mode(mode)
			k.loss = 0.1
			b := noise(3, n)
			cfg := files(sow(t, b, dir, "f"))
			cfg.Checksum = true
			k.serve(cfg)
			if err := k.run(); err != nil {
				t.Fatal(err)
			}
			k.wantContent(dir)
			k.wantWhole()
			want := blake3.Sum256(b)
			if p := k.s.Progress(); p.FileSum != sumText(want) || p.Name != "f" || p.Files != 1 {
				t.Errorf("%d bytes: %+v", n, p)
			}
			if k.counts[0] != (count{1, int64(n), true}) {
				t.Errorf("the offer counts %+v", k.counts[0])
			}
		}
	}
}

// grove makes a file in which those slabs for which data says so have bytes, and
// returns its content.
func grove(t *testing.T, path string, size int64, data func(slab int64) bool) []byte {
	t.Helper()
	b := make([]byte, size)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	for i := range slabs(size) {
		if at := i*blockSize + blockSize/2; data(i) && at < size {
			copy(b[at:], "data")
			f.WriteAt([]byte("data"), at)
		}
	}
	return b
}

func TestHolesAreToldAndNotSent(t *testing.T) {
	dir := plot(t)
	for name, data := range map[string]func(int64) bool{
		"all of it": func(int64) bool { return false },
		"the start": func(i int64) bool { return i > 6 },
		"the end":   func(i int64) bool { return i < 2 },
		"between":   func(i int64) bool { return i%3 == 0 },
	} {
		for _, mode := range []string{"at once", "later"} {
			t.Run(name+"/"+mode, func(t *testing.T) {
				path := filepath.Join(dir, "f")
				size := int64(11*blockSize + 77)
				b := grove(t, path, size, data)
				k := newTaker(t, 1)
				k.mode(mode)
				k.judging = func(e *takerEntry) verdict {
					if !e.Sparse {
						t.Skip("no holes here")
					}
					return verdictWant
				}
				cfg := files(path)
				cfg.Checksum = true
				k.serve(cfg)
				if err := k.run(); err != nil {
					t.Fatal(err)
				}
				k.wantContent(dir)
				k.wantWhole()
				want := blake3.Sum256(b)
				if p := k.s.Progress(); p.FileSum != sumText(want) {
					t.Errorf("hash %s of a file with holes", p.FileSum)
				}
				for i := range slabs(size) {
					if hole := k.entries[0].sums[i] == (digest.Sum{}); hole == data(i) && (i+1)*blockSize < size {
						t.Errorf("slab %d: hole %v", i, hole)
					}
				}
			})
		}
	}
}

// had is what a receiver has of a file: all slabs for which some says so.
func had(b []byte, some func(i int64) bool) map[int64]digest.Sum {
	all := make(map[int64]digest.Sum)
	if slabs(int64(len(b))) == 0 {
		all[0] = digest.File(b)
		return all
	}
	for i := range slabs(int64(len(b))) {
		if some(i) {
			all[i], _ = digest.Slab(b[i*blockSize:min((i+1)*blockSize, int64(len(b)))], i, nil)
		}
	}
	return all
}

// source is what a file of the tree below dir has.
func (e *takerEntry) source(dir string) []byte {
	b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(e.path)))
	if err != nil {
		panic(err)
	}
	return b
}

func TestWhatIsThereIsNotSentAgain(t *testing.T) {
	for seed := range seeds(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			k := newTaker(t, seed)
			k.mode([]string{"at once", "later", "beside"}[seed%3])
			dir := plot(t)
			top := orchard(t, dir, seed)
			var there int64
			k.judging = func(e *takerEntry) verdict {
				b := e.source(dir)
				switch k.rng.IntN(3) {
				case 0:
					return verdictWant
				case 1:
					e.have = had(b, func(int64) bool { return true })
					there += e.Size
					return verdictHave
				}
				if slabs(e.Size) == 0 {
					return verdictWant
				}
				e.have = had(b, func(int64) bool { return k.rng.IntN(2) == 0 })
				for i := range e.have {
					there += e.bytes(i)
				}
				return verdictPart
			}
			cfg := files(top)
			cfg.Cache = filepath.Join(dir, "cache")
			k.serve(cfg)
			if err := k.run(); err != nil {
				t.Fatal(err)
			}
			k.wantContent(dir)
			k.wantWhole()
			if p := k.s.Progress(); p.Resumed != there || p.Hashed != p.Size-there {
				t.Errorf("%d bytes were there: %+v", there, p)
			}
		})
	}
}

func TestVerdictsAreObeyed(t *testing.T) {
	for seed := range seeds(8) {
		for _, cached := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d/%v", seed, cached), func(t *testing.T) {
				k := newTaker(t, seed)
				k.mode([]string{"at once", "later", "beside"}[seed%3])
				k.loss = 0.05
				dir := plot(t)
				top := orchard(t, dir, seed)
				fates := make(map[string]string)
				var kept, refused int64
				k.judging = func(e *takerEntry) verdict {
					switch k.rng.IntN(6) {
					case 0:
						kept += e.Size
						return verdictSame
					case 1:
						kept += e.Size
						return verdictSkip
					case 2:
						kept += e.Size
						refused++
						return verdictRefused
					case 3:
						e.claim = blake3.Sum256(e.source(dir))
						kept += e.Size
						fates[e.path] = "equal"
						return verdictClaim
					case 4:
						e.claim = digest.Sum{1}
						fates[e.path] = "differs"
						return verdictClaim
					}
					return verdictWant
				}
				cfg := files(top)
				if cached {
					cfg.Cache = filepath.Join(dir, "cache")
				}
				k.serve(cfg)
				if err := k.run(); err != nil {
					t.Fatal(err)
				}
				k.wantContent(dir)
				k.wantWhole()
				for _, e := range k.entries {
					if e.fate != fates[e.path] {
						t.Errorf("%s: %q, want %q", e.path, e.fate, fates[e.path])
					}
				}
				if p := k.s.Progress(); p.Kept != kept || p.Failed != refused {
					t.Errorf("%d bytes kept, %d files refused: %+v", kept, refused, p)
				}
			})
		}
	}
}

func TestSpoiltBlocksAreSentAgain(t *testing.T) {
	for seed := range seeds(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			k := newTaker(t, seed)
			k.mode([]string{"at once", "later", "beside"}[seed%3])
			dir := plot(t)
			top := orchard(t, dir, seed)
			spoilt := 0
			k.spoil = func(block, at int64, p []byte) {
				if at == 0 && (block%3 == 1 && block < 12 || block == 14) {
					p[0] ^= 1
					spoilt++
				}
			}
			k.serve(files(top))
			if err := k.run(); err != nil {
				t.Fatal(err)
			}
			k.wantContent(dir)
			k.wantWhole()
			if p := k.s.Progress(); spoilt == 0 || p.Resent == 0 {
				t.Errorf("%d blocks spoilt, %d bytes sent again", spoilt, p.Resent)
			}
		})
	}
}

func TestBlockThatIsAlwaysSpoiltEndsIt(t *testing.T) {
	k := newTaker(t, 1)
	spoilt := 0
	k.spoil = func(block, at int64, p []byte) {
		if at == 0 {
			p[0] ^= 1
			spoilt++
		}
	}
	k.serve(files(sow(t, noise(1, 3000), plot(t), "f")))
	wantFailure(t, k.run(), Corrupt, false)
	if spoilt != 1+maxAgain {
		t.Errorf("it was sent %d times", spoilt)
	}
}

// TestLostPacketsAreReadAgain holds back a packet of each early block until the
// blocks have gone from memory.
func TestLostPacketsAreReadAgain(t *testing.T) {
	for _, mode := range []string{"at once", "later"} {
		t.Run(mode, func(t *testing.T) {
			k := newTaker(t, 3)
			k.mode(mode)
			k.zstd = false
			dir := plot(t)
			for i := range 400 {
				sow(t, noise(uint64(i), 20_000+i), dir, "t", fmt.Sprintf("a%03d", i))
			}
			sow(t, noise(7, 20*blockSize), dir, "t", "b")
			var held []takerRange
			k.hold = func(block, at int64) bool {
				if block >= 14 || at == 0 || at%(5*1400) != 0 {
					return false
				}
				held = append(held, takerRange{block<<blockShift + at, 1400})
				return true
			}
			k.serve(files(filepath.Join(dir, "t")))
			for k.s.blocks.list.next() < 25 {
				k.round()
			}
			k.hold = nil
			if len(held) < 100 || k.s.blocks.list.at(2).data != nil {
				t.Fatalf("%d packets held: the test does not do what it should", len(held))
			}
			for _, r := range held {
				b := k.s.blocks.list.at(r.off >> blockShift)
				r.n = min(r.n, b.payload-r.off&(blockSize-1))
				k.lost = append(k.lost, r)
			}
			if err := k.run(); err != nil {
				t.Fatal(err)
			}
			k.wantContent(dir)
			k.wantWhole()
			if p := k.s.Progress(); p.Resent != 0 {
				t.Errorf("%d bytes were asked for again", p.Resent)
			}
		})
	}
}

func TestTextAloneIsSentInTheOffer(t *testing.T) {
	k := newTaker(t, 1)
	k.serve(SenderConfig{Text: "hello"})
	if err := k.run(); err != nil {
		t.Fatal(err)
	}
	if k.offer.text != "hello" || k.offer.flags&offersText == 0 || k.heard[msgEntries] > 0 || k.end == nil {
		t.Errorf("offer %+v, end %v", k.offer, k.end)
	}
	_, err := NewSender(SenderConfig{Text: strings.Repeat("x", maxSent+1)})
	wantFailure(t, err, TooMuch, false)
}

func TestSenderRefusesWhatCannotBeSent(t *testing.T) {
	dir := plot(t)
	short := sow(t, []byte("12345"), dir, "short")
	if err := os.Symlink("nowhere", filepath.Join(dir, "dangling")); err != nil {
		t.Skip(err)
	}
	for _, c := range []struct {
		paths []string
		skip  int64
		want  Kind
	}{
		{nil, 0, BadName},
		{[]string{""}, 0, NotFound},
		{[]string{filepath.Join(dir, "missing")}, 0, NotFound},
		{[]string{short, filepath.Join(dir, "missing")}, 0, NotFound},
		{[]string{filepath.Join(dir, "dangling")}, 0, NotFound},
		{[]string{os.DevNull}, 0, NotRegular},
		{[]string{filepath.Join(short, "below")}, 0, Unreadable},
		{[]string{short, short}, 0, BadName},
		{[]string{"/"}, 0, BadName},
		{[]string{short}, 6, BadSkip},
		{[]string{short}, -1, BadSkip},
		{[]string{dir}, 1, BadSkip},
	} {
		cfg := SenderConfig{Walk: walk.Config{Paths: c.paths}, Skip: c.skip}
		_, err := NewSender(cfg)
		t.Log(err)
		wantFailure(t, err, c.want, false)
	}
}

func TestSkipIsOffered(t *testing.T) {
	dir := plot(t)
	b := noise(1, 4*blockSize)
	k := newTaker(t, 1)
	k.judging = func(e *takerEntry) verdict {
		e.have = had(b, func(i int64) bool { return i < 2 })
		return verdictPart
	}
	cfg := files(sow(t, b, dir, "f"))
	cfg.Skip = 2*blockSize + 5
	cfg.Checksum = true
	k.serve(cfg)
	if err := k.run(); err != nil {
		t.Fatal(err)
	}
	k.wantContent(dir)
	if p := k.s.Progress(); k.offer.skip != cfg.Skip || p.FileSum != sumText(blake3.Sum256(b)) {
		t.Errorf("offer %+v, progress %+v", k.offer, p)
	}
}

func TestCountingGoesOnBesideSending(t *testing.T) {
	dir := plot(t)
	for i := range 3000 {
		sow(t, []byte("x"), dir, "t", fmt.Sprint(i/100), fmt.Sprint(i))
	}
	k := newTaker(t, 1)
	k.mode("later")
	k.each = func() { k.now = k.now.Add(50 * time.Millisecond) }
	k.serve(files(filepath.Join(dir, "t")))
	if k.counts != nil {
		t.Fatal("something was heard before the first round")
	}
	if err := k.run(); err != nil {
		t.Fatal(err)
	}
	if first := k.counts[0]; first.final {
		t.Errorf("the offer counts %+v", first)
	}
	if last := k.counts[len(k.counts)-1]; last != (count{3000, 3000, true}) {
		t.Errorf("at last it counts %+v", last)
	}
	k.wantWhole()
}

func TestStopEndsCountingAndIsTold(t *testing.T) {
	dir := plot(t)
	top := orchard(t, dir, 1)
	for _, rounds := range []int{0, 1, 5, 20} {
		k := newTaker(t, uint64(rounds))
		k.mode("later")
		k.serve(files(top))
		for range rounds {
			k.round()
		}
		k.s.Stop(nil)
		k.s.Step(k.now)
		wantFailure(t, k.run(), Canceled, false)
		if k.heard[msgAbort] != 1 {
			t.Errorf("after %d rounds the receiver was not told", rounds)
		}
		if k.s.ctx.Err() == nil {
			t.Error("works are not told to stop")
		}
	}
}

func TestCloseReleasesAllAtAnyTime(t *testing.T) {
	dir := plot(t)
	top := orchard(t, dir, 1)
	for _, rounds := range []int{0, 3, 30, 100} {
		k := newTaker(t, uint64(rounds))
		k.mode("later")
		k.serve(files(top))
		for range rounds {
			k.round()
		}
		k.s.Close()
		for k.exec.round() {
		}
		if !k.s.released || len(k.s.files.list) > 0 {
			t.Errorf("after %d rounds: released %v, %d files open", rounds, k.s.released, len(k.s.files.list))
		}
	}
}
