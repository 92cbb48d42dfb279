package journal

import (
	"errors"
	"io"
	"math/rand/v2"
)

const pageSize = 512

// disk is a file on a disk with a cache: what was not synced may or may not be
// there after a power cut, page by page, and its calls fail when fails says so.
type disk struct {
	cached  []byte // what can be read
	stored  []byte // what is on the disk itself
	dirty   map[int]bool
	limit   int // the disk is full when the file has this length; 0: never
	rng     *rand.Rand
	fails   func(call string) error // nil: never
	touched int                     // calls that write
}

func newDisk(seed uint64) *disk {
	return &disk{dirty: make(map[int]bool), rng: rand.New(rand.NewPCG(seed, 1))}
}

// holding is a disk on which a file with the content b lies.
func holding(b []byte) *disk {
	d := newDisk(1)
	d.cached, d.stored = append([]byte(nil), b...), append([]byte(nil), b...)
	return d
}

var errNoSpace = errors.New("no space left on device")

func (d *disk) fault(call string) error {
	if d.fails == nil {
		return nil
	}
	return d.fails(call)
}

func (d *disk) ReadAt(p []byte, off int64) (int, error) {
	if err := d.fault("read"); err != nil {
		return 0, err
	}
	if off >= int64(len(d.cached)) {
		return 0, io.EOF
	}
	n := copy(p, d.cached[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (d *disk) WriteAt(p []byte, off int64) (int, error) {
	d.touched++
	err := d.fault("write")
	n := len(p)
	if err != nil {
		n = d.rng.IntN(n + 1)
	}
	if d.limit > 0 && int(off)+n > d.limit {
		n, err = max(0, d.limit-int(off)), errNoSpace
	}
	if n == 0 {
		return 0, err
	}
	if grow := int(off) + n - len(d.cached); grow > 0 {
		d.cached = append(d.cached, make([]byte, grow)...)
	}
	copy(d.cached[off:], p[:n])
	for page := int(off) / pageSize; page*pageSize < int(off)+n; page++ {
		d.dirty[page] = true
	}
	return n, err
}

func (d *disk) Truncate(size int64) error {
	d.touched++
	if err := d.fault("truncate"); err != nil {
		return err
	}
	if int(size) <= len(d.cached) {
		d.cached = d.cached[:size:size]
	} else {
		d.cached = append(d.cached, make([]byte, int(size)-len(d.cached))...)
	}
	d.dirty[int(size)/pageSize] = true
	return nil
}

func (d *disk) Sync() error {
	if err := d.fault("sync"); err != nil {
		d.flush(func() bool { return d.rng.IntN(2) == 0 }) // the rest is forgotten
		return err
	}
	d.flush(func() bool { return true })
	return nil
}

func (d *disk) Close() error { return nil }

// flush writes those dirty pages to the disk that some says, and takes all for
// clean, as systems do.
func (d *disk) flush(some func() bool) {
	if some() {
		if len(d.stored) > len(d.cached) {
			d.stored = d.stored[:len(d.cached):len(d.cached)]
		}
		d.stored = append(d.stored, make([]byte, len(d.cached)-len(d.stored))...)
	}
	for page := range d.dirty {
		from := page * pageSize
		if from < min(len(d.cached), len(d.stored)) && some() {
			copy(d.stored[from:min(from+pageSize, len(d.stored))], d.cached[from:])
		}
	}
	clear(d.dirty)
}

// powerCut leaves what was synced, and by chance some of the rest.
func (d *disk) powerCut() {
	d.flush(func() bool { return d.rng.IntN(2) == 0 })
	d.cached = append([]byte(nil), d.stored...)
	d.fails = nil
}
