package rendezvous

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"qft/internal/stun"
	"qft/internal/udp"
)

// script cuts fuzz input into packets: a byte that says who sends it, whether
// it is made to pass checksum and cookie, and how much time goes by; a length;
// the packet.
func script(in []byte, f func(op byte, data []byte)) {
	for len(in) >= 2 {
		op, n := in[0], min(int(in[1]), len(in)-2)
		f(op, in[2:2+n])
		in = in[2+n:]
	}
}

func FuzzServerReceive(f *testing.F) {
	var all []byte
	for _, m := range sampleRequests() {
		b := m.append(nil)
		b = b[:len(b)-sumSize]
		for op := range byte(8) {
			all = append(append(all, op|8, byte(len(b))), b...)
		}
		f.Add(append([]byte{8, byte(len(b))}, b...))
	}
	f.Add(all)
	f.Add(append([]byte{0, 28}, stun.AppendRequest(nil, stun.Tx{})...))
	f.Fuzz(func(t *testing.T, in []byte) {
		d := newDesk(t, ServerConfig{Members: 8, NoteMemory: 4096})
		script(in, func(op byte, data []byte) {
			from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, op & 3}), 1)
			if op&4 != 0 {
				from = netip.AddrPortFrom(netip.AddrFrom16([16]byte{0x20, 1, 15: op & 3}), 1)
			}
			data = bytes.Clone(data)
			if op&8 != 0 {
				if len(data) >= prefixSize && data[1] != byte(typeHello) {
					c := d.cookies.issue(d.now, from)
					copy(data[headerSize:], c[:])
				}
				data = finish(data, 0)
			}
			if op&16 != 0 {
				d.now = d.now.Add(time.Duration(op>>5) * 7 * time.Second)
			}
			before := len(d.members)
			out := d.raw(from, data)
			for _, p := range out {
				if p.Data[0] != magic {
					continue // STUN
				}
				if m, err := parseAnswer(p.Data); err != nil {
					t.Fatalf("the helper sent %x: %v", p.Data, err)
				} else if m.typ == typeCookie && len(p.Data) > len(data) {
					t.Fatalf("%d bytes were answered by %d", len(data), len(p.Data))
				}
			}
			if len(d.members) > 8 || d.stats.NoteBytes > 4096 || d.stats.NoteBytes < 0 || len(d.members) > before+1 {
				t.Fatalf("bounds: %+v", d.Stats())
			}
			if dl := d.Deadline(); len(d.members) > 0 && !dl.After(d.now) {
				t.Fatal("something is due and was not done")
			}
		})
		d.now = d.now.Add(2 * expiry)
		d.raw(netip.AddrPort{}, nil)
		if st := d.Stats(); st.Members != 0 || st.Rooms != 0 || st.NoteBytes != 0 || len(d.members) != 0 {
			t.Fatalf("something is left: %+v", st)
		}
	})
}

func FuzzClientReceive(f *testing.F) {
	var all []byte
	for _, m := range sampleAnswers() {
		b := m.append(nil)
		b = b[:len(b)-sumSize]
		all = append(append(all, 3, byte(len(b))), b...)
		f.Add(append([]byte{3, byte(len(b))}, b...))
	}
	f.Add(append(all, all...))
	servers := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("[2001:db8::1]:1")}
	f.Fuzz(func(t *testing.T, in []byte) {
		now := time.Unix(1_700_000_000, 0)
		c := NewClient(ClientConfig{Servers: servers, Room: NumberedRoom(8), Role: Sender, Rand: rand.NewChaCha8([32]byte{})})
		b := udp.NewBatch(1 << 16)
		script(in, func(op byte, data []byte) {
			from := servers[op>>7]
			data = bytes.Clone(data)
			if op&1 != 0 && len(data) >= headerSize {
				tok := c.contactAt(udp.To(from)).token
				if len(data) >= headerSize+16+addrSize { // the address is masked by the token
					maskAddr(data[headerSize+16:][:addrSize], token(data[3:]))
					maskAddr(data[headerSize+16:][:addrSize], tok)
				}
				copy(data[3:], tok[:])
			}
			if op&2 != 0 {
				data = finish(data, 0)
			}
			now = now.Add(time.Duration(op&0x7c) * 100 * time.Millisecond)
			c.Receive(now, udp.Packet{Path: udp.To(from), Data: data})
			for e, ok := c.Next(); ok; e, ok = c.Next() {
				if e.Kind == Arrived {
					_ = c.Post(e.Member, []byte("hello"))
				}
				if len(e.Note) > MaxMessage {
					t.Fatalf("message of %d bytes", len(e.Note))
				}
			}
			b.Reset()
			c.Send(now, b)
			for p := range b.All() {
				if q, err := parseRequest(p.Data); err != nil {
					t.Fatalf("the client sent %x (%+v): %v", p.Data, q, err)
				}
			}
			if dl := c.Deadline(); due(dl, now) {
				t.Fatalf("something is due since %v and was not done: %+v", now.Sub(dl), c.box)
			}
		})
		if len(c.peers) > maxPeers {
			t.Fatalf("%d peers", len(c.peers))
		}
	})
}

func FuzzReassembly(f *testing.F) {
	f.Add([]byte{1, 0x01, 3, 2, 0x02, 200, 3, 0x12, 5})
	f.Add([]byte{2, 0x12, 5, 1, 0x02, 200})
	full := make([]byte, noteData)
	f.Fuzz(func(t *testing.T, in []byte) {
		var r incoming
		for ; len(in) >= 3; in = in[3:] {
			seq, p, data := uint32(in[0]), part(in[1]), full[:in[2]]
			if !p.last() {
				data = full
			}
			if !validNote(seq, p, data) {
				continue
			}
			had := r.had
			for _, m := range r.accept(seq, p, data) {
				if len(m) > MaxMessage {
					t.Fatalf("message of %d bytes", len(m))
				}
			}
			if r.had < had || r.had > had+window || len(r.msg) >= MaxMessage {
				t.Fatalf("had %d, has %d, %d bytes wait", had, r.had, len(r.msg))
			}
		}
	})
}
