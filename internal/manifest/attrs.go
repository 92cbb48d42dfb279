package manifest

import "encoding/binary"

// Len is the length of the encoded attributes in bytes, which may be at most
// MaxAttrs.
func (a *Attrs) Len() int {
	n := uvarintLen(uint64(a.UID)) + uvarintLen(uint64(a.GID)) + textLen(len(a.User)) + textLen(len(a.Group))
	for _, x := range a.Xattrs {
		n += x.Len()
	}
	return n
}

// Len is what an extended attribute adds to the length of the attributes.
func (x Xattr) Len() int { return textLen(len(x.Name)) + textLen(len(x.Value)) }

func (a *Attrs) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(a.UID))
	b = binary.AppendUvarint(b, uint64(a.GID))
	b = appendText(b, a.User)
	b = appendText(b, a.Group)
	for _, x := range a.Xattrs {
		b = appendText(b, x.Name)
		b = appendText(b, x.Value)
	}
	return b
}

func textLen(n int) int { return uvarintLen(uint64(n)) + n }

func uvarintLen(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}
