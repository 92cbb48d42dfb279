package faulty

import (
	"errors"
	"io"
	"io/fs"
	"math"
	"syscall"

	"qft/internal/plant"
)

var _ plant.File = (*file)(nil)

// file is an open file.
type file struct {
	d     *Disk
	n     *node
	life  int
	write bool
	locks bool // it has the file's lock
}

// begin starts a call and unlocks the disk if it fails.
func (f *file) begin(op string) error {
	f.d.mu.Lock()
	_, err := f.d.call(op, "", f.life)
	if err != nil {
		f.d.mu.Unlock()
	}
	return err
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if err := f.begin("read"); err != nil {
		return 0, err
	}
	defer f.d.mu.Unlock()
	n := f.n.readAt(p, off)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	half, err := f.d.call("write", "", f.life)
	if err != nil {
		if half {
			return f.put(p[:len(p)/2], off), err
		}
		return 0, err
	}
	if !f.write || off < 0 {
		return 0, pathError("write", "", syscall.EBADF)
	}
	if n := f.put(p, off); n < len(p) {
		return n, pathError("write", "", syscall.ENOSPC)
	}
	return len(p), nil
}

func (f *file) put(p []byte, off int64) (n int) {
	f.account(func() {
		n = f.n.writeAt(p, off, f.d.room())
		f.n.mtime = f.d.now()
	})
	return n
}

// account keeps the count of used space over a change.
func (f *file) account(change func()) {
	before := f.n.holds()
	change()
	if f.n.links > 0 {
		f.d.used += f.n.holds() - before
	}
}

func (d *Disk) room() int64 {
	if d.opt.Capacity == 0 {
		return math.MaxInt64
	}
	return max(d.opt.Capacity-d.used, 0)
}

func (f *file) Truncate(size int64) error {
	if err := f.begin("truncate"); err != nil {
		return err
	}
	defer f.d.mu.Unlock()
	f.account(func() { f.n.truncate(size) })
	return nil
}

func (f *file) Allot(size int64, sparse bool) error {
	if err := f.begin("allocate"); err != nil {
		return err
	}
	defer f.d.mu.Unlock()
	space := (size + chunkSize - 1) / chunkSize * chunkSize
	if !sparse && space-f.n.holds() > f.d.room() {
		return pathError("allocate", "", syscall.ENOSPC)
	}
	f.account(func() {
		f.n.truncate(size)
		if !sparse {
			f.n.space = space
		}
	})
	return nil
}

func (f *file) Punch(off, n int64) error {
	if err := f.begin("punch"); err != nil {
		return err
	}
	defer f.d.mu.Unlock()
	if f.d.opt.NoPunch {
		return errors.ErrUnsupported
	}
	f.account(func() { f.n.zero(off, n) })
	return nil
}

func (f *file) Stat() (fs.FileInfo, error) {
	if err := f.begin("stat"); err != nil {
		return nil, err
	}
	defer f.d.mu.Unlock()
	return infoOf("", f.n), nil
}

func (f *file) Chmod(mode fs.FileMode) error {
	if err := f.begin("chmod"); err != nil {
		return err
	}
	defer f.d.mu.Unlock()
	f.n.mode = mode
	return nil
}

func (f *file) Chown(uid, gid int) error {
	if err := f.begin("chown"); err != nil {
		return err
	}
	defer f.d.mu.Unlock()
	return pathError("chown", "", syscall.EPERM)
}

func (f *file) SetXattr(attr string, value []byte) error {
	if err := f.begin("setxattr"); err != nil {
		return err
	}
	defer f.d.mu.Unlock()
	f.n.setXattr(attr, value)
	return nil
}

func (f *file) Lock() (bool, error) {
	if err := f.begin("lock"); err != nil {
		return false, err
	}
	defer f.d.mu.Unlock()
	if f.n.lock {
		return false, nil
	}
	f.n.lock, f.locks = true, true
	return true, nil
}

func (f *file) Datasync() error {
	if err := f.begin("datasync"); err != nil {
		return err
	}
	defer f.d.mu.Unlock()
	f.n.keepData()
	return nil
}

func (f *file) Sync() error {
	if err := f.begin("sync"); err != nil {
		return err
	}
	defer f.d.mu.Unlock()
	f.n.keepData()
	f.n.keepMeta()
	return nil
}

func (f *file) Close() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.locks && f.life == f.d.life {
		f.n.lock, f.locks = false, false
	}
	return nil
}
