package transfer

import (
	"testing"
	"time"
)

func TestTextIsCompressedOnASlowPath(t *testing.T) {
	dir := plot(t)
	path := sow(t, prose(1, 12*blockSize), dir, "log")
	for name, c := range map[string]struct {
		zstd, off bool
	}{"both want it": {true, false}, "the receiver cannot": {false, false}, "the sender does not": {true, true}} {
		t.Run(name, func(t *testing.T) {
			k := newTaker(t, 1)
			k.mode("later")
			k.zstd = c.zstd
			if c.zstd && !c.off {
				k.batch, k.piece = 4, 300 // 0.75 MB/s: less than any machine compresses
			}
			cfg := files(path)
			cfg.NoCompress = c.off
			k.serve(cfg)
			if err := k.run(); err != nil {
				t.Fatal(err)
			}
			k.wantContent(dir)
			k.wantWhole()
			p := k.s.Progress()
			t.Logf("%d bytes were sent of %d", p.Sent, p.Size)
			if packed := c.zstd && !c.off; packed != (p.Sent < p.Size/2) {
				t.Errorf("%d bytes were sent of %d", p.Sent, p.Size)
			}
		})
	}
}

// TestCompressedBlocksStayUntilTheyAreVerified: they could not be made again,
// so as long as nothing is verified, what comes later is sent as it is.
func TestCompressedBlocksStayUntilTheyAreVerified(t *testing.T) {
	dir := plot(t)
	k := newTaker(t, 1)
	k.mode("later")
	k.loss = 0.3
	k.silent = true
	k.piece = 9000
	k.serve(files(sow(t, prose(1, 60*blockSize), dir, "log")))
	for k.end == nil {
		k.round()
	}
	if k.zipped == 0 || k.zipped == 60 {
		t.Errorf("%d of %d blocks were compressed", k.zipped, k.last)
	}
	k.silent = false
	if err := k.run(); err != nil {
		t.Fatal(err)
	}
	k.wantContent(dir)
	k.wantWhole()
	if p := k.s.Progress(); p.Resent != 0 {
		t.Errorf("%+v", p)
	}
}

func TestRateIsThatOfThePath(t *testing.T) {
	now := time.Unix(1e9, 0)
	var r pathRate
	sent := int64(0)
	step := func(n, unsent int64) {
		now = now.Add(10 * time.Millisecond)
		sent += n
		r.measure(now, sent, unsent)
	}
	for range 100 {
		step(10_000, 1<<20)
	}
	if r.perSecond < 0.9e6 || r.perSecond > 1.1e6 {
		t.Errorf("a full queue leaves at %.0f", r.perSecond)
	}
	for range 100 {
		step(1000, 0) // the disk is slow: says nothing of the path
	}
	if r.perSecond < 0.9e6 || r.perSecond > 1.1e6 {
		t.Errorf("an empty queue makes it %.0f", r.perSecond)
	}
	for range 100 {
		step(30_000, 0)
	}
	if r.perSecond < 2.5e6 {
		t.Errorf("a fast path is %.0f", r.perSecond)
	}
	for range 200 {
		step(5000, 1<<20)
	}
	if r.perSecond < 0.45e6 || r.perSecond > 0.55e6 {
		t.Errorf("a path that became slow is %.0f", r.perSecond)
	}
}

// TestSmallPayloadsShareMemory: what is kept until it is verified takes little
// more than its own length.
func TestSmallPayloadsShareMemory(t *testing.T) {
	c := newCache(leastMemory)
	var all []*slot
	for i := range 300 {
		from := c.newSlot(0)
		if from == nil {
			t.Fatalf("%d payloads of 15,000 bytes fill %d buffers", i, c.blocks.used)
		}
		data := from.buf[:15_000]
		data[0], data[14_999] = byte(i), byte(i>>8)
		s, kept := c.pin(data, from)
		if len(kept) != 15_000 || kept[0] != byte(i) || kept[14_999] != byte(i>>8) {
			t.Fatalf("payload %d has changed", i)
		}
		all = append(all, s)
	}
	if c.pinned > 6 || c.pinned != c.blocks.used {
		t.Errorf("%d pinned, %d used", c.pinned, c.blocks.used)
	}
	for _, s := range all {
		c.drop(s)
	}
	if c.pinned != 1 || c.blocks.used != 1 || c.shelf.used != 0 {
		t.Errorf("%d pinned, %d used, and the shelf has %d bytes", c.pinned, c.blocks.used, c.shelf.used)
	}
}
