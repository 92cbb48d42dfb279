package transfer

import (
	"errors"
	"fmt"

	"qft/internal/digest"
	"qft/internal/manifest"
	"qft/internal/squeeze"
)

func (k *taker) takeBlock(body []byte) error {
	a, err := parseBlock(body)
	if err != nil {
		return err
	}
	if a.index != k.last {
		return fmt.Errorf("block %d instead of %d", a.index, k.last)
	}
	k.last++
	key := fmt.Sprint(a.extents)
	if a.flags&blockAgain != 0 {
		if _, asked := k.again[key]; !asked {
			return errors.New("again, and nobody asked")
		}
		delete(k.again, key)
	}
	for _, x := range a.extents {
		e, err := k.entry(x.entry)
		if err != nil {
			return err
		}
		if err := e.expects(x, &a); err != nil {
			return fmt.Errorf("%s: %w", e.path, err)
		}
	}
	if a.flags&blockZstd != 0 {
		k.zipped++
		if !k.zstd {
			return errors.New("compressed, and nobody understands it")
		}
	}
	b := k.open(a.index)
	b.ann = &a
	k.complete(a.index, b)
	return nil
}

// expects reports what is wrong with an extent of the entry.
func (e *takerEntry) expects(x extent, a *announcement) error {
	again := a.flags&blockAgain != 0
	if e.verdict != verdictWant && e.verdict != verdictPart {
		return fmt.Errorf("not wanted: %d", e.verdict)
	}
	switch {
	case e.Kind == manifest.Stream:
		if !again && x.off != e.next || len(a.extents) != 1 {
			return fmt.Errorf("stream at %d instead of %d", x.off, e.next)
		}
		e.next = max(e.next, x.off+x.n)
		return nil
	case e.Kind != manifest.File:
		return errors.New("bytes of what has none")
	}
	e.init()
	i := x.off / blockSize
	switch {
	case slabs(e.Size) == 0 && (x.off != 0 || x.n != e.Size):
		return fmt.Errorf("extent %v of a small file of %d", x, e.Size)
	case slabs(e.Size) > 0 && (len(a.extents) != 1 || x.off%blockSize != 0 || i >= slabs(e.Size) || x.n != e.bytes(i)):
		return fmt.Errorf("extent %v of a file of %d", x, e.Size)
	case !again && (i < e.next || e.known[i]):
		return fmt.Errorf("slab %d out of order, or known", i)
	}
	for j := e.next; j < i; j++ {
		if !e.known[j] {
			return fmt.Errorf("slab %d left out", j)
		}
	}
	if !again {
		e.next = i + 1
		e.known[i] = true
	}
	return nil
}

func (k *taker) open(i int64) *takerBlock {
	b := k.blocks[i]
	if b == nil {
		b = &takerBlock{got: make(map[int64]int64)}
		k.blocks[i] = b
	}
	return b
}

// arrives takes bytes of a block.
func (k *taker) arrives(i, at int64, p []byte) {
	if i < k.low || k.settled[i] {
		return
	}
	b := k.open(i)
	if end := int(at) + len(p); end > len(b.buf) {
		b.buf = append(b.buf, make([]byte, end-len(b.buf))...)
	}
	copy(b.buf[at:], p)
	b.got[at] = max(b.got[at], int64(len(p)))
	if b.ann != nil {
		k.complete(i, b)
	}
}

// has reports whether the first n bytes have come.
func (b *takerBlock) has(n int64) bool {
	at := int64(0)
	for at < n {
		m := b.got[at]
		if m == 0 {
			return false
		}
		at += m
	}
	return true
}

// complete takes a block that has all of its bytes.
func (k *taker) complete(i int64, b *takerBlock) {
	a := b.ann
	if !b.has(a.payload) {
		return
	}
	if int64(len(b.buf)) > a.payload {
		k.t.Fatalf("block %d has %d bytes, and %d arrived", i, a.payload, len(b.buf))
	}
	content := b.buf
	var err error
	if a.flags&blockZstd != 0 {
		content = make([]byte, a.size())
		err = squeeze.Decode(content, b.buf)
	}
	k.settle(i)
	if err != nil || !k.accepts(a, content) {
		key := fmt.Sprint(a.extents)
		if e := k.entries[a.extents[0].entry]; e.fate != "failed" {
			k.again[key] = a.extents[0]
			k.says(msgResend, appendNumber(nil, i))
		}
	}
}

func (k *taker) settle(i int64) {
	delete(k.blocks, i)
	k.settled[i] = true
	for k.settled[k.low] {
		delete(k.settled, k.low)
		k.low++
	}
}

// accepts compares a block with its digest and keeps it if that is right.
func (k *taker) accepts(a *announcement, content []byte) bool {
	x := a.extents[0]
	e := k.entries[x.entry]
	if e.fate == "failed" {
		return true
	}
	if e.Kind == manifest.Stream {
		if digest.File(content) != a.sum {
			return false
		}
		if need := int(x.off) + len(content); need > len(k.streams) {
			k.streams = append(k.streams, make([]byte, need-len(k.streams))...)
		}
		copy(k.streams[x.off:], content)
		k.safe += x.n
		return true
	}
	if slabs(e.Size) > 0 {
		i := x.off / blockSize
		if sum, _ := digest.Slab(content, i, nil); sum != a.sum {
			return false
		}
		copy(e.content[x.off:], content)
		e.sums[i] = a.sum
		k.safe += x.n
		return true
	}
	var sums []digest.Sum
	rest := content
	for _, x := range a.extents {
		sums = append(sums, digest.File(rest[:x.n]))
		rest = rest[x.n:]
	}
	if digest.Pack(sums) != a.sum {
		return false
	}
	for n, x := range a.extents {
		e := k.entries[x.entry]
		copy(e.content, content[:x.n])
		content = content[x.n:]
		e.sums[0], e.done = sums[n], true
		k.safe += x.n
	}
	return true
}
