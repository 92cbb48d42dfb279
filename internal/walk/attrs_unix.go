//go:build linux || darwin || freebsd

package walk

import (
	"bytes"
	"errors"
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"qft/internal/manifest"
)

// attrReader reads attributes. A nil one reads none.
type attrReader struct {
	users, groups map[uint32]string
	list, value   []byte // of the size that Linux takes at most: one call is enough
	// viaDescriptors: attrPath need not be a path through other directories.
	viaDescriptors bool
}

const (
	maxOwners    = 1 << 12 // how many names of users, and of groups, are remembered
	maxOwnerName = 1 << 8  // bytes of such a name; a longer one is not sent
)

func newAttrReader() *attrReader {
	return &attrReader{
		users:  make(map[uint32]string),
		groups: make(map[uint32]string),
		list:   make([]byte, 1<<16),
		value:  make([]byte, 1<<16),

		viaDescriptors: viaDescriptors(),
	}
}

// attrSource is what attributes are read of.
type attrSource struct {
	self *dir // this directory
	dir  *dir // or what has the found name in this one; neither: an item
}

// read adds to f its attributes, and a notice of those that it cannot add.
func (r *attrReader) read(f *Found, from attrSource, m *meta) {
	if r == nil {
		return
	}
	a := &manifest.Attrs{
		UID:   m.uid,
		GID:   m.gid,
		User:  r.name(r.users, m.uid, userName),
		Group: r.name(r.groups, m.gid, groupName),
	}
	f.Attrs = a
	names, err := r.names(from, f)
	if err != nil {
		f.Notice = fmt.Errorf("its extended attributes cannot be read: %w", err)
	}
	size := a.Len()
	var left []string
	for _, name := range names {
		value, err := r.valueOf(from, f, name)
		x := manifest.Xattr{Name: name, Value: bytes.Clone(value)}
		switch {
		case errors.Is(err, errNoAttr):
		case err != nil || size+x.Len() > manifest.MaxAttrs:
			left = append(left, name)
		default:
			size += x.Len()
			a.Xattrs = append(a.Xattrs, x)
		}
	}
	if left != nil {
		f.Notice = fmt.Errorf("unreadable or too large, and left out: extended attributes %q", left)
	}
}

// names are the names of the extended attributes, sorted.
func (r *attrReader) names(from attrSource, f *Found) ([]string, error) {
	n, err := r.listOf(from, f)
	switch {
	case errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.ENOENT): // it has none, or is gone
		return nil, nil
	case err != nil || n == 0:
		return nil, err
	}
	names := strings.Split(strings.TrimSuffix(string(r.list[:n]), "\x00"), "\x00")
	slices.Sort(names)
	return names, nil
}

// listOf writes the names of the extended attributes to r.list.
func (r *attrReader) listOf(from attrSource, f *Found) (n int, err error) {
	err = again(func() error {
		switch {
		case from.self != nil:
			n, err = unix.Flistxattr(from.self.fd(), r.list)
		case from.dir != nil:
			n, err = unix.Llistxattr(r.attrPath(from.dir, f), r.list)
		default:
			n, err = unix.Listxattr(f.Path, r.list)
		}
		return err
	})
	return n, err
}

// valueOf is the value of an extended attribute, valid until the next call.
func (r *attrReader) valueOf(from attrSource, f *Found, name string) ([]byte, error) {
	var n int
	err := again(func() (err error) {
		switch {
		case from.self != nil:
			n, err = unix.Fgetxattr(from.self.fd(), name, r.value)
		case from.dir != nil:
			n, err = unix.Lgetxattr(r.attrPath(from.dir, f), name, r.value)
		default:
			n, err = unix.Getxattr(f.Path, name, r.value)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return r.value[:n], nil
}

// name looks up who has an id, once.
func (r *attrReader) name(known map[uint32]string, id uint32, look func(id string) string) string {
	name, ok := known[id]
	if !ok {
		if len(known) >= maxOwners {
			clear(known)
		}
		if name = look(strconv.FormatUint(uint64(id), 10)); len(name) > maxOwnerName {
			name = ""
		}
		known[id] = name
	}
	return name
}

func userName(id string) string {
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "" // the number is sent
}

func groupName(id string) string {
	if g, err := user.LookupGroupId(id); err == nil {
		return g.Name
	}
	return ""
}
