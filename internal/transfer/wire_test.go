package transfer

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestMessagesSurviveTheWire(t *testing.T) {
	o := offer{7, entry{0o751, -5, 999_999_999, maxSize, "náme\x00\xff"}}
	if got, err := parseOffer(appendOffer(nil, o)); err != nil || got != o {
		t.Errorf("OFFER %+v, %v", got, err)
	}
	a := accept{maxSize, 3}
	if got, err := parseAccept(appendAccept(nil, a)); err != nil || got != a {
		t.Errorf("ACCEPT %+v, %v", got, err)
	}
	v := verdict{NoSpace, "disk: full"}
	if got, err := parseVerdict(appendVerdict(nil, v)); err != nil || got != v {
		t.Errorf("ABORT %+v, %v", got, err)
	}
	long := verdict{Disk, strings.Repeat("é", maxText)}
	if got, err := parseVerdict(appendVerdict(nil, long)); err != nil || len(got.text) > maxText+3 {
		t.Errorf("ABORT with a long text: %d bytes, %v", len(got.text), err)
	}
	s := space{0, 5 * blockSize}
	r := run{3, []digest{{1}, {2}}}
	if got, err := parseRun(appendRun(nil, r.first, r.sums), s); err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("HASH %+v, %v", got, err)
	}
	if got, err := parseNumber(appendNumber(nil, 42)); err != nil || got != 42 {
		t.Errorf("RESEND %d, %v", got, err)
	}
	root := digest{9}
	if got, err := parseEnd(root[:]); err != nil || got != root {
		t.Errorf("END %v, %v", got, err)
	}
}

// TestWireLayout holds the bytes of an offer and of a journal header: a change
// of either is a change of the protocol.
func TestWireLayout(t *testing.T) {
	got := appendOffer(nil, offer{0x0102, entry{0o755, 0x1122334455, 0x0a0b, 0x0304, "hi"}})
	want := []byte{1, 20, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 1, 1, 1, 0xed, 0, 0, 0, 0x11, 0x22, 0x33, 0x44, 0x55, 0, 0, 0x0a, 0x0b, 0, 0, 0, 0, 0, 0, 3, 4, 0, 2, 'h', 'i'}
	if !bytes.Equal(got, want) {
		t.Errorf("OFFER\n% x, want\n% x", got, want)
	}
	header := appendHeader(nil, identity{"hi", 0x0304, 0x1122334455, 0x0a0b, 1, 2})
	want = append([]byte("qftjrnl1"), 0, 0, 0, 64, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 3, 4, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2,
		0, 0, 0, 0x11, 0x22, 0x33, 0x44, 0x55, 0, 0, 0x0a, 0x0b, 0, 2, 'h', 'i')
	if !bytes.Equal(header[:len(want)], want) || len(header) != 64 {
		t.Errorf("header\n% x, want\n% x", header, want)
	}
}

// FuzzMessages: whatever parses appends to the same bytes again, but for the
// texts that are made printable.
func FuzzMessages(f *testing.F) {
	f.Add(byte(msgOffer), offerOf(file("name", 1<<30)))
	f.Add(byte(msgAccept), appendAccept(nil, accept{1, 2}))
	f.Add(byte(msgAbort), appendVerdict(nil, verdict{Canceled, "stopped"}))
	f.Add(byte(msgHash), hashes(1, digest{1}, digest{2}))
	f.Add(byte(msgSafe), appendNumber(nil, 5))
	f.Add(byte(msgEnd), make([]byte, 32))
	f.Fuzz(func(t *testing.T, typ byte, b []byte) {
		s := space{blockSize / 2, 5 * blockSize}
		var again []byte
		var err error
		switch typ {
		case msgOffer:
			var o offer
			if o, err = parseOffer(b); err == nil {
				again = appendOffer(nil, o)
				if sp := o.space(); sp.length() < 0 || sp.end() < sp.first() {
					t.Errorf("space %+v", sp)
				}
			}
		case msgAccept:
			var a accept
			if a, err = parseAccept(b); err == nil {
				again = appendAccept(nil, a)
			}
		case msgAbort, msgReject:
			v, err := parseVerdict(b)
			if err == nil && v.text != printable(v.text, len(v.text)) {
				t.Errorf("text %q", v.text)
			}
			return
		case msgHash, msgHave:
			var r run
			if r, err = parseRun(b, s); err == nil {
				again = appendRun(nil, r.first, r.sums)
				if !s.has(r.first) || !s.has(r.first+int64(len(r.sums))-1) {
					t.Errorf("run of %d from %d", len(r.sums), r.first)
				}
			}
		case msgResend, msgSafe:
			var n int64
			if n, err = parseNumber(b); err == nil {
				again = appendNumber(nil, n)
			}
		case msgEnd:
			var root digest
			if root, err = parseEnd(b); err == nil {
				again = root[:]
			}
		default:
			return
		}
		if err == nil && !bytes.Equal(again, b) {
			t.Errorf("% x became % x", b, again)
		}
	})
}

// FuzzReceiver feeds a receiver an arbitrary control stream and arbitrary bulk
// offsets; it must end or wait, within its memory, and leave the neighbour.
func FuzzReceiver(f *testing.F) {
	frame := func(typ byte, body []byte) []byte {
		return append(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), typ), body...)
	}
	whole := append(frame(msgOffer, offerOf(file("f", 3))), frame(msgHash, hashes(0, digest{}))...)
	f.Add(append(whole, frame(msgEnd, make([]byte, 32))...), int64(0), uint16(3))
	f.Add(frame(msgAbort, appendVerdict(nil, verdict{Canceled, "no"})), int64(-1), uint16(1))
	f.Fuzz(func(t *testing.T, in []byte, off int64, n uint16) {
		dir := tempDir(t)
		r, err := NewReceiver(ReceiverConfig{Dir: dir, Name: "target"})
		if err != nil {
			t.Fatal(err)
		}
		p := &peer{now: time.Unix(1e9, 0)}
		p.link.toReceiver.arrived = in
		r.Start(conn{&p.link, &p.link.toSender, &p.link.toReceiver})
		r.Step(p.now)
		r.WriteBulk(make([]byte, n), off)
		r.Step(p.now.Add(time.Second))
		if a := &r.asm; a.pool.used > a.pool.limit || len(a.open) > 2*maxOpen {
			t.Errorf("%d buffers, %d blocks", a.pool.used, len(a.open))
		}
		r.Close()
		if !r.released {
			t.Error("files are still open")
		}
	})
}

// FuzzSender feeds a sender an arbitrary control stream.
func FuzzSender(f *testing.F) {
	frame := func(typ byte, body []byte) []byte {
		return append(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), typ), body...)
	}
	f.Add(append(frame(msgHave, hashes(0, digest{})), frame(msgAccept, appendAccept(nil, accept{0, 1}))...))
	f.Add(append(frame(msgAccept, appendAccept(nil, accept{})), frame(msgResend, appendNumber(nil, 0))...))
	f.Add(append(frame(msgAccept, appendAccept(nil, accept{})), frame(msgDone, nil)...))
	f.Fuzz(func(t *testing.T, in []byte) {
		path := tempDir(t) + "/f"
		writeFile(t, path, []byte("twelve bytes"))
		s, err := NewSender(SenderConfig{Path: path, Config: Config{Memory: leastMemory}})
		if err != nil {
			t.Fatal(err)
		}
		p := &peer{now: time.Unix(1e9, 0)}
		p.link.toSender.arrived = in
		s.Start(conn{&p.link, &p.link.toReceiver, &p.link.toSender})
		s.Step(p.now)
		for _, e := range p.link.ranges {
			if e.off < 0 || e.n <= 0 || e.off+e.n > 12 {
				t.Errorf("range %+v", e)
			}
		}
		if done, err := s.Done(); done && err != nil && strings.ContainsAny(err.Error(), "\x1b\n\r") {
			t.Errorf("error %q", err)
		}
		s.Close()
		if !s.released {
			t.Error("the file is still open")
		}
	})
}

// FuzzJournal: reading stops where the journal is not good, and what was read
// stays readable when it goes on.
func FuzzJournal(f *testing.F) {
	id := identity{name: "f", size: 9 * blockSize, start: 5}
	header := appendHeader(nil, id)
	seal := check(header[len(header)-checkSize:])
	f.Add(header)
	f.Add(appendRecord(header, seal, 2, []digest{{1}, {2}}))
	f.Add([]byte{})
	f.Add([]byte("somebody's letter"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := readJournal(bytes.NewReader(b))
		if c.foreign && c.whole || c.end > int64(len(b)) || !c.whole && len(c.runs) > 0 {
			t.Errorf("%+v", c)
		}
		if !c.whole {
			return
		}
		again := appendHeader(nil, c.id)
		s := space{c.id.start, c.id.size}
		for _, r := range c.runs {
			if !s.has(r.first) || !s.has(r.first+int64(len(r.sums))-1) {
				t.Errorf("run of %d from %d in %+v", len(r.sums), r.first, s)
			}
			again = appendRecord(again, c.seal, r.first, r.sums)
		}
		if !bytes.Equal(again, b[:c.end]) {
			t.Errorf("% x became % x", b[:c.end], again)
		}
	})
}

// FuzzName: a name that is accepted is one element, on any system, and its
// hidden files have names that fit.
func FuzzName(f *testing.F) {
	for _, name := range []string{"a", "../a", "a\\b", "con.txt", "a\u202eb", "a ", strings.Repeat("é", 128)} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		p := printable(name, 100)
		if len(p) > 300 || strings.ContainsFunc(p, deceives) {
			t.Errorf("printable: %q", p)
		}
		if badName(name) != "" {
			return
		}
		if strings.ContainsAny(name, "/\\:\x00") || name == "" || name == "." || name == ".." || len(name) > maxName || strings.ContainsFunc(name, deceives) {
			t.Errorf("%q is accepted", name)
		}
		if h := hiddenName(name, journalSuffix); len(h) > maxName || h[0] != '.' {
			t.Errorf("hidden name %q", h)
		}
	})
}

// FuzzExtents takes pairs of bytes for ranges.
func FuzzExtents(f *testing.F) {
	f.Add([]byte{0, 5, 10, 5, 5, 5, 0, 63}, byte(3))
	f.Fuzz(func(t *testing.T, b []byte, limit byte) {
		checkExtents(t, func() (lo, hi uint32) {
			lo = uint32(b[0] % 64)
			hi = lo + 1 + uint32(b[1])%(64-lo)
			b = b[2:]
			return lo, hi
		}, len(b)/2, 1+int(limit%20))
	})
}
