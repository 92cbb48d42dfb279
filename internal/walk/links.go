package walk

// maxLinks bounds the memory that hard links take: of more, the names are sent
// as if they were files of their own.
const maxLinks = 1 << 20

// links knows the files with several names of which one has been found.
type links struct {
	first map[linkKey]link
}

type linkKey struct{ dev, ino uint64 }

type link struct {
	path string // in the manifest, of the first name
	left uint64 // names that may still come
}

// find returns the path of the first name of a file, if there was one before.
// Otherwise this is the first: path is asked for its path.
func (l *links) find(m *meta, path func() string) (first string, ok bool) {
	key := linkKey{m.inode.Dev, m.inode.Ino}
	k, ok := l.first[key]
	switch {
	case !ok && len(l.first) < maxLinks:
		if l.first == nil {
			l.first = make(map[linkKey]link)
		}
		l.first[key] = link{path(), m.nlink - 1}
		return "", false
	case !ok:
		return "", false
	case k.left <= 1:
		delete(l.first, key) // all its names have been found
	default:
		l.first[key] = link{k.path, k.left - 1}
	}
	return k.path, true
}
