package plant

import (
	"errors"
	"os"
)

// syncsAll says that syncAll works.
const syncsAll = false

const utimeOmit = -2 // UTIME_OMIT of <sys/stat.h>

// renameNew cannot be done in one call here.
func renameNew(pair, string, string) error { return errors.ErrUnsupported }

// datasync makes the bytes of a file durable.
func datasync(f *os.File) error { return f.Sync() }

// syncAll cannot be done here: sync(2) does not wait.
func syncAll(*os.File) error { return errors.ErrUnsupported }

// reserve is not done: ZFS, which is usual here, could not keep the promise.
func reserve(*os.File, int64) error { return errors.ErrUnsupported }

// punch is not used here: zeros are written instead.
func punch(*os.File, int64, int64) error { return errors.ErrUnsupported }

// makeSparse is not needed: every file may have holes.
func makeSparse(*os.File) error { return nil }
