package transfer

import (
	"errors"

	"qft/internal/digest"
	"qft/internal/journal"
	"qft/internal/manifest"
	"qft/internal/plant"
)

// judgeSkip is work: it takes over the bytes of the old target that skip
// vouches for, as whole slabs.
func (r *Receiver) judgeSkip(it *item) judgement {
	d := judgement{verdict: verdictWant}
	fail := func(text string) judgement {
		d.err = &Error{Kind: BadSkip, Path: r.finalPath(d.place.Path), Err: errors.New(text)}
		return d
	}
	var err error
	if d.place, err = r.bed.Place(it.dir, it.e); err != nil {
		d.err = r.diskError("make", it.path(), err)
		return d
	}
	d.id = manifest.Key(d.place.Path, &it.e)
	if it.e.Kind != manifest.File || it.e.Depth > 0 {
		return fail("is no single file, so nothing of it can be skipped")
	}
	if r.skip > it.e.Size {
		return fail("is shorter at the sender than what is to be skipped")
	}
	if d.place.What == plant.Same {
		d.verdict = verdictSame
		return d
	}
	old, err := r.bed.OpenFinal(d.place.Path)
	if err != nil {
		return fail("does not exist, so nothing of it can be skipped")
	}
	defer old.Close()
	n := r.skip >> blockShift
	if it.slabs() == 0 || n == 0 {
		return d
	}
	if d.place.What == plant.Part {
		if d.runs, err = r.journal.Find(d.id); err != nil {
			d.runs = nil
		}
	}
	f, err := r.bed.OpenFile(d.place.Path, &it.e)
	if err == nil {
		defer f.Close()
		d.runs, err = takeSlabs(old, f, it, d, n)
	}
	if err != nil {
		d.err = r.diskError("copy", d.place.Path, err)
		return d
	}
	d.verdict = verdictPart
	d.place.What = plant.Part
	return d
}

// readerAt and writerAt are what a slab is copied from and to.
type readerAt interface {
	ReadAt(p []byte, off int64) (int, error)
}
type writerAt interface {
	WriteAt(p []byte, off int64) (int, error)
}

// takeSlabs copies the first n slabs, less what the journal has.
func takeSlabs(old readerAt, f writerAt, it *item, d judgement, n int64) ([]journal.Run, error) {
	had := digest.NewSet(it.slabs())
	for _, run := range d.runs {
		if run.First == forgotten {
			clear(run.Sums)
			continue
		}
		for k, sum := range run.Sums {
			if i := run.First + int64(k); i < it.slabs() && !had.Has(i) {
				had.Put(i, sum)
			}
		}
	}
	runs := d.runs
	buf := make([]byte, blockSize)
	for i := range n {
		if had.Has(i) {
			continue
		}
		p := buf[:it.slabBytes(i, 1)]
		sum, err := digest.Slab(p, i, func(piece []byte, at int64) error {
			if _, err := old.ReadAt(piece, i*blockSize+at); err != nil {
				return err
			}
			_, err := f.WriteAt(piece, i*blockSize+at)
			return err
		})
		if err != nil {
			return nil, err
		}
		runs = extend(runs, d.id, i, sum)
	}
	return runs, nil
}
