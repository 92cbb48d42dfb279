package plant

import (
	"hash/maphash"
	"io/fs"
)

// set is a set of paths that costs about 16 bytes for each, however long they
// are: it keeps hashes under a seed that nobody knows, so that nobody can make
// two paths meet, and chance does so once in 10^7 transfers of a million files.
type set struct {
	seed maphash.Seed
	in   map[uint64]struct{}
}

func newSet() set { return set{maphash.MakeSeed(), make(map[uint64]struct{})} }

func (s set) add(p string)      { s.in[maphash.String(s.seed, p)] = struct{}{} }
func (s set) has(p string) bool { _, ok := s.in[maphash.String(s.seed, p)]; return ok }
func (s set) remove(p string)   { delete(s.in, maphash.String(s.seed, p)) }

// version is a path with what tells one version of its file from another.
func version(p string, info fs.FileInfo) string {
	b := make([]byte, 0, 128)
	b = append(b, p...)
	for _, v := range []uint64{uint64(info.Size()), uint64(info.ModTime().UnixNano()), uint64(info.Mode())} {
		b = append(b, 0)
		for range 8 {
			b = append(b, byte(v))
			v >>= 8
		}
	}
	return string(b)
}
