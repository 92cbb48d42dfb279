package manifest

import (
	"encoding/binary"
	"fmt"

	"github.com/zeebo/blake3"
)

// Order walks along the entries of one manifest and tells their directories.
// The zero value stands before the first entry.
type Order struct {
	path string // of the last directory that may have children
	ends []int  // ends[d]: the length of the part of path that has depth d
}

// Next returns the path of e's directory, elements joined by '/', or "" if e
// is an item. It must be called for each entry in turn. An error says that no
// such entry can come here: its depth has no directory, or it is a directory
// whose path is longer than MaxPath. The path shares its memory with those of
// the entries nearby.
func (o *Order) Next(e *Entry) (dir string, err error) {
	if e.Depth < 0 || e.Depth > len(o.ends) {
		return "", fmt.Errorf("entry %q: depth %d, where %d is the most that its directory allows",
			e.Name, e.Depth, len(o.ends))
	}
	o.ends = o.ends[:e.Depth]
	if e.Depth > 0 {
		dir = o.path[:o.ends[e.Depth-1]]
	}
	if e.Kind != Dir {
		return dir, nil
	}
	if n := len(dir) + 1 + len(e.Name); n > MaxPath {
		return "", fmt.Errorf("entry %q: a path of %d bytes, more than %d", e.Name, n, MaxPath)
	}
	o.path = Join(dir, e.Name)
	o.ends = append(o.ends, len(o.path))
	return dir, nil
}

// Join is the path of what is called name in dir, or of an item if dir is "".
func Join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// Key identifies a version of an entry, for who wants to know it again in a
// later transfer: BLAKE3 over its path, kind, size and modification time.
// path is that of the entry itself. Permissions do not count, as they change
// nothing about the bytes.
func Key(path string, e *Entry) [16]byte {
	b := make([]byte, 0, 256)
	b = append(b, path...)
	b = append(b, 0, byte(e.Kind)) // no path has a NUL in it
	b = binary.BigEndian.AppendUint64(b, uint64(e.Size))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Sec))
	b = binary.BigEndian.AppendUint32(b, e.Nsec)
	sum := blake3.Sum256(b)
	return [16]byte(sum[:16])
}
