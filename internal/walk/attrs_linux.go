package walk

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

const errNoAttr = unix.ENODATA

// viaDescriptors reports whether /proc is there.
func viaDescriptors() bool {
	_, err := os.Stat("/proc/self/fd")
	return err == nil
}

// attrPath is a path to what has the found name in d, for calls that take
// nothing else: along the descriptor of d if it can be, whatever the names
// above it now lead to, and however long they are.
func (r *attrReader) attrPath(d *dir, f *Found) string {
	if r.viaDescriptors {
		return "/proc/self/fd/" + strconv.Itoa(d.fd()) + "/" + f.Name
	}
	return f.Path
}
