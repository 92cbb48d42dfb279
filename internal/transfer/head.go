package transfer

import "encoding/binary"

// appendHead is what a journal says of the transfer it belongs to, for people.
func appendHead(b []byte, o offer) []byte {
	b = append(b, 1) // version
	b = binary.BigEndian.AppendUint32(b, uint32(o.items))
	b = appendNumber(appendNumber(b, o.count.files), o.count.bytes)
	b = append(b, byte(len(o.names)))
	for _, n := range o.names {
		b = appendString(b, n)
	}
	return b
}

// Title reads the head of a journal: what the transfer is called, and how many
// files and bytes had been counted when it began. ok is false for what is no
// head.
func Title(head []byte) (name string, files, bytes int64, ok bool) {
	d := decoder{b: head}
	if d.uint(1) != 1 {
		return "", 0, 0, false
	}
	items := int(d.uint(4))
	files, bytes = d.number(), d.number()
	var names []string
	for range d.uint(1) {
		names = append(names, string(d.bytes(int(d.uint(2)))))
	}
	return title(names, items), files, bytes, d.err() == nil
}
