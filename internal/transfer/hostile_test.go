package transfer

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"qft/internal/digest"
	"qft/internal/manifest"
	"qft/internal/plant"
)

// liar is a sender that says what a test wants.
type liar struct {
	t    *testing.T
	r    *Receiver
	wire wire
	now  time.Time
	base int64 // number of the next entry
	said map[byte][][]byte
}

// lie starts a receiver below a directory with a bait beside it.
func lie(t *testing.T, rc ReceiverConfig) *liar {
	t.Helper()
	top := tempDir(t)
	dir := filepath.Join(top, "in")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(top, "bait"), []byte("bait"))
	rc.Plant.Dir = dir
	rc.Memory = leastMemory
	r, err := NewReceiver(rc)
	if err != nil {
		t.Fatal(err)
	}
	l := &liar{t: t, r: r, now: time.Unix(1e9, 0), said: make(map[byte][][]byte)}
	r.Start(conn{&l.wire, &l.wire.toSender, &l.wire.toReceiver})
	t.Cleanup(func() {
		r.Close()
		wantOnly(t, top, "bait", "in")
		wantFile(t, filepath.Join(top, "bait"), []byte("bait"))
	})
	return l
}

// say sends one message and lets the receiver act on it.
func (l *liar) say(typ byte, body []byte) {
	b := []byte{byte(len(body) >> 24), byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body)), typ}
	l.wire.toReceiver.arrived = append(append(l.wire.toReceiver.arrived, b...), body...)
	l.step()
}

// step lets the receiver act, and takes what it says.
func (l *liar) step() {
	for range 4 {
		l.now = l.now.Add(time.Second)
		l.r.Step(l.now)
		for {
			typ, body, rest, err := nextFrame(l.wire.toSender.sent)
			if err != nil {
				l.t.Fatal(err)
			}
			if rest == nil {
				break
			}
			l.wire.toSender.sent = rest
			l.said[typ] = append(l.said[typ], append([]byte(nil), body...))
		}
	}
}

func (l *liar) offer(names ...string) {
	l.say(msgOffer, appendOffer(nil, offer{count: count{1, 1, true}, items: len(names), names: names}))
}

// entries tells entries.
func (l *liar) entries(all ...manifest.Entry) {
	b := appendNumber(nil, l.base)
	for k := range all {
		b = manifest.Append(b, &all[k])
	}
	l.base += int64(len(all))
	l.say(msgEntries, b)
}

// bulk sends the bytes of a block.
func (l *liar) bulk(i int64, b []byte) {
	l.r.WriteBulk(b, i<<blockShift)
	l.step()
}

// end is how the receiver has ended: nil if it has not.
func (l *liar) end() error {
	l.step()
	l.now = l.now.Add(time.Hour)
	l.step()
	_, err := l.r.Done()
	return err
}

func file(name string, size int64) manifest.Entry {
	return manifest.Entry{Kind: manifest.File, Name: name, Mode: 0o644, Sec: 1e9, Size: size}
}

// one is the announcement of a block with the one file.
func one(i, entry int64, content []byte) announcement {
	return announcement{index: i, payload: int64(len(content)), sum: digest.Pack([]digest.Sum{digest.File(content)}),
		extents: []extent{{entry, 0, int64(len(content))}}}
}

func slab(i, entry, k int64, content []byte) announcement {
	sum, _ := digest.Slab(content, k, nil)
	return announcement{index: i, payload: int64(len(content)), sum: sum, extents: []extent{{entry, k << blockShift, int64(len(content))}}}
}

func (l *liar) announce(a announcement) { l.say(msgBlock, appendBlock(nil, a)) }

// TestHostileSender: whatever a sender tells, the receiver ends by naming it,
// and nothing outside its directory changes.
func TestHostileSender(t *testing.T) {
	mib := make([]byte, blockSize)
	dir := func(name string, depth int) manifest.Entry {
		return manifest.Entry{Kind: manifest.Dir, Name: name, Depth: depth, Mode: 0o755}
	}
	at := func(depth int, e manifest.Entry) manifest.Entry { e.Depth = depth; return e }
	attacks := map[string]struct {
		kind Kind
		do   func(l *liar)
	}{
		"garbage":                  {Protocol, func(l *liar) { l.say(msgOffer, []byte("\x02\x14garbage")) }},
		"another version":          {Version, func(l *liar) { l.say(msgOffer, []byte{9, 20}) }},
		"message without an end":   {Protocol, func(l *liar) { l.wire.toReceiver.arrived = []byte("\xff\xff\xff\xff\x01"); l.step() }},
		"unknown message":          {Protocol, func(l *liar) { l.offer("a"); l.say(0x77, nil) }},
		"entries before the offer": {Protocol, func(l *liar) { l.entries(file("a", 1)) }},
		"two offers":               {Protocol, func(l *liar) { l.offer("a"); l.offer("a") }},
		"no entry":                 {Protocol, func(l *liar) { l.offer("a"); l.entries() }},
		"entries out of order":     {Protocol, func(l *liar) { l.offer("a"); l.base = 5; l.entries(file("a", 1)) }},
		"name with a slash":        {Protocol, func(l *liar) { l.offer("a"); l.entries(file("../bait", 4)) }},
		"absolute name":            {Protocol, func(l *liar) { l.offer("a"); l.entries(file("/tmp/x", 4)) }},
		"detour":                   {Protocol, func(l *liar) { l.offer("a"); l.entries(file("a/../../bait", 4)) }},
		"parent":                   {Protocol, func(l *liar) { l.offer("a"); l.entries(dir("..", 0), at(1, file("bait", 4))) }},
		"self":                     {Protocol, func(l *liar) { l.offer("a"); l.entries(dir(".", 0)) }},
		"empty name":               {Protocol, func(l *liar) { l.offer("a"); l.entries(file("", 4)) }},
		"NUL":                      {Protocol, func(l *liar) { l.offer("a"); l.entries(file("a\x00b", 4)) }},
		"child of nothing":         {Protocol, func(l *liar) { l.offer("a"); l.entries(at(1, file("a", 4))) }},
		"child of a file":          {Protocol, func(l *liar) { l.offer("a"); l.entries(file("a", 4), at(1, file("b", 4))) }},
		"child of a symlink": {Protocol, func(l *liar) {
			l.offer("a")
			l.entries(manifest.Entry{Kind: manifest.Symlink, Name: "a", Target: ".."}, at(1, file("bait", 4)))
		}},
		"link to outside": {Protocol, func(l *liar) {
			l.offer("a")
			l.entries(manifest.Entry{Kind: manifest.Link, Name: "a", Target: "../bait"})
		}},
		"sizes that overflow": {Protocol, func(l *liar) {
			l.offer("a")
			l.entries(dir("a", 0), at(1, file("b", maxSize)), at(1, file("c", maxSize)))
		}},
		"unbounded size":              {Protocol, func(l *liar) { l.offer("a"); l.entries(file("b", maxSize+1)) }},
		"stream that was not offered": {Protocol, func(l *liar) { l.offer("a"); l.entries(manifest.Entry{Kind: manifest.Stream, Name: "a"}) }},
		"block of nothing":            {Protocol, func(l *liar) { l.offer("a"); l.announce(one(0, 0, []byte("x"))) }},
		"block out of order":          {Protocol, func(l *liar) { l.offer("a"); l.entries(file("a", 4)); l.announce(one(3, 0, []byte("abcd"))) }},
		"block of another size":       {Protocol, func(l *liar) { l.offer("a"); l.entries(file("a", 4)); l.announce(one(0, 0, []byte("abcde"))) }},
		"block beyond the file":       {Protocol, func(l *liar) { l.offer("a"); l.entries(file("a", 3*blockSize)); l.announce(slab(0, 0, 3, mib)) }},
		"slab left out":               {Protocol, func(l *liar) { l.offer("a"); l.entries(file("a", 3*blockSize)); l.announce(slab(0, 0, 1, mib)) }},
		"slab twice": {Protocol, func(l *liar) {
			l.offer("a")
			l.entries(file("a", 3*blockSize))
			l.announce(slab(0, 0, 0, mib))
			l.announce(slab(1, 0, 0, mib))
		}},
		"file twice": {Protocol, func(l *liar) {
			l.offer("a")
			l.entries(file("a", 4))
			l.announce(one(0, 0, []byte("abcd")))
			l.announce(one(1, 0, []byte("abcd")))
		}},
		"block of a directory": {Protocol, func(l *liar) {
			l.offer("a")
			l.entries(dir("a", 0), at(1, file("b", 1)))
			l.announce(one(0, 0, []byte("x")))
		}},
		"again without being asked": {Protocol, func(l *liar) {
			l.offer("a")
			l.entries(file("a", 4))
			a := one(0, 0, []byte("abcd"))
			a.flags = blockAgain
			l.announce(a)
		}},
		"more bytes than announced": {Protocol, func(l *liar) {
			l.offer("a")
			l.entries(file("a", 4))
			l.announce(one(0, 0, []byte("abcd")))
			l.bulk(0, []byte("abcdefgh"))
		}},
		"fewer announced than came": {Protocol, func(l *liar) {
			l.offer("a")
			l.entries(file("a", 4))
			l.bulk(0, []byte("abcdefgh"))
			l.announce(one(0, 0, []byte("abcd")))
		}},
		"hole in what has none": {Protocol, func(l *liar) {
			l.offer("a")
			l.entries(file("a", 3*blockSize))
			l.say(msgHole, appendHole(nil, hole{0, 0, 1}))
		}},
		"hole beyond the file": {Protocol, func(l *liar) {
			l.offer("a")
			e := file("a", 3*blockSize)
			e.Sparse = true
			l.entries(e)
			l.say(msgHole, appendHole(nil, hole{0, 0, 4}))
		}},
		"equal without a claim": {Protocol, func(l *liar) { l.offer("a"); l.entries(file("a", 4)); l.say(msgEqual, appendNumber(nil, 0)) }},
		"failure of nothing":    {Protocol, func(l *liar) { l.offer("a"); l.say(msgFailed, appendFailed(nil, failing{entry: 7})) }},
		"end of no stream": {Protocol, func(l *liar) {
			l.offer("a")
			l.entries(file("a", 4))
			l.say(msgEnded, appendNumber(appendNumber(nil, 0), 4))
		}},
		"end too early": {Protocol, func(l *liar) {
			l.offer("a")
			l.entries(file("a", 4))
			l.say(msgEnd, appendEnd(nil, ending{entries: 1}))
		}},
		"end of more than there was": {Protocol, func(l *liar) { l.offer("a"); l.say(msgEnd, appendEnd(nil, ending{entries: 1 << 40, blocks: 1 << 40})) }},
		"wrong root": {Corrupt, func(l *liar) {
			l.offer("a")
			l.entries(file("a", 4))
			l.announce(one(0, 0, []byte("abcd")))
			l.bulk(0, []byte("abcd"))
			l.say(msgEnd, appendEnd(nil, ending{entries: 1, blocks: 1}))
		}},
		"wrong bytes for ever": {Corrupt, func(l *liar) {
			l.offer("a")
			l.entries(file("a", 4))
			for i := range int64(maxTries + 1) {
				a := one(i, 0, []byte("abcd"))
				if i > 0 {
					a.flags = blockAgain
				}
				l.announce(a)
				l.bulk(i, []byte("abcX"))
			}
		}},
		"bomb": {Corrupt, func(l *liar) {
			l.offer("a")
			l.entries(file("a", 1000))
			for i := range int64(maxTries + 1) {
				a := one(i, 0, make([]byte, 1000))
				a.payload = int64(len(bomb()))
				a.flags = blockZstd
				if i > 0 {
					a.flags |= blockAgain
				}
				l.announce(a)
				l.bulk(i, bomb())
			}
		}},
	}
	for name, a := range attacks {
		t.Run(name, func(t *testing.T) {
			l := lie(t, ReceiverConfig{})
			a.do(l)
			wantKind(t, "receiver", l.end(), a.kind, false)
		})
	}
}

// TestFloodOfEntriesIsHeldBack: a sender that does not wait is not listened to
// for longer than there is room.
func TestFloodOfEntriesIsHeldBack(t *testing.T) {
	l := lie(t, ReceiverConfig{Ask: true})
	l.offer("a")
	l.entries(manifest.Entry{Kind: manifest.Dir, Name: "a", Mode: 0o755})
	for range 4000 {
		var all []manifest.Entry
		for k := range 100 {
			e := file(fmt.Sprintf("%d", l.base+int64(k)), 1<<20)
			e.Depth = 1
			all = append(all, e)
		}
		l.entries(all...)
	}
	if n := len(l.r.line.items); n > 2*window {
		t.Errorf("%d entries are held, more than %d", n, 2*window)
	}
	if err := l.end(); err != nil {
		t.Errorf("ended with %v instead of waiting", err)
	}
}

// TestLimitsAreKept: what was allowed holds for what is told, not only for what
// was offered.
func TestLimitsAreKept(t *testing.T) {
	for _, c := range []struct {
		rc      ReceiverConfig
		entries []manifest.Entry
	}{
		{ReceiverConfig{MaxBytes: 10}, []manifest.Entry{file("a", 11)}},
		{ReceiverConfig{MaxFiles: 1}, []manifest.Entry{file("a", 1), file("b", 1)}},
	} {
		l := lie(t, c.rc)
		l.offer("a", "b")
		l.entries(c.entries...)
		wantKind(t, "receiver", l.end(), TooMuch, false)
	}
}

// TestDangerousNamesAreShownOrRefused: nothing arrives under a name that could
// deceive, and nothing is lost without being named.
func TestDangerousNamesAreShownOrRefused(t *testing.T) {
	l := lie(t, ReceiverConfig{})
	names := []string{"esc\x1b[31m", "bidi\u202egpj.exe", "line\nfeed", "plain"}
	l.offer(names...)
	var all []manifest.Entry
	for _, n := range names {
		all = append(all, file(n, 1))
	}
	l.entries(all...)
	for i := range int64(len(names)) {
		l.announce(one(i, i, []byte("x")))
		l.bulk(i, []byte("x"))
	}
	beds, err := filepath.Glob(filepath.Join(l.r.place.Dir, ".*", "data", "*"))
	if err != nil || len(beds) != len(names) {
		t.Fatalf("%q, %v", beds, err)
	}
	for _, p := range beds {
		if base := filepath.Base(p); printable(base, maxName) != base {
			t.Errorf("made %q", base)
		}
	}
	l.r.Stop(nil)
	wantKind(t, "receiver", l.end(), Canceled, false)
}

func TestOwnNamesAreNotTaken(t *testing.T) {
	l := lie(t, ReceiverConfig{Plant: plant.Config{}})
	l.offer("a")
	l.entries(file(".a.qft-part", 1))
	if err := l.end(); err == nil && !strings.Contains(fmt.Sprint(l.r.Progress().Failures), "qft-part") {
		t.Errorf("a file that is named as a bed was taken: %+v", l.r.Progress())
	}
}
