package plant

import (
	"errors"
	"os"

	"qft/internal/statefile"
)

// diskFile is a File on the system's disk.
type diskFile struct{ *os.File }

func (f *diskFile) Allot(size int64, sparse bool) error {
	if !sparse {
		if err := reserve(f.File, size); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	} else if err := makeSparse(f.File); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return f.Truncate(size)
}

func (f *diskFile) Punch(off, n int64) error                 { return punch(f.File, off, n) }
func (f *diskFile) SetXattr(attr string, value []byte) error { return setXattr(f.File, attr, value) }
func (f *diskFile) Lock() (bool, error)                      { return statefile.TryLock(f.File) }
func (f *diskFile) Datasync() error                          { return datasync(f.File) }
