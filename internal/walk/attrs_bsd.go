//go:build darwin || freebsd

package walk

import "golang.org/x/sys/unix"

const errNoAttr = unix.ENOATTR

// viaDescriptors returns false: a descriptor has no path here.
func viaDescriptors() bool { return false }

// attrPath is a path to what has the found name in d, for calls that take
// nothing else.
func (*attrReader) attrPath(_ *dir, f *Found) string { return f.Path }
