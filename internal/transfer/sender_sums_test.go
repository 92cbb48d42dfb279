package transfer

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/zeebo/blake3"

	"qft/internal/digest"
	"qft/internal/journal"
	"qft/internal/statefile"
)

// remember sends a tree once, so that the cache knows it.
func remember(t *testing.T, cfg SenderConfig) {
	t.Helper()
	k := newTaker(t, 1)
	k.mode("later")
	k.serve(cfg)
	if err := k.run(); err != nil {
		t.Fatal(err)
	}
}

func TestClaimsAreAnsweredFromTheCache(t *testing.T) {
	dir := plot(t)
	cfg := files(orchard(t, dir, 1))
	cfg.Cache = filepath.Join(dir, "sub", "cache")
	remember(t, cfg)
	remember(t, cfg)
	info, err := os.Stat(cfg.Cache)
	if err != nil {
		t.Fatal(err)
	}
	k := newTaker(t, 2)
	k.mode("later")
	wrong := "tree/d2/over"
	k.judging = func(e *takerEntry) verdict {
		e.claim = blake3.Sum256(e.source(dir))
		if e.path == wrong {
			e.claim[0]++
		}
		return verdictClaim
	}
	k.serve(cfg)
	if err := k.run(); err != nil {
		t.Fatal(err)
	}
	k.wantContent(dir)
	k.wantWhole()
	if p := k.s.Progress(); p.Hashed != blockSize+1 || p.Kept != p.Size-p.Hashed {
		t.Errorf("progress %+v", p)
	}
	if again, err := os.Stat(cfg.Cache); err != nil || again.Size() != info.Size() {
		t.Errorf("the cache had %d bytes and has %v, %v", info.Size(), again, err)
	}
}

// TestHaveThatTheCacheContradicts: what the receiver has is of another content,
// though size and time are the same.
func TestHaveThatTheCacheContradicts(t *testing.T) {
	dir := plot(t)
	cfg := files(orchard(t, dir, 1))
	cfg.Cache = filepath.Join(dir, "cache")
	remember(t, cfg)
	k := newTaker(t, 2)
	k.mode("later")
	stale := map[string]bool{"tree/d1/small1": true, "tree/d3/large": true, "tree/large text": true}
	k.judging = func(e *takerEntry) verdict {
		e.have = had(e.source(dir), func(i int64) bool { return e.path != "tree/large text" || i != 2 })
		if stale[e.path] {
			sum := e.have[0]
			sum[5]++
			e.have[0] = sum
		}
		if e.path == "tree/large text" {
			return verdictPart
		}
		return verdictHave
	}
	k.serve(cfg)
	if err := k.run(); err != nil {
		t.Fatal(err)
	}
	k.wantContent(dir)
	k.wantWhole()
	var sent int64
	for _, e := range k.entries {
		if stale[e.path] {
			sent += e.Size
		}
		if e.fate == "differs" != stale[e.path] {
			t.Errorf("%s: %q", e.path, e.fate)
		}
	}
	if p := k.s.Progress(); p.Resumed != p.Size-sent || p.Hashed != sent {
		t.Errorf("%d bytes are stale: %+v", sent, p)
	}
}

// TestCacheKnowsChangedFiles: one that was written to is another file.
func TestCacheKnowsChangedFiles(t *testing.T) {
	dir := plot(t)
	path := sow(t, noise(1, 5000), dir, "f")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	cfg := files(path)
	cfg.Cache = filepath.Join(dir, "cache")
	remember(t, cfg)
	sow(t, noise(2, 5000), path)
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	k := newTaker(t, 2)
	k.judging = func(e *takerEntry) verdict {
		e.claim = blake3.Sum256(noise(2, 5000))
		return verdictClaim
	}
	k.serve(cfg)
	if err := k.run(); err != nil {
		t.Fatal(err)
	}
	if k.entries[0].fate != "equal" {
		t.Errorf("%q", k.entries[0].fate)
	}
}

func TestCacheThatCannotBeUsedIsNotUsed(t *testing.T) {
	dir := plot(t)
	top := orchard(t, dir, 1)
	for name, path := range map[string]string{
		"somebody's letter": sow(t, []byte("Dear friend, this is no cache."), dir, "letter"),
		"a directory":       dir,
		"below a file":      filepath.Join(sow(t, nil, dir, "file"), "cache"),
		"a device":          os.DevNull,
		"locked":            lockedCache(t, filepath.Join(dir, "locked")),
		"a foreign journal": foreignCache(t, filepath.Join(dir, "foreign")),
		"damaged":           damagedCache(t, files(top), filepath.Join(dir, "damaged")),
	} {
		t.Run(name, func(t *testing.T) {
			before, _ := os.ReadFile(path)
			k := newTaker(t, 1)
			k.mode("later")
			k.judging = func(e *takerEntry) verdict {
				e.claim = blake3.Sum256(e.source(dir))
				return verdictClaim
			}
			cfg := files(top)
			cfg.Cache = path
			k.serve(cfg)
			if err := k.run(); err != nil {
				t.Fatal(err)
			}
			for _, e := range k.entries {
				if e.Size > 0 && e.fate != "equal" {
					t.Errorf("%s: %q", e.path, e.fate)
				}
			}
			k.wantWhole()
			if after, _ := os.ReadFile(path); name != "damaged" && !bytes.Equal(before, after) {
				t.Error("it was touched")
			}
		})
	}
}

func lockedCache(t *testing.T, path string) string {
	sow(t, nil, path)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if free, err := statefile.TryLock(f); err != nil || !free {
		t.Skip("there are no locks here")
	}
	return path
}

func foreignCache(t *testing.T, path string) string {
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Create(f, []byte("of a receiver"))
	if err != nil {
		t.Fatal(err)
	}
	j.AppendLazily([]journal.Run{{Sums: []digest.Sum{{1}}}})
	j.Close()
	return path
}

func damagedCache(t *testing.T, cfg SenderConfig, path string) string {
	cfg.Cache = path
	remember(t, cfg)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 500; i < len(b); i += 97 {
		b[i] ^= 1
	}
	sow(t, b, path)
	return path
}
