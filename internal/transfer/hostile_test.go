package transfer

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// peer is a test's own end of the control stream, which says what it likes.
type peer struct {
	link link
	now  time.Time
}

// sends frames a message as it is.
func (p *peer) sends(to *stream, typ byte, body []byte) {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	to.arrived = append(append(append(to.arrived, b...), typ), body...)
}

// hears returns the types of the messages that were sent to it, and the last
// verdict among them.
func (p *peer) hears(t *testing.T, from *stream) (types []byte, v verdict) {
	t.Helper()
	for {
		typ, body, rest, err := nextFrame(from.sent)
		if err != nil {
			t.Fatal(err)
		}
		if rest == nil {
			return types, v
		}
		types = append(types, typ)
		if typ == msgReject || typ == msgAbort {
			var perr error
			if v, perr = parseVerdict(body); perr != nil {
				t.Fatal(perr)
			}
		}
		from.sent = rest
	}
}

func file(name string, size int64) entry {
	return entry{mode: 0o644, sec: 1, size: size, name: name}
}

func offerOf(e entry) []byte { return appendOffer(nil, offer{0, e}) }

func hashes(first int64, sums ...digest) []byte { return appendRun(nil, first, sums) }

// TestHostileSender plays a sender that lies. Each story must end with the
// kind of error that is wanted, told to the sender too, and with nothing but
// an untouched neighbour in the directory.
func TestHostileSender(t *testing.T) {
	const MiB = blockSize
	type act func(p *peer, r *Receiver)
	says := func(typ byte, body []byte) act {
		return func(p *peer, r *Receiver) { p.sends(&p.link.toReceiver, typ, body) }
	}
	bulk := func(off int64, n int) act {
		return func(p *peer, r *Receiver) { r.WriteBulk(make([]byte, n), off) }
	}
	fine := says(msgOffer, offerOf(file("f", 3*MiB)))
	patched := func(at int, v byte) []byte {
		b := offerOf(file("f", 3*MiB))
		b[at] = v
		return b
	}
	huge := binary.BigEndian.AppendUint64(nil, math.MaxInt64)
	withSize := func(size []byte) []byte {
		b := offerOf(file("f", 0))
		copy(b[14+15:], size)
		return b
	}
	for name, c := range map[string]struct {
		acts []act
		want Kind
	}{
		"another version":         {[]act{says(msgOffer, patched(0, 2))}, Version},
		"another block size":      {[]act{says(msgOffer, patched(1, 21))}, Version},
		"two entries":             {[]act{says(msgOffer, patched(13, 2))}, Protocol},
		"a billion entries":       {[]act{says(msgOffer, patched(10, 59))}, Protocol},
		"a directory":             {[]act{says(msgOffer, patched(14, 2))}, Protocol},
		"setuid":                  {[]act{says(msgOffer, patched(15, 0x0d))}, Protocol},
		"start beyond the size":   {[]act{says(msgOffer, patched(6, 1))}, Protocol},
		"size 2^63-1":             {[]act{says(msgOffer, withSize(huge))}, Protocol},
		"size -1":                 {[]act{says(msgOffer, withSize(bytes.Repeat([]byte{255}, 8)))}, Protocol},
		"short offer":             {[]act{says(msgOffer, offerOf(file("f", 1))[:20])}, Protocol},
		"long offer":              {[]act{says(msgOffer, append(offerOf(file("f", 1)), 0))}, Protocol},
		"long name":               {[]act{says(msgOffer, offerOf(file(strings.Repeat("n", 256), 1)))}, BadName},
		"very long name":          {[]act{says(msgOffer, offerOf(file(strings.Repeat("n", 2000), 1)))}, Protocol},
		"no name":                 {[]act{says(msgOffer, offerOf(file("", 1)))}, BadName},
		"parent":                  {[]act{says(msgOffer, offerOf(file("../f", 1)))}, BadName},
		"absolute":                {[]act{says(msgOffer, offerOf(file("/etc/passwd", 1)))}, BadName},
		"drive":                   {[]act{says(msgOffer, offerOf(file("C:f", 1)))}, BadName},
		"another's journal":       {[]act{says(msgOffer, offerOf(file(".g.qft-journal", 1)))}, BadName},
		"over a neighbour":        {[]act{says(msgOffer, offerOf(file("neighbour", 1)))}, Exists},
		"more than the disk":      {[]act{says(msgOffer, offerOf(file("f", maxSize)))}, NoSpace},
		"it skips":                {[]act{says(msgOffer, appendOffer(nil, offer{1, file("f", MiB)}))}, BadSkip},
		"two offers":              {[]act{fine, fine}, Protocol},
		"hash before offer":       {[]act{says(msgHash, hashes(0, digest{}))}, Protocol},
		"hash of no block":        {[]act{fine, says(msgHash, hashes(3, digest{}))}, Protocol},
		"hash beyond the last":    {[]act{fine, says(msgHash, hashes(2, digest{}, digest{}))}, Protocol},
		"hash of block 2^46":      {[]act{fine, says(msgHash, hashes(maxSize, digest{}))}, Protocol},
		"hash of block 2^63":      {[]act{fine, says(msgHash, hashes(math.MinInt64, digest{}))}, Protocol},
		"half a hash":             {[]act{fine, says(msgHash, hashes(0, digest{})[:30])}, Protocol},
		"no hash":                 {[]act{fine, says(msgHash, hashes(0))}, Protocol},
		"two hashes for a block":  {[]act{fine, says(msgHash, hashes(0, digest{1})), says(msgHash, hashes(0, digest{2}))}, Changed},
		"end without hashes":      {[]act{fine, says(msgHash, hashes(0, digest{}, digest{})), says(msgEnd, make([]byte, 32))}, Protocol},
		"one hash many times":     {[]act{fine, says(msgHash, hashes(0, digest{})), says(msgHash, hashes(0, digest{})), says(msgHash, hashes(0, digest{})), says(msgEnd, make([]byte, 32))}, Protocol},
		"short end":               {[]act{fine, says(msgHash, hashes(0, digest{}, digest{}, digest{})), says(msgEnd, make([]byte, 31))}, Protocol},
		"two ends":                {[]act{fine, says(msgHash, hashes(0, digest{}, digest{}, digest{})), says(msgEnd, make([]byte, 32)), says(msgEnd, make([]byte, 32))}, Protocol},
		"wrong root of an empty":  {[]act{says(msgOffer, offerOf(file("f", 0))), says(msgEnd, make([]byte, 32))}, Corrupt},
		"bytes behind the end":    {[]act{fine, bulk(3*MiB-1, 2)}, Protocol},
		"bytes far behind":        {[]act{fine, bulk(math.MaxInt64, 1)}, Protocol},
		"bytes before the start":  {[]act{fine, bulk(-1, 2)}, Protocol},
		"bytes at the least":      {[]act{fine, bulk(math.MinInt64, 1)}, Protocol},
		"a receiver's message":    {[]act{fine, says(msgAccept, appendAccept(nil, accept{}))}, Protocol},
		"an unknown message":      {[]act{fine, says(0x77, nil)}, Protocol},
		"a message of 4 GB":       {[]act{func(p *peer, r *Receiver) { p.link.toReceiver.arrived = bytes.Repeat([]byte{255}, 100) }}, Protocol},
		"a verdict without end":   {[]act{says(msgAbort, []byte{1, 1, 255, 255, 'x'})}, Protocol},
		"wrong bytes all the way": {[]act{says(msgOffer, offerOf(file("f", 10))), says(msgHash, hashes(0, digest{7})), bulk(0, 10), bulk(0, 10), bulk(0, 10), bulk(0, 10)}, Corrupt},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tempDir(t)
			writeFile(t, filepath.Join(dir, "neighbour"), []byte("mine"))
			r, err := NewReceiver(ReceiverConfig{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			p := &peer{now: time.Unix(1e9, 0)}
			r.Start(conn{&p.link, &p.link.toSender, &p.link.toReceiver})
			for _, a := range c.acts {
				r.Step(p.now)
				a(p, r)
			}
			r.Step(p.now)
			types, v := p.hears(t, &p.link.toSender)
			if len(types) == 0 || v.kind != c.want {
				t.Errorf("the sender was told %v with messages %v, want kind %d", v, types, c.want)
			}
			r.Step(p.now)
			done, rerr := r.Done()
			if !done {
				t.Fatalf("not done, in phase %d", r.phase)
			}
			wantKind(t, "receiver", rerr, c.want, false)
			r.Close()
			wantOnly(t, dir, "neighbour")
			wantFile(t, filepath.Join(dir, "neighbour"), []byte("mine"))
		})
	}
}

// TestHostileReceiver plays a receiver that lies.
func TestHostileReceiver(t *testing.T) {
	const size = 5*blockSize + 9
	accepts := func(from, had int64) []byte { return appendAccept(nil, accept{from, had}) }
	number := func(v int64) []byte { return appendNumber(nil, v) }
	type msg struct {
		typ  byte
		body []byte
	}
	fine := msg{msgAccept, accepts(0, 0)}
	src, _ := place(t, content(1, size))
	for name, c := range map[string]struct {
		msgs []msg
		want Kind
		peer bool
	}{
		"another version":          {[]msg{{msgAccept, append([]byte{2}, accepts(0, 0)[1:]...)}}, Version, false},
		"has more than offered":    {[]msg{{msgAccept, accepts(size+1, 0)}}, Protocol, false},
		"has 2^63 bytes":           {[]msg{{msgAccept, accepts(math.MinInt64, 0)}}, Protocol, false},
		"counts too much":          {[]msg{{msgAccept, accepts(0, size+1)}}, Protocol, false},
		"short accept":             {[]msg{{msgAccept, accepts(0, 0)[:16]}}, Protocol, false},
		"accepts twice":            {[]msg{fine, fine}, Protocol, false},
		"has block 6 of 6":         {[]msg{{msgHave, hashes(6, digest{})}}, Protocol, false},
		"has blocks beyond":        {[]msg{{msgHave, hashes(5, digest{}, digest{})}}, Protocol, false},
		"has block -1":             {[]msg{{msgHave, hashes(-1, digest{})}}, Protocol, false},
		"has a block twice":        {[]msg{{msgHave, hashes(1, digest{})}, {msgHave, hashes(1, digest{})}}, Protocol, false},
		"has it later":             {[]msg{fine, {msgHave, hashes(0, digest{})}}, Protocol, false},
		"wants no block":           {[]msg{fine, {msgResend, number(6)}}, Protocol, false},
		"wants block 2^46":         {[]msg{fine, {msgResend, number(maxSize)}}, Protocol, false},
		"wants a block for ever":   {[]msg{fine, {msgResend, number(0)}, {msgResend, number(0)}, {msgResend, number(0)}, {msgResend, number(0)}}, Corrupt, false},
		"wants before accepting":   {[]msg{{msgResend, number(0)}}, Protocol, false},
		"is safe beyond the end":   {[]msg{fine, {msgSafe, number(size + 1)}}, Protocol, false},
		"is less safe than it was": {[]msg{fine, {msgSafe, number(2)}, {msgSafe, number(1)}}, Protocol, false},
		"done before the end":      {[]msg{{msgDone, nil}}, Protocol, false},
		"a sender's message":       {[]msg{{msgOffer, offerOf(file("f", 1))}}, Protocol, false},
		"an unknown message":       {[]msg{{0, nil}}, Protocol, false},
		"a refusal in colour":      {[]msg{{msgReject, appendVerdict(nil, verdict{Refused, "\x1b[31mno\u202e\n"})}}, Refused, true},
		"an unknown refusal":       {[]msg{{msgReject, appendVerdict(nil, verdict{200, ""})}}, 200, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := NewSender(SenderConfig{Path: src})
			if err != nil {
				t.Fatal(err)
			}
			p := &peer{now: time.Unix(1e9, 0)}
			s.Start(conn{&p.link, &p.link.toReceiver, &p.link.toSender})
			s.Step(p.now)
			for _, m := range c.msgs {
				p.sends(&p.link.toSender, m.typ, m.body)
				s.Step(p.now)
			}
			if _, v := p.hears(t, &p.link.toReceiver); !c.peer && v.kind != c.want {
				t.Errorf("the receiver was told %v", v)
			}
			s.Step(p.now)
			done, serr := s.Done()
			if !done {
				t.Fatalf("not done, in phase %d", s.phase)
			}
			wantKind(t, "sender", serr, c.want, c.peer)
			s.Close()
		})
	}
}

func TestNamesThatAreRefused(t *testing.T) {
	for _, name := range []string{
		"", ".", "..", "../x", "a/b", "/x", `a\b`, `..\x`, "C:", "C:x", "x:stream", "a\x00b", "a\nb", "a\x1b[2Jb", "a\x7f", "a\u0085b",
		"a\u202eb", "a\u2066b", "a\u200fb", "a\u2028b", "\ufeffa", "a.", "a ", "...", "con", "NUL", "nul.txt", "Aux.tar.gz", "COM1", "com1.txt",
		"lpt9", "COM¹", "LPT².x", "CONIN$", "conout$", "PRN .x", "\xff", "a\xc3", strings.Repeat("x", 256), ".f.qft-part", "f.qft-journal",
	} {
		if badName(name) == "" {
			t.Errorf("%q is accepted", name)
		}
	}
	for _, name := range []string{
		"a", "a.b", ".bashrc", "com", "com10", "COMX", "lpt", "console", "nul1", "nulls.txt", "ein Brief.txt", "über.txt", "日本語", "a..b", "-rf", "~",
		strings.Repeat("x", 255), "👩‍💻.txt",
	} {
		if why := badName(name); why != "" {
			t.Errorf("%q is refused: %s", name, why)
		}
	}
}

// TestBadNameCanBeReplaced: what badName refuses arrives with -o NAME.
func TestBadNameCanBeReplaced(t *testing.T) {
	w := newWorld(t, 1)
	top := tempDir(t)
	src := filepath.Join(top, "a:b?")
	writeFile(t, src, []byte("hello"))
	dir := filepath.Join(top, "in")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
	serr, rerr := w.finish()
	wantKind(t, "sender", serr, BadName, true)
	wantKind(t, "receiver", rerr, BadName, false)
	if !strings.Contains(rerr.Error(), "-o NAME") || !strings.Contains(serr.Error(), "-o NAME") {
		t.Errorf("nobody is told what to type: %q, %q", serr, rerr)
	}
	w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir, Name: "ab"})
	if serr, rerr := w.finish(); serr != nil || rerr != nil {
		t.Fatalf("sender: %v, receiver: %v", serr, rerr)
	}
	wantOnly(t, dir, "ab")
}

func TestLongNamesGetShortHiddenFiles(t *testing.T) {
	seen := make(map[string]bool)
	for _, name := range []string{strings.Repeat("é", 127), strings.Repeat("é", 127) + "x", strings.Repeat("x", 242), strings.Repeat("x", 245), strings.Repeat("x", 255)} {
		for _, suffix := range []string{partSuffix, journalSuffix} {
			h := hiddenName(name, suffix)
			if len(h) > maxName || seen[h] || !strings.HasSuffix(h, suffix) || h != strings.ToValidUTF8(h, "?") {
				t.Errorf("%q becomes %q", name, h)
			}
			seen[h] = true
		}
	}
}

// TestHostileSenderCannotFillMemory sends what makes the receiver remember
// most: a byte of every block, every other byte of one, and hashes of all.
func TestHostileSenderCannotFillMemory(t *testing.T) {
	a := newAssembly(space{0, maxSize}, leastMemory)
	a.run = func(work, done func()) { work(); done() }
	a.file = nowhere{}
	a.report = func(b *block, sum digest, err error) { b.state = parked }
	for i := int64(0); i < 3*maxOpen; i++ {
		a.put([]byte{1}, i*blockSize)
	}
	for off := int64(0); off < 4*maxRanges; off += 2 {
		a.put([]byte{1}, off)
	}
	for i := int64(1); i < maxOpen; i++ {
		for off := int64(2); off < 150; off += 2 {
			a.put([]byte{1}, i*blockSize+off)
		}
	}
	if len(a.open) > maxOpen || a.ranges > maxAllRanges || a.pool.used > a.pool.limit {
		t.Errorf("%d open blocks, %d ranges, %d buffers", len(a.open), a.ranges, a.pool.used)
	}
	n := 0
	for _, b := range a.open {
		n += len(b.got.list)
		if len(b.got.list) > maxRanges {
			t.Errorf("%d ranges in one block", len(b.got.list))
		}
	}
	if n != a.ranges {
		t.Errorf("%d ranges, counted as %d", n, a.ranges)
	}
}

// nowhere is a disk that keeps nothing.
type nowhere struct{}

func (nowhere) ReadAt(p []byte, off int64) (int, error)  { return len(p), nil }
func (nowhere) WriteAt(p []byte, off int64) (int, error) { return len(p), nil }
func (nowhere) datasync() error                          { return nil }
func (nowhere) Sync() error                              { return nil }
func (nowhere) Close() error                             { return nil }

// TestManyHashesHoldTheSenderBack: hashes of blocks that do not come stay in
// the connection, where flow control stops the sender.
func TestManyHashesHoldTheSenderBack(t *testing.T) {
	dir := tempDir(t)
	r, err := NewReceiver(ReceiverConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{now: time.Unix(1e9, 0)}
	r.Start(conn{&p.link, &p.link.toSender, &p.link.toReceiver})
	r.Step(p.now)
	o := offer{0, file("f", 0)}
	o.file.size = 20 << 30
	r.offer, r.phase = o, Preparing
	r.disk.name = "f"
	got, perr := r.disk.prepare(identity{name: "f", size: o.file.size})
	if perr != nil && perr.Kind == NoSpace {
		t.Skip(perr)
	}
	r.prepared(got, perr)
	for i := int64(0); i < 20<<10; i += maxSums {
		p.sends(&p.link.toReceiver, msgHash, appendRun(nil, i, make([]digest, maxSums)))
	}
	r.Step(p.now)
	if left := len(p.link.toReceiver.arrived); r.phase != Moving || left == 0 || len(r.asm.open) > maxOpen+maxSums {
		t.Errorf("phase %d, %d blocks open and %d bytes held back", r.phase, len(r.asm.open), left)
	}
	r.Close()
	wantOnly(t, dir)
}
