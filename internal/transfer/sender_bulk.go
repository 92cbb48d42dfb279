package transfer

import (
	"sort"

	"qft/internal/walk"
)

// ReadBulk fills p, or the front of it as far as one block goes, with the bytes
// of the bulk space at off, from memory, and returns how many, and true. If they
// are not in memory it returns 0 and false: then something is being read, and
// when a done function of Config.Go has run it is worth asking again, for the
// same places in the same order. Once the transfer has failed it may stay false.
//
// Zeros stand for what nobody wants any more: blocks that are verified, or given
// up, or asked for again under another number.
func (s *Sender) ReadBulk(p []byte, off int64) (n int, ok bool) {
	s.cache.clock++
	i, at := off>>blockShift, off&(blockSize-1)
	list := &s.blocks.list
	if off < 0 || i >= list.next() {
		return 0, false
	}
	b := list.at(i)
	if b == nil || b.void {
		p = p[:min(int64(len(p)), blockSize-at)]
		clear(p)
		return len(p), true
	}
	if at >= b.payload {
		return 0, false
	}
	p = p[:min(int64(len(p)), b.payload-at)]
	if b.data != nil {
		return copy(p, b.data[at:]), true
	}
	return s.readChunks(p, off, b)
}

// readChunks fills all of p, which is part of a block that has gone from memory.
func (s *Sender) readChunks(p []byte, off int64, b *parcel) (n int, ok bool) {
	for n < len(p) {
		m, waiting := s.cache.copy(p[n:], off+int64(n))
		if m == 0 && !waiting {
			s.reread(off+int64(n), b)
			m, _ = s.cache.copy(p[n:], off+int64(n)) // in case it ran in place
		}
		if m == 0 {
			return 0, false
		}
		n += m
	}
	return n, true
}

// reread starts to read the chunk around off, of a block that is not compressed:
// those stay in memory. What cannot be read becomes zeros: the receiver will
// find that the block is wrong and ask for it again, and reading it as a whole
// then says what is the matter.
func (s *Sender) reread(off int64, b *parcel) {
	if s.phase != Moving && s.phase != Finishing {
		return
	}
	start := off &^ (blockSize - 1)
	k := s.cache.newChunk(off, start+b.payload)
	if k == nil {
		return
	}
	var file *openFile
	if e := b.parts[0].e; slabs(e.size()) > 0 {
		file = s.files.take(e)
	}
	parts := b.parts
	s.cache.loads++
	s.run(func() {
		buf := k.buf[:k.hi-k.lo]
		var err error
		if file != nil {
			err = file.read(buf, parts[0].off+k.lo-start)
		} else {
			err = readParts(parts, buf, k.lo-start)
		}
		if err != nil {
			clear(buf)
		}
	}, func() {
		s.cache.loads--
		k.ready = true
		if file != nil {
			s.files.give(file)
		}
	})
}

// readParts is work: it fills buf with the bytes of small files that lie one
// behind the other, from position at on.
func readParts(parts []part, buf []byte, at int64) error {
	ends := make([]int64, len(parts))
	end := int64(0)
	for k := range parts {
		end += parts[k].n
		ends[k] = end
	}
	first := sort.Search(len(ends), func(k int) bool { return ends[k] > at })
	for k := first; len(buf) > 0 && k < len(parts); k++ {
		off := at - (ends[k] - parts[k].n)
		n := min(int64(len(buf)), parts[k].n-off)
		if err := readPart(parts[k].e.found, buf[:n], off); err != nil {
			return err
		}
		buf, at = buf[n:], at+n
	}
	return nil
}

func readPart(found walk.Found, p []byte, off int64) error {
	f, err := walk.Open(found)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.ReadAt(p, off)
	return err
}
