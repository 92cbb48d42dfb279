package walk

import "qft/internal/manifest"

// meta is what the system tells of a name.
type meta struct {
	kind     manifest.Kind // 0: special
	special  string        // what it is then
	mode     uint32
	sec      int64
	nsec     uint32
	size     int64
	sparse   bool
	inode    Inode
	nlink    uint64 // 0: not known
	uid, gid uint32
}

// same reports whether two look at one file, in the same state as far as size
// and modification time tell.
func (m *meta) same(o *meta) bool {
	return m.kind == o.kind && m.size == o.size && m.sec == o.sec && m.nsec == o.nsec &&
		m.inode.Dev == o.inode.Dev && m.inode.Ino == o.inode.Ino
}
