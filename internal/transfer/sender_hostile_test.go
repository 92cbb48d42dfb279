package transfer

import (
	"bytes"
	"encoding/binary"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"qft/internal/digest"
)

// hearing is a message as a hostile receiver sends it.
type hearing struct {
	typ  byte
	body []byte
}

// verdictsOf are single verdicts on entries from first on.
func verdictsOf(first int64, list ...verdict) hearing {
	var runs []verdictRun
	for _, v := range list {
		runs = append(runs, verdictRun{v, 1})
	}
	return hearing{msgVerdicts, appendVerdicts(nil, first, runs)}
}

func haveOf(entry, first int64, n int) hearing {
	return hearing{msgHave, appendHave(nil, have{entry, first, make([]digest.Sum, n)})}
}

func claimOf(entry int64) hearing {
	return hearing{msgClaim, appendClaim(nil, entry, digest.Sum{1})}
}

func numberOf(typ byte, n int64) hearing { return hearing{typ, appendNumber(nil, n)} }

func safeOf(bytes, below int64) hearing {
	return hearing{msgSafe, appendNumber(appendNumber(nil, bytes), below)}
}

// TestSenderSurvivesAHostileReceiver plays a receiver that lies about a tree of
// one directory (0), a file of 100 bytes (1), one of 3 MiB and a byte (2), an
// empty one (3) and a symlink (4). Each story must end with an error by name,
// which the receiver is told.
func TestSenderSurvivesAHostileReceiver(t *testing.T) {
	dir := plot(t)
	top := filepath.Join(dir, "t")
	sow(t, noise(1, 100), top, "a")
	sow(t, noise(1, 3*blockSize+1), top, "b")
	sow(t, nil, top, "c")
	ok := hearing{msgAccept, appendAccept(nil, 0)}
	all := verdictsOf(0, verdictMade, verdictWant, verdictWant, verdictMade)
	none := verdictsOf(0, verdictMade)
	done := func(files, bytes int64) hearing {
		return hearing{msgDone, appendDone(nil, outcome{files, bytes, 0})}
	}
	const size = 100 + 3*blockSize + 1
	for name, c := range map[string]struct {
		says []hearing
		want Kind
		peer bool
	}{
		"another version":               {[]hearing{{msgAccept, []byte{1, 0}}}, Version, false},
		"short accept":                  {[]hearing{{msgAccept, []byte{2}}}, Protocol, false},
		"accepts twice":                 {[]hearing{ok, ok}, Protocol, false},
		"judges before it accepts":      {[]hearing{all}, Protocol, false},
		"has before it accepts":         {[]hearing{haveOf(1, 0, 1)}, Protocol, false},
		"a verdict twice":               {[]hearing{ok, all, all}, Protocol, false},
		"a verdict skipped":             {[]hearing{ok, verdictsOf(1, verdictWant)}, Protocol, false},
		"a verdict on entry 2^46":       {[]hearing{ok, verdictsOf(maxSize, verdictWant)}, Protocol, false},
		"a verdict on entry -1":         {[]hearing{ok, verdictsOf(-1, verdictWant)}, Protocol, false},
		"a verdict too many":            {[]hearing{ok, all, verdictsOf(4, verdictMade)}, Protocol, false},
		"verdicts without end":          {[]hearing{ok, {msgVerdicts, appendVerdicts(nil, 0, []verdictRun{{verdictMade, window}})}}, Protocol, false},
		"an unknown verdict":            {[]hearing{ok, verdictsOf(0, verdicts)}, Protocol, false},
		"no verdicts":                   {[]hearing{ok, verdictsOf(0)}, Protocol, false},
		"wants a directory":             {[]hearing{ok, verdictsOf(0, verdictWant)}, Protocol, false},
		"has a directory":               {[]hearing{ok, verdictsOf(0, verdictHave)}, Protocol, false},
		"claims a directory":            {[]hearing{ok, claimOf(0)}, Protocol, false},
		"a claim verdict on one":        {[]hearing{ok, verdictsOf(0, verdictClaim)}, Protocol, false},
		"part of a directory":           {[]hearing{ok, verdictsOf(0, verdictPart)}, Protocol, false},
		"made a file of 100 bytes":      {[]hearing{ok, none, verdictsOf(1, verdictMade)}, Protocol, false},
		"part of a small file":          {[]hearing{ok, none, verdictsOf(1, verdictPart)}, Protocol, false},
		"wants an empty file":           {[]hearing{ok, none, verdictsOf(1, verdictWant, verdictWant, verdictWant)}, Protocol, false},
		"has an empty file":             {[]hearing{ok, haveOf(3, 0, 1)}, Protocol, false},
		"has a file without saying":     {[]hearing{ok, none, verdictsOf(1, verdictHave)}, Protocol, false},
		"has less than it says":         {[]hearing{ok, haveOf(2, 0, 3), verdictsOf(0, verdictMade, verdictWant, verdictHave)}, Protocol, false},
		"has what it then wants":        {[]hearing{ok, haveOf(1, 0, 1), verdictsOf(0, verdictMade, verdictWant)}, Protocol, false},
		"has what it then skips":        {[]hearing{ok, haveOf(2, 0, 1), verdictsOf(0, verdictMade, verdictWant, verdictSkip)}, Protocol, false},
		"has slab 4 of 4":               {[]hearing{ok, haveOf(2, 4, 1)}, Protocol, false},
		"has slabs beyond":              {[]hearing{ok, haveOf(2, 3, 2)}, Protocol, false},
		"has slab 2^46":                 {[]hearing{ok, haveOf(2, maxSize, 1)}, Protocol, false},
		"has slab -1":                   {[]hearing{ok, haveOf(2, -1, 1)}, Protocol, false},
		"has a slab twice":              {[]hearing{ok, haveOf(2, 1, 2), haveOf(2, 2, 1)}, Protocol, false},
		"has a small file twice":        {[]hearing{ok, haveOf(1, 0, 1), haveOf(1, 0, 1)}, Protocol, false},
		"has two of a small file":       {[]hearing{ok, haveOf(1, 0, 2)}, Protocol, false},
		"has the second of a small one": {[]hearing{ok, haveOf(1, 1, 1)}, Protocol, false},
		"has entry 9":                   {[]hearing{ok, haveOf(9, 0, 1)}, Protocol, false},
		"has entry 2^46":                {[]hearing{ok, haveOf(maxSize, 0, 1)}, Protocol, false},
		"has it later":                  {[]hearing{ok, all, haveOf(2, 0, 1)}, Protocol, false},
		"has nothing":                   {[]hearing{ok, haveOf(2, 0, 0)}, Protocol, false},
		"has half a digest":             {[]hearing{ok, {msgHave, haveOf(2, 0, 1).body[:40]}}, Protocol, false},
		"claims without saying":         {[]hearing{ok, none, verdictsOf(1, verdictClaim)}, Protocol, false},
		"claims twice":                  {[]hearing{ok, claimOf(1), claimOf(1)}, Protocol, false},
		"claims and has":                {[]hearing{ok, claimOf(1), haveOf(1, 0, 1)}, Protocol, false},
		"has and claims":                {[]hearing{ok, haveOf(1, 0, 1), claimOf(1)}, Protocol, false},
		"claims and wants":              {[]hearing{ok, claimOf(1), verdictsOf(0, verdictMade, verdictWant)}, Protocol, false},
		"claims an empty file":          {[]hearing{ok, claimOf(3)}, Protocol, false},
		"claims entry 9":                {[]hearing{ok, claimOf(9)}, Protocol, false},
		"claims later":                  {[]hearing{ok, all, claimOf(1)}, Protocol, false},
		"block 77 again":                {[]hearing{ok, all, numberOf(msgResend, 77)}, Protocol, false},
		"block 2^46 again":              {[]hearing{ok, all, numberOf(msgResend, maxSize)}, Protocol, false},
		"block -1 again":                {[]hearing{ok, all, numberOf(msgResend, -1)}, Protocol, false},
		"a block again and again":       {[]hearing{ok, all, numberOf(msgResend, 0), numberOf(msgResend, 0)}, Protocol, false},
		"a verified block again":        {[]hearing{ok, all, safeOf(0, 1), numberOf(msgResend, 0)}, Protocol, false},
		"a block for ever":              {[]hearing{ok, all, numberOf(msgResend, 1), numberOf(msgResend, 5), numberOf(msgResend, 6), numberOf(msgResend, 7)}, Corrupt, false},
		"again before it accepts":       {[]hearing{numberOf(msgResend, 0)}, Protocol, false},
		"safe before it accepts":        {[]hearing{safeOf(0, 0)}, Protocol, false},
		"safe beyond the end":           {[]hearing{ok, all, safeOf(size+1, 0)}, Protocol, false},
		"safe 2^63":                     {[]hearing{ok, all, safeOf(math.MinInt64, 0)}, Protocol, false},
		"verified what was not sent":    {[]hearing{ok, all, safeOf(0, 6)}, Protocol, false},
		"less safe than it was":         {[]hearing{ok, all, safeOf(2, 0), safeOf(1, 0)}, Protocol, false},
		"less verified than it was":     {[]hearing{ok, all, safeOf(2, 2), safeOf(2, 1)}, Protocol, false},
		"safe what it refused":          {[]hearing{ok, verdictsOf(0, verdictMade, verdictRefused, verdictRefused, verdictMade), safeOf(1, 0)}, Protocol, false},
		"done before the end":           {[]hearing{ok, done(0, 0)}, Protocol, false},
		"done more than was sent":       {[]hearing{ok, all, done(4, size)}, Protocol, false},
		"done more bytes":               {[]hearing{ok, all, done(3, size+1)}, Protocol, false},
		"a sender's message":            {[]hearing{ok, {msgEntries, nil}}, Protocol, false},
		"an unknown message":            {[]hearing{{0x77, nil}}, Protocol, false},
		"message 0":                     {[]hearing{ok, {0, nil}}, Protocol, false},
		"an endless refusal":            {[]hearing{{msgReject, []byte{1, 1, 255, 255, 'x'}}}, Protocol, false},
		"a refusal in colour":           {[]hearing{{msgReject, appendVerdict(nil, reason{Refused, "\x1b[31mno\u202e\n"})}}, Refused, true},
		"an unknown refusal":            {[]hearing{{msgReject, appendVerdict(nil, reason{200, ""})}}, 200, true},
		"a refusal in the middle":       {[]hearing{ok, all, {msgAbort, appendVerdict(nil, reason{NoSpace, "full"})}}, NoSpace, true},
	} {
		t.Run(name, func(t *testing.T) {
			k := newTaker(t, 1)
			k.serve(files(top))
			for _, m := range c.says {
				k.says(m.typ, m.body)
				k.toSender.arrived, k.toSender.sent = append(k.toSender.arrived, k.toSender.sent...), nil
				k.s.Step(k.now)
				k.fresh = nil // all has left
				k.s.Step(k.now)
			}
			told := bytes.Contains(k.toTaker.sent, binary.BigEndian.AppendUint16([]byte{msgAbort, protocolVersion, byte(c.want)}, 0)[:3])
			if told == c.peer {
				t.Errorf("the receiver was told: %v", told)
			}
			k.toTaker.sent = nil
			k.s.Step(k.now)
			done, err := k.s.Done()
			if !done {
				t.Fatalf("not done, in phase %d", k.s.phase)
			}
			wantFailure(t, err, c.want, c.peer)
			k.s.Close()
			if !k.s.released {
				t.Error("files are still open")
			}
		})
	}
}

// TestBulkThatWasNotQueuedIsNotRead: whatever a connection asks for.
func TestBulkThatWasNotQueuedIsNotRead(t *testing.T) {
	dir := plot(t)
	k := newTaker(t, 1)
	k.silent = true
	k.serve(files(sow(t, noise(1, 2*blockSize+5), dir, "f")))
	for k.last < 3 {
		k.round()
	}
	p := make([]byte, 100)
	for _, off := range []int64{-1, math.MinInt64, 3 << blockShift, math.MaxInt64 - 50, 2<<blockShift + 5} {
		if n, ok := k.s.ReadBulk(p, off); ok {
			t.Errorf("%d bytes at %d", n, off)
		}
	}
	if n, ok := k.s.ReadBulk(p, 2<<blockShift+2); n != 3 || !ok {
		t.Errorf("%d bytes at the end, %v", n, ok)
	}
	k.s.Close()
}

// FuzzSenderHears feeds a sender an arbitrary control stream.
func FuzzSenderHears(f *testing.F) {
	frame := func(all ...hearing) (b []byte) {
		for _, m := range all {
			b = append(append(binary.BigEndian.AppendUint32(b, uint32(len(m.body))), m.typ), m.body...)
		}
		return b
	}
	ok := hearing{msgAccept, appendAccept(nil, acceptsZstd)}
	f.Add(frame(ok, verdictsOf(0, verdictMade, verdictWant, verdictWant), safeOf(12, 1), numberOf(msgResend, 1)))
	f.Add(frame(ok, haveOf(1, 0, 1), haveOf(2, 1, 1), verdictsOf(0, verdictMade, verdictHave, verdictPart)))
	f.Add(frame(ok, claimOf(1), claimOf(2), verdictsOf(0, verdictMade, verdictClaim, verdictClaim)))
	f.Add(frame(ok, verdictsOf(0, verdictMade, verdictSkip, verdictRefused), hearing{msgDone, appendDone(nil, outcome{})}))
	f.Fuzz(func(t *testing.T, in []byte) {
		dir := plot(t)
		sow(t, []byte("twelve bytes"), dir, "t", "a")
		grove(t, filepath.Join(dir, "t", "b"), 2*blockSize+1, func(i int64) bool { return i == 1 })
		cfg := files(filepath.Join(dir, "t"))
		cfg.Cache = filepath.Join(dir, "cache")
		cfg.Memory = leastMemory
		s, err := NewSender(cfg)
		if err != nil {
			t.Fatal(err)
		}
		k := newTaker(t, 1)
		k.s = s
		k.toSender.arrived = in
		s.Start(takerConn{k})
		s.Step(k.now)
		for _, r := range k.queued {
			if r.off < 0 || r.off&(blockSize-1) != 0 || r.n <= 0 || r.n > blockSize {
				t.Errorf("range %+v", r)
			}
			s.ReadBulk(make([]byte, 1400), r.off)
		}
		k.check()
		s.Step(k.now.Add(time.Second))
		if done, err := s.Done(); done && err != nil && strings.ContainsAny(err.Error(), "\x1b\n\r") {
			t.Errorf("error %q", err)
		}
		s.Close()
		if !s.released {
			t.Error("files are still open")
		}
	})
}
