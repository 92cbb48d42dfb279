// Package manifest says what a transfer consists of: its entries, their order,
// and their bytes on the wire.
//
// # Order
//
// Entries come depth first. An entry of depth 0 is an item, one of the things
// that the sender named; a directory's children follow it with its depth plus
// one. So an entry needs no path: its directory is the last one of a depth
// less by one, and what is no directory can have no children. Names are single
// elements, which leaves no way to write "..", an absolute path or a detour.
//
// # Encoding
//
// All numbers are unsigned varints in their shortest form unless said otherwise,
// so that an entry has one encoding, and both sides can hash it.
//
//	kind (1 byte), depth, length of the name, name,
//	permission bits, modification time: seconds (zigzag), nanoseconds,
//	File:     size, flags (1 byte): 1 = has holes
//	Symlink:  length of the text, text
//	Link:     length of the path, path of the entry it is another name of
//	all:      length of the attributes, attributes (0: none):
//	          user id, group id, length and name of the user, of the group,
//	          and then until the end: length and name, length and value of each
//	          extended attribute
//
// A Stream stands at depth 0 only, a Link's path has no "." or ".." in it, and
// nothing that is a text to a system has a NUL in it.
package manifest

import "time"

// Kind is what an entry is.
type Kind byte

const (
	// Dir is a directory.
	Dir Kind = 1
	// File is a regular file of a known size.
	File Kind = 2
	// Symlink is a symbolic link, whatever it points to.
	Symlink Kind = 3
	// Link is one more name of a File that came before it.
	Link Kind = 4
	// Stream is what comes until it ends, whose size nobody knows before.
	Stream Kind = 5
)

// What an entry may have at most.
const (
	MaxName   = 1024    // bytes of a name: 255 UTF-16 units are up to 765
	MaxDepth  = 1 << 10 // far beyond what systems take in one path
	MaxPath   = 1 << 16 // bytes of a directory's path: a short entry makes both sides handle all of it
	MaxTarget = 1 << 14 // bytes of a symlink's text, or of a Link's path
	MaxAttrs  = 1 << 15 // bytes of encoded attributes
	MaxSize   = 1 << 46 // bytes of a file (64 TiB), so that sums cannot overflow
)

// Entry is one thing to be made.
type Entry struct {
	Kind   Kind
	Depth  int    // 0: an item
	Name   string // one element, any bytes but '/' and NUL; not to be trusted
	Mode   uint32 // permission bits as in stat: 0 to 0o7777
	Sec    int64  // modification time, seconds since 1970
	Nsec   uint32 // below 1e9
	Size   int64  // of a File, 0 to MaxSize
	Sparse bool   // a File that has holes
	Target string // of a Symlink: its text; of a Link: the path of a File before it, elements joined by '/'
	Attrs  *Attrs // nil: none are told
}

// Attrs is what only an archive keeps.
type Attrs struct {
	UID, GID    uint32
	User, Group string // their names at the sender; may be empty
	Xattrs      []Xattr
}

// Xattr is an extended attribute; ACLs are some of them.
type Xattr struct {
	Name  string
	Value []byte
}

// MTime is the modification time.
func (e *Entry) MTime() time.Time { return time.Unix(e.Sec, int64(e.Nsec)) }
