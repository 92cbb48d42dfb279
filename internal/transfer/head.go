package transfer

import (
	"encoding/binary"

	"qft/internal/journal"
)

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

// ItemNames reads the first bytes of a journal: what the items of the transfer
// are called, safe to print, as far as they were told. There are none if it is no
// journal, or one that says nothing.
func ItemNames(start []byte) (names []string) {
	head, err := journal.ReadHead(start)
	if err != nil {
		return nil
	}
	d := decoder{b: head}
	if d.uint(1) != 1 {
		return nil
	}
	d.uint(4)
	d.number()
	d.number()
	for range d.uint(1) {
		names = append(names, printable(string(d.bytes(int(d.uint(2)))), maxName))
	}
	if d.err() != nil {
		return nil
	}
	return names
}
