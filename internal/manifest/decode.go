package manifest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
)

// decoder takes values off the front of b until the first error, after which
// it returns zeros.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
		d.b = nil
	}
}

func (d *decoder) entry(e *Entry) {
	e.Kind = Kind(d.byte())
	if d.err == nil && (e.Kind < Dir || e.Kind > Stream) {
		d.fail(fmt.Errorf("kind %d is not known", e.Kind))
	}
	e.Depth = int(d.number("depth", MaxDepth))
	name := d.text("name", MaxName)
	if d.err == nil {
		if err := CheckName(name); err != nil {
			d.fail(err) // which quotes it
			return
		}
	}
	e.Name = name
	if e.Kind == Stream && e.Depth > 0 {
		d.fail(errors.New("a stream within a directory"))
	}
	e.Mode = uint32(d.number("mode", 0o7777))
	e.Sec = d.signed()
	e.Nsec = uint32(d.number("nanoseconds", 1e9-1))
	switch e.Kind {
	case File:
		e.Size = int64(d.number("size", MaxSize))
		flags := d.byte()
		if flags&^flagSparse != 0 {
			d.fail(fmt.Errorf("flags %#x are not known", flags))
		}
		e.Sparse = flags&flagSparse != 0
	case Symlink, Link:
		e.Target = d.text("target", MaxTarget)
		if d.err == nil {
			if err := checkTarget(e.Kind, e.Target); err != nil {
				d.fail(err)
			}
		}
	}
	if b := d.bytes("attributes", MaxAttrs); len(b) > 0 {
		e.Attrs = d.attrs(b)
	}
}

// attrs decodes the attributes, which end where b ends.
func (d *decoder) attrs(b []byte) *Attrs {
	in := decoder{b: b}
	a := &Attrs{
		UID:   uint32(in.number("user id", math.MaxUint32)),
		GID:   uint32(in.number("group id", math.MaxUint32)),
		User:  in.text("user", MaxAttrs),
		Group: in.text("group", MaxAttrs),
	}
	if strings.IndexByte(a.User+a.Group, 0) >= 0 {
		in.fail(errors.New("a user or group has a NUL in its name"))
	}
	for len(in.b) > 0 {
		x := Xattr{Name: in.text("attribute's name", MaxAttrs)}
		if in.err == nil && (x.Name == "" || strings.IndexByte(x.Name, 0) >= 0) {
			in.fail(fmt.Errorf("%q is not the name of an attribute", x.Name))
		}
		x.Value = append([]byte{}, in.bytes("attribute's value", MaxAttrs)...)
		a.Xattrs = append(a.Xattrs, x)
	}
	if in.err != nil {
		d.fail(in.err)
		return nil
	}
	return a
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail(errShort)
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

// number takes an unsigned number of at most limit, in its shortest form.
func (d *decoder) number(what string, limit uint64) uint64 {
	v, n := binary.Uvarint(d.b)
	switch {
	case d.err != nil:
		return 0
	case n == 0:
		d.fail(errShort)
		return 0
	case n < 0 || v > limit:
		d.fail(fmt.Errorf("%s is greater than %d", what, limit))
		return 0
	case n > 1 && d.b[n-1] == 0:
		d.fail(fmt.Errorf("%s is not in its shortest form", what))
		return 0
	}
	d.b = d.b[n:]
	return v
}

// signed takes a zigzag number.
func (d *decoder) signed() int64 {
	v := d.number("seconds", math.MaxUint64)
	return int64(v>>1) ^ -int64(v&1)
}

// bytes takes a length of at most limit and so many bytes, which are still b's.
func (d *decoder) bytes(what string, limit uint64) []byte {
	n := d.number("length of the "+what, limit)
	if n > uint64(len(d.b)) {
		d.fail(errShort)
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) text(what string, limit uint64) string { return string(d.bytes(what, limit)) }
