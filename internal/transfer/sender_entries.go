package transfer

import (
	"errors"
	"fmt"

	"qft/internal/digest"
	"qft/internal/manifest"
	"qft/internal/walk"
)

const (
	// The first batches of entries are small, so that they leave at once, and
	// the later ones large, so that they cost little.
	firstBatch = 16
	lastBatch  = 1024
	// archiveBatch is for entries that may weigh 48 KiB each.
	archiveBatch = 128
	// maxWeight bounds the bytes of paths and encodings of the entries in
	// memory: with the attributes of an archive, one may have 32 KiB.
	maxWeight = 16 << 20
)

// tree is the entries: where they come from, and those that are in memory.
type tree struct {
	walk    *walk.Walk // nil: nothing to walk
	walking bool       // the next batch is being found
	batch   int
	ended   bool // there are no more
	list    deque[sentEntry]
	judged  int64 // number of the first that the receiver has not judged
	fold    int64 // number of the first that is not in the root
	root    root
	weight  int   // bytes of those in memory, nearly
	files   int64 // told so far
	bytes   int64 // of these
	open    int64 // bytes of those that are not judged
}

// folded reports whether all entries that were found are in the root.
func (t *tree) folded() bool { return t.fold == t.list.next() }

// explore looks for more entries, as long as there are not too many.
func (s *Sender) explore() {
	t := &s.tree
	if t.walking || t.ended || s.ctl.busy() {
		return
	}
	if s.feed != nil {
		t.ended = true
		found := []walk.Found{{Entry: manifest.Entry{Kind: manifest.Stream, Name: s.offer.names[0], Mode: 0o644, Sec: s.now.Unix()}}}
		s.tell(found, encode(found))
		return
	}
	most := lastBatch
	if s.cfg.Walk.Archive {
		most = archiveBatch
	}
	t.batch = min(max(2*t.batch, firstBatch), most, window-t.list.len())
	if t.batch == 0 || t.weight > maxWeight {
		t.batch = 0
		return
	}
	t.walking = true
	var found []walk.Found
	var raw [][]byte
	var err error
	s.run(func() {
		found, err = t.walk.Next(t.batch)
		raw = encode(found)
	}, func() {
		t.walking = false
		if s.phase >= Telling {
			return
		}
		s.tell(found, raw)
		if err != nil { // io.EOF: Next has no other
			t.ended = true
		}
	})
}

// encode is the encodings of what was found, nil for what is no entry. They
// share memory: most live for the same time.
func encode(found []walk.Found) [][]byte {
	var all []byte
	ends := make([]int, len(found))
	for k := range found {
		if found[k].Problem == nil {
			all = manifest.Append(all, &found[k].Entry)
		}
		ends[k] = len(all)
	}
	raw := make([][]byte, len(found))
	from := 0
	for k, to := range ends {
		if to > from {
			raw[k] = all[from:to:to]
		}
		from = to
	}
	return raw
}

// tell adds what was found to the entries, and tells the receiver.
func (s *Sender) tell(found []walk.Found, raw [][]byte) {
	t := &s.tree
	var fresh []*sentEntry
	for k := range found {
		f := &found[k]
		if f.Problem == nil {
			fresh = append(fresh, t.add(f, raw[k]))
			continue
		}
		if s.single {
			s.fail(sourceError(f.Path, f.Problem))
			return
		}
		if errors.Is(f.Problem, walk.ErrSpecial) {
			s.tally.skipped.add(f.Path, rootCause(f.Problem).Error())
			continue
		}
		s.tally.failures.add(f.Path, rootCause(f.Problem).Error())
	}
	if t.bytes > maxSize {
		s.fail(&Error{Kind: TooMuch, Err: fmt.Errorf("more than %s cannot be sent at once", manifest.SizeText(maxSize))})
		return
	}
	for len(fresh) > 0 {
		fresh = fresh[s.sendEntries(fresh):]
	}
}

// add makes an entry of what was found.
func (t *tree) add(f *walk.Found, raw []byte) *sentEntry {
	e := &sentEntry{found: *f, raw: raw, state: entryTold, weight: len(raw) + len(f.Path)}
	e.n = t.list.push(e)
	t.weight += e.weight
	if e.isFile() {
		t.files++
		t.bytes += e.size()
		t.open += e.size()
	}
	return e
}

// sendEntries sends as many entries as go into one message.
func (s *Sender) sendEntries(list []*sentEntry) (n int) {
	s.ctl.send(msgEntries, func(b []byte) []byte {
		b = appendNumber(b, list[0].n)
		size := 0
		for n < len(list) && (n == 0 || size+len(list[n].raw) <= entriesBody) {
			b = append(b, list[n].raw...)
			size += len(list[n].raw)
			n++
		}
		return b
	})
	return n
}

// resolve notes that an entry was read to its end, or need not be.
func (s *Sender) resolve(e *sentEntry, v verdict, sum digest.Sum) {
	e.state, e.verdict, e.sum, e.large = entrySettled, v, sum, nil
}

// fold adds entries to the root, in order.
func (s *Sender) fold() {
	t := &s.tree
	for {
		e := t.list.at(t.fold)
		if e == nil || e.state != entrySettled {
			return
		}
		t.root.add(e.raw, e.verdict, e.sum)
		e.raw = nil // its weight stays: the receiver may still have it
		t.fold++
	}
}

// forget lets go of entries of which nothing can be asked for any more.
func (s *Sender) forget() {
	t := &s.tree
	for t.list.base < t.fold {
		e := t.list.at(t.list.base)
		if e.refs > 0 {
			return
		}
		t.list.pop()
		t.weight -= e.weight
		s.files.forget(e)
		if e.isFile() && e.verdict != verdictRefused && e.verdict != verdictSkip {
			s.tally.files++
		}
	}
}
