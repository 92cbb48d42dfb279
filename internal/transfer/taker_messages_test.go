package transfer

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/zeebo/blake3"

	"qft/internal/digest"
	"qft/internal/manifest"
)

// says sends a message to the sender.
func (k *taker) says(typ byte, body []byte) {
	c := control{}
	c.send(typ, func(b []byte) []byte { return append(b, body...) })
	k.toSender.sent = append(k.toSender.sent, c.out...)
}

// take takes a message.
func (k *taker) take(typ byte, body []byte) error {
	switch typ {
	case msgOffer:
		return k.takeOffer(body)
	case msgEntries:
		return parseEntries(body, k.takeEntry)
	case msgCount:
		c, err := parseCount(body)
		k.counts = append(k.counts, c)
		return err
	case msgBlock:
		return k.takeBlock(body)
	case msgHole:
		return k.takeHole(body)
	case msgFailed:
		return k.takeFailed(body)
	case msgEqual, msgDiffers:
		return k.takeComparison(typ, body)
	case msgEnded:
		return k.takeEnded(body)
	case msgEnd:
		return k.takeEnd(body)
	case msgAbort:
		_, err := parseVerdict(body)
		return err
	}
	return errors.New("out of place")
}

func (k *taker) takeOffer(body []byte) (err error) {
	if k.offer, err = parseOffer(body); err != nil {
		return err
	}
	k.counts = append(k.counts, k.offer.count)
	var flags byte
	if k.zstd {
		flags = acceptsZstd
	}
	k.says(msgAccept, appendAccept(nil, flags))
	return nil
}

func (k *taker) takeEntry(n int64, e manifest.Entry, raw []byte) error {
	if n != int64(len(k.entries)) {
		return fmt.Errorf("entry %d instead of %d", n, len(k.entries))
	}
	dir, err := k.order.Next(&e)
	if err != nil {
		return err
	}
	k.entries = append(k.entries, &takerEntry{Entry: e, n: n, raw: bytes.Clone(raw), path: manifest.Join(dir, e.Name)})
	return nil
}

// judge tells verdicts on some of the entries that have none.
func (k *taker) judge() {
	if k.deaf || k.told == len(k.entries) || k.rng.IntN(3) == 0 || k.heard[msgOffer] == 0 {
		return
	}
	n := 1 + k.rng.IntN(min(len(k.entries)-k.told, 2000))
	first := k.told
	var runs []verdictRun
	for _, e := range k.entries[first : first+n] {
		v := verdictWant
		if e.Kind != manifest.Stream && (e.Kind != manifest.File || e.Size == 0) {
			v = verdictMade
		}
		if k.judging != nil && v == verdictWant {
			v = k.judging(e)
		}
		e.verdict = v
		k.tellBefore(e)
		if m := len(runs) - 1; m >= 0 && runs[m].verdict == v {
			runs[m].count++
		} else {
			runs = append(runs, verdictRun{v, 1})
		}
		if e.Kind == manifest.File && v != verdictWant && v != verdictPart && v != verdictClaim {
			e.done = true
		}
	}
	k.told += n
	k.says(msgVerdicts, appendVerdicts(nil, int64(first), runs))
}

// tellBefore tells what goes before the verdict.
func (k *taker) tellBefore(e *takerEntry) {
	switch e.verdict {
	case verdictClaim:
		k.says(msgClaim, appendClaim(nil, e.n, e.claim))
	case verdictHave, verdictPart:
		e.init()
		for _, i := range slices.Sorted(maps.Keys(e.have)) {
			k.says(msgHave, appendHave(nil, have{e.n, i, []digest.Sum{e.have[i]}}))
			e.sums[i], e.known[i] = e.have[i], true
			k.safe += e.bytes(i)
		}
	}
}

// init makes room for what will come.
func (e *takerEntry) init() {
	if e.sums == nil {
		n := max(slabs(e.Size), 1)
		e.sums, e.known = make([]digest.Sum, n), make([]bool, n)
		e.content, e.hole = make([]byte, e.Size), make(map[int64]bool)
	}
}

func (e *takerEntry) bytes(i int64) int64 { return min(e.Size-i*blockSize, blockSize) }

func (k *taker) entry(n int64) (*takerEntry, error) {
	if n >= int64(k.told) {
		return nil, errors.New("of an entry that was not judged")
	}
	return k.entries[n], nil
}

func (k *taker) takeHole(body []byte) error {
	h, err := parseHole(body)
	if err != nil {
		return err
	}
	e, err := k.entry(h.entry)
	if err != nil {
		return err
	}
	e.init()
	if !e.Sparse || h.first+h.count > slabs(e.Size) {
		return errors.New("a hole out of place")
	}
	for i := e.next; i < h.first+h.count; i++ {
		if i < h.first != e.known[i] {
			return fmt.Errorf("slab %d left out, or twice", i)
		}
		if i >= h.first {
			e.known[i] = true
			e.hole[i] = true
			k.safe += e.bytes(i)
		}
	}
	e.next = h.first + h.count
	return nil
}

func (k *taker) takeFailed(body []byte) error {
	f, err := parseFailed(body)
	if err != nil {
		return err
	}
	e, err := k.entry(f.entry)
	if err != nil {
		return err
	}
	if e.done {
		return errors.New("a failure of what is whole")
	}
	for i := range e.known {
		if e.known[i] && (e.sums[i] != (digest.Sum{}) || e.hole[int64(i)]) {
			k.safe -= e.bytes(int64(i))
		}
	}
	e.verdict, e.fate, e.done = verdictRefused, "failed", true
	k.failed[e.path] = f.why.text
	maps.DeleteFunc(k.again, func(key string, x extent) bool { return x.entry == e.n })
	for i, b := range k.blocks {
		if b.ann != nil && k.entries[b.ann.extents[0].entry] == e {
			k.settle(i)
		}
	}
	return nil
}

func (k *taker) takeComparison(typ byte, body []byte) error {
	n, err := parseNumber(body)
	if err != nil {
		return err
	}
	e, err := k.entry(n)
	if err != nil {
		return err
	}
	switch {
	case typ == msgEqual && e.verdict == verdictClaim:
		e.fate, e.done = "equal", true
	case typ == msgDiffers && (e.verdict == verdictClaim || e.verdict == verdictHave || e.verdict == verdictPart):
		for i := range e.have {
			k.safe -= e.bytes(i)
		}
		e.fate, e.verdict, e.sums, e.done = "differs", verdictWant, nil, false
	default:
		return fmt.Errorf("a comparison of what was judged %d", e.verdict)
	}
	return nil
}

func (k *taker) takeEnded(body []byte) error {
	n, size, err := parsePair(body)
	if err == nil && (n != 0 || size != k.entries[0].next) {
		err = fmt.Errorf("the stream ended at %d, and %d were announced", size, k.entries[0].next)
	}
	return err
}

func (k *taker) takeEnd(body []byte) error {
	e, err := parseEnd(body)
	if err != nil {
		return err
	}
	if e.entries != int64(len(k.entries)) || e.blocks != k.last || k.told != len(k.entries) || k.end != nil {
		return fmt.Errorf("end at %+v: %s", e, k.state())
	}
	k.end = &e
	return nil
}

// tellSafe tells what is safe, and at last that all is.
func (k *taker) tellSafe() {
	now := [2]int64{k.safe, k.low}
	if !k.silent && now != k.said && (k.rng.IntN(20) == 0 || k.low == k.last) {
		k.said = now
		k.says(msgSafe, appendNumber(appendNumber(nil, k.safe), k.low))
	}
	if k.end == nil || k.low != k.last || len(k.again) > 0 || k.heard[msgDone] > 0 {
		return
	}
	k.heard[msgDone]++
	r := newRoot()
	o := outcome{}
	for _, e := range k.entries {
		r.add(e.raw, e.verdict, k.sum(e))
		if e.Kind == manifest.File && e.verdict != verdictRefused && e.verdict != verdictSkip {
			o.files++
		}
	}
	if r.sum() != k.end.root {
		k.t.Errorf("the root is not that of what came")
	}
	k.says(msgDone, appendDone(nil, o))
}

// sum is the digest of an entry's content, if it was transferred.
func (k *taker) sum(e *takerEntry) digest.Sum {
	switch {
	case e.Kind == manifest.Stream && e.verdict == verdictWant:
		return blake3.Sum256(k.streams)
	case e.Kind != manifest.File || e.verdict != verdictWant && e.verdict != verdictPart && e.verdict != verdictHave:
		return digest.Sum{}
	case slabs(e.Size) == 0:
		return e.sums[0]
	}
	set := digest.NewSet(slabs(e.Size))
	for i, sum := range e.sums {
		set.Put(int64(i), sum)
	}
	return set.Sum()
}

// wantContent compares what came with the files below dir, which holds the
// items, but for slabs that the taker had.
func (k *taker) wantContent(dir string) {
	k.t.Helper()
	for _, e := range k.entries {
		if e.Kind != manifest.File || e.verdict != verdictWant && e.verdict != verdictPart || e.Size == 0 {
			continue
		}
		want, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(e.path)))
		if err != nil {
			k.t.Fatal(err)
		}
		for i := range max(slabs(e.Size), 1) {
			lo, hi := i*blockSize, i*blockSize+e.bytes(i)
			if _, had := e.have[i]; (!had || e.fate == "differs") && !bytes.Equal(e.content[lo:hi], want[lo:hi]) {
				k.t.Errorf("%s: wrong bytes in slab %d", e.path, i)
			}
		}
	}
}
