package manifest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

const flagSparse = 1 // of a File: it has holes

var errShort = errors.New("the encoding ends too early")

// Append encodes an entry behind b. The entry must be one that Parse takes:
// Append checks nothing.
func Append(b []byte, e *Entry) []byte {
	b = append(b, byte(e.Kind))
	b = binary.AppendUvarint(b, uint64(e.Depth))
	b = appendText(b, e.Name)
	b = binary.AppendUvarint(b, uint64(e.Mode))
	b = binary.AppendVarint(b, e.Sec)
	b = binary.AppendUvarint(b, uint64(e.Nsec))
	switch e.Kind {
	case File:
		b = binary.AppendUvarint(b, uint64(e.Size))
		if e.Sparse {
			b = append(b, flagSparse)
		} else {
			b = append(b, 0)
		}
	case Symlink, Link:
		b = appendText(b, e.Target)
	}
	if e.Attrs == nil {
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(e.Attrs.Len()))
	return e.Attrs.append(b)
}

func appendText[T string | []byte](b []byte, text T) []byte {
	b = binary.AppendUvarint(b, uint64(len(text)))
	return append(b, text...)
}

// Parse decodes the entry at the start of b and returns what follows it. It
// takes exactly what Append makes of entries within the limits, so that each
// entry has one encoding, whose bytes both sides can hash. The entry shares no
// memory with b. Whether its depth and its Target fit what came before it,
// Parse cannot know: see Order.
func Parse(b []byte) (e Entry, rest []byte, err error) {
	d := decoder{b: b}
	d.entry(&e)
	switch {
	case d.err == nil:
		return e, d.b, nil
	case e.Name == "":
		return Entry{}, nil, fmt.Errorf("entry: %w", d.err)
	}
	return Entry{}, nil, fmt.Errorf("entry %q: %w", e.Name, d.err)
}

// CheckName says why a name may not stand in a manifest, or nil if it may.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("the name is empty")
	case len(name) > MaxName:
		return fmt.Errorf("the name has %d bytes, more than %d", len(name), MaxName)
	case name == "." || name == "..":
		return fmt.Errorf("the name %q leads elsewhere", name)
	case strings.IndexByte(name, '/') >= 0:
		return fmt.Errorf("the name %q has a slash in it", name)
	case strings.IndexByte(name, 0) >= 0:
		return fmt.Errorf("the name %q has a NUL in it", name)
	}
	return nil
}

// checkTarget says why a text may not be the Target of a kind of entry.
func checkTarget(k Kind, text string) error {
	if k == Symlink {
		switch {
		case text == "":
			return errors.New("the symlink is empty")
		case strings.IndexByte(text, 0) >= 0:
			return fmt.Errorf("the symlink's text %q has a NUL in it", text)
		}
		return nil
	}
	for name := range strings.SplitSeq(text, "/") {
		if err := CheckName(name); err != nil {
			return fmt.Errorf("link to %q: %w", text, err)
		}
	}
	return nil
}
