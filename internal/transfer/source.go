package transfer

import (
	"errors"
	"slices"
	"sync"

	"qft/internal/digest"
	"qft/internal/walk"
)

// maxHandles is how many large files are held open, for the next slab or for
// what has to be read again. Small ones are opened, read and closed.
const maxHandles = 8

// maxRegions is how many regions of data are looked for at a time.
const maxRegions = 256

// openFile is a large file that is open, or will be by the first work that
// needs it.
type openFile struct {
	e     *sentEntry
	users int // works
	once  sync.Once
	f     *walk.File
	err   error
}

// file opens the file if that was not done. It is called by works.
func (o *openFile) file() (*walk.File, error) {
	o.once.Do(func() { o.f, o.err = walk.Open(o.e.found) })
	return o.f, o.err
}

// read is work: it fills p from off.
func (o *openFile) read(p []byte, off int64) error {
	f, err := o.file()
	if err == nil {
		_, err = f.ReadAt(p, off)
	}
	return err
}

// readSlab is work: it reads slab i and hashes it. It looks for changes each
// time: better to learn of them now than at the end of a large file.
func (o *openFile) readSlab(p []byte, i int64) (digest.Sum, error) {
	f, err := o.file()
	if err != nil {
		return digest.Sum{}, err
	}
	sum, err := digest.Slab(p, i, func(piece []byte, at int64) error {
		_, err := f.ReadAt(piece, i*blockSize+at)
		return err
	})
	if err != nil {
		return digest.Sum{}, err
	}
	return sum, f.Unchanged()
}

// regions is work: it looks for data from off on. mapped is up to where the
// answer is complete.
func (o *openFile) regions(off int64) (data []region, mapped int64, err error) {
	f, err := o.file()
	if err != nil {
		return nil, 0, err
	}
	size := o.e.found.Size
	for off < size && len(data) < maxRegions {
		lo, hi, err := f.Data(off)
		switch {
		case err != nil:
			return nil, 0, err
		case lo >= size:
			return data, size, nil
		case lo < off || hi <= lo:
			return nil, 0, errors.New("the file system does not know where the holes are")
		}
		data = append(data, region{lo, hi})
		off = hi
	}
	return data, off, nil
}

// openFiles are the large files that are open, those used last at the end.
type openFiles struct {
	list []*openFile
}

// take returns the file of an entry for a work.
func (x *openFiles) take(e *sentEntry) *openFile {
	k := slices.IndexFunc(x.list, func(o *openFile) bool { return o.e == e })
	o := &openFile{e: e}
	if k >= 0 {
		o = x.list[k]
		x.list = slices.Delete(x.list, k, k+1)
	}
	o.users++
	x.list = append(x.list, o)
	x.trim()
	return o
}

// give takes it back when the work has ended. What could not be opened may be
// tried again.
func (x *openFiles) give(o *openFile) {
	o.users--
	if o.users == 0 && o.err != nil {
		x.list = slices.DeleteFunc(x.list, func(p *openFile) bool { return p == o })
	}
	x.trim()
}

// trim closes those used longest ago, if there are too many.
func (x *openFiles) trim() {
	for k := 0; k < len(x.list) && len(x.list) > maxHandles; {
		if x.list[k].users > 0 {
			k++
			continue
		}
		x.list[k].close()
		x.list = slices.Delete(x.list, k, k+1)
	}
}

// forget closes the file of an entry of which nothing is needed any more.
func (x *openFiles) forget(e *sentEntry) {
	if slabs(e.size()) == 0 {
		return
	}
	k := slices.IndexFunc(x.list, func(o *openFile) bool { return o.e == e })
	if k < 0 || x.list[k].users > 0 {
		return // trim will
	}
	x.list[k].close()
	x.list = slices.Delete(x.list, k, k+1)
}

// close closes all. No works may be under way.
func (x *openFiles) close() {
	for _, o := range x.list {
		o.close()
	}
	x.list = nil
}

func (o *openFile) close() {
	if o.f != nil {
		o.f.Close()
	}
}

// rootCause is the error that all others were put around: an Error has its own
// operation and path.
func rootCause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
