package proxy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
	"slices"
	"testing"
)

// header builds one as a load balancer would.
func header(command, family byte, block ...byte) []byte {
	b := append([]byte(signature), 0x20|command, family)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(block))), block...)
}

var (
	four = []byte{203, 0, 113, 9, 192, 0, 2, 1, 0x9c, 0x40, 0x10, 0xb5}
	six  = slices.Concat(
		netip.MustParseAddr("2001:db8::9").AsSlice(), netip.MustParseAddr("2001:db8::1").AsSlice(),
		[]byte{0x9c, 0x40, 0x10, 0xb5})
	mapped = slices.Concat(
		netip.MustParseAddr("::ffff:203.0.113.9").AsSlice(), netip.MustParseAddr("::ffff:192.0.2.1").AsSlice(),
		[]byte{0x9c, 0x40, 0x10, 0xb5})
)

// checked appends the checksum extension.
func checked(b []byte) []byte {
	b = append(b, typeChecksum, 0, 4, 0, 0, 0, 0)
	binary.BigEndian.PutUint16(b[14:], uint16(len(b)-fixed))
	binary.BigEndian.PutUint32(b[len(b)-4:], crc32.Checksum(b, castagnoli))
	return b
}

func TestCut(t *testing.T) {
	spoiled := checked(header(1, 0x12, four...))
	spoiled[17] ^= 1
	for _, c := range []struct {
		name   string
		header []byte
		client string // "": itself
		bad    bool
	}{
		{name: "IPv4", header: header(1, 0x12, four...), client: "203.0.113.9:40000"},
		{name: "IPv6", header: header(1, 0x22, six...), client: "[2001:db8::9]:40000"},
		{name: "IPv4 in IPv6", header: header(1, 0x22, mapped...), client: "203.0.113.9:40000"},
		{name: "with extensions", header: header(1, 0x12, append(four, 4, 0, 2, 0, 0, 0xee, 0, 0)...), client: "203.0.113.9:40000"},
		{name: "with a checksum", header: checked(header(1, 0x22, six...)), client: "[2001:db8::9]:40000"},
		{name: "a health check", header: header(0, 0)},
		{name: "a health check with addresses", header: header(0, 0x12, four...)},
		{name: "unspecified", header: header(1, 0, 1, 2, 3)},
		{name: "nothing", bad: true},
		{name: "version 1", header: []byte("PROXY UDP4 203.0.113.9 192.0.2.1 40000 4277\r\n"), bad: true},
		{name: "version 3", header: append([]byte(signature), 0x31, 0x12, 0, 0), bad: true},
		{name: "another command", header: header(2, 0x12, four...), bad: true},
		{name: "stream", header: header(1, 0x11, four...), bad: true},
		{name: "Unix", header: header(1, 0x32, make([]byte, 216)...), bad: true},
		{name: "IPv4, too short", header: header(1, 0x12, four[:11]...), bad: true},
		{name: "IPv6, too short", header: header(1, 0x22, six[:35]...), bad: true},
		{name: "port 0", header: header(1, 0x12, slices.Concat(four[:8], []byte{0, 0, 1, 1})...), bad: true},
		{name: "no address", header: header(1, 0x12, slices.Concat(make([]byte, 4), four[4:])...), bad: true},
		{name: "multicast", header: header(1, 0x12, slices.Concat([]byte{224, 0, 0, 1}, four[4:])...), bad: true},
		{name: "half an extension", header: header(1, 0x12, append(four, 4, 0)...), bad: true},
		{name: "an extension beyond the end", header: header(1, 0x12, append(four, 4, 0, 9, 1)...), bad: true},
		{name: "a wrong checksum", header: spoiled, bad: true},
		{name: "a short checksum", header: header(1, 0x12, append(four, 3, 0, 2, 0, 0)...), bad: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, payload, err := Cut(append(slices.Clip(c.header), "payload"...))
			if c.bad {
				if !errors.Is(err, ErrHeader) || client.IsValid() || payload != nil {
					t.Errorf("%v, %q, %v", client, payload, err)
				}
				return
			}
			if err != nil || string(payload) != "payload" {
				t.Fatalf("%q, %v", payload, err)
			}
			if got := client.String(); c.client != "" && got != c.client || c.client == "" && client.IsValid() {
				t.Errorf("client is %v, want %q", got, c.client)
			}
		})
	}
}

func TestHeaderLongerThanTheDatagram(t *testing.T) {
	b := header(1, 0x12, four...)
	for n := range len(b) {
		if _, _, err := Cut(b[:n]); err == nil {
			t.Errorf("%d bytes of %d are a header", n, len(b))
		}
	}
	if _, payload, err := Cut(b); err != nil || len(payload) != 0 {
		t.Errorf("nothing behind a header: %q, %v", payload, err)
	}
}

func FuzzCut(f *testing.F) {
	f.Add(header(1, 0x12, four...))
	f.Add(append(checked(header(1, 0x22, six...)), 0x51))
	f.Add(header(0, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		client, payload, err := Cut(b)
		if !bytes.Equal(b, before) {
			t.Fatal("the datagram was changed")
		}
		if err != nil {
			if client.IsValid() || payload != nil {
				t.Fatalf("%v and %q with an error", client, payload)
			}
			return
		}
		if len(payload) > len(b)-fixed || !bytes.HasSuffix(b, payload) {
			t.Fatalf("%q is no end of %q", payload, b)
		}
		if client.IsValid() && (client.Port() == 0 || client.Addr().Is4In6()) {
			t.Fatalf("client %v", client)
		}
	})
}
