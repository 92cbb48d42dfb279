package secret

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/qft-1.json from what this code computes")

// vectors is testdata/qft-1.json: known answers for protocol version 1, from
// which another implementation can be checked. A change to any of them is a
// change of the protocol.
type vectors struct {
	Phrases   []phraseVector
	Handshake handshakeVector
	Packets   []packetVector
}

type phraseVector struct {
	Typed    hexBytes // as typed, UTF-8
	Normal   hexBytes
	Code     bool
	Room     uint32
	Password hexBytes // CPace's PRS
}

type handshakeVector struct {
	Phrase, SID                     string
	RandomA, RandomB                hexBytes // all the randomness each side takes, in order
	PayloadA, PayloadB              string
	M1, M2, M3                      hexBytes
	G, K, ISK, KEMSecret            hexBytes
	TH1, TH2, Master                hexBytes
	TrafficA, TrafficB, Export, Box hexBytes // Export("test", 32); Box: the key of label "test"
}

type packetVector struct {
	AES     bool
	Traffic hexBytes // secret of phase 0
	Phase   byte
	IV      hexBytes // of this phase
	Number  uint64
	Header  hexBytes
	Plain   hexBytes
	Sealed  hexBytes // header and all
}

func TestKnownAnswers(t *testing.T) {
	const file = "testdata/qft-1.json"
	got, err := json.MarshalIndent(computeVectors(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	g, w := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || !bytes.Equal(g[i], w[i]) {
			t.Fatalf("line %d differs: %s", i+1, g[min(i, len(g)-1)])
		}
	}
}

func computeVectors(t *testing.T) *vectors {
	v := &vectors{Handshake: computeHandshake(t)}
	for _, typed := range []string{"7-acid-robot-zebra", " 1234 ACD.robto_zebra ", "correct horse battery staple", "\xff\x00own"} {
		p := parse(t, typed)
		v.Phrases = append(v.Phrases, phraseVector{hexBytes(typed), hexBytes(p.text), p.code, p.room, p.password})
	}
	for _, aes := range []bool{true, false} {
		s := newSealer(v.Handshake.trafficA(), aes)
		for _, pn := range []uint64{0, 1, 1<<32 + 5, maxPacketNumber} {
			if pn > 1 {
				s.Update(pn)
			}
			header, plain := []byte{0x80, s.Phase(), 3}, []byte("a packet")
			sealed, err := s.Seal(append(slices.Clone(header), append(plain, make([]byte, Overhead)...)...)[:len(header)+len(plain)], len(header), pn)
			if err != nil {
				t.Fatal(err)
			}
			v.Packets = append(v.Packets, packetVector{aes, v.Handshake.TrafficA, s.Phase(), s.key.iv[:], pn, header, plain, sealed})
		}
	}
	return v
}

func (h *handshakeVector) trafficA() []byte { return slices.Clone([]byte(h.TrafficA)) }

func computeHandshake(t *testing.T) handshakeVector {
	h := handshakeVector{
		Phrase: "7-acid-robot-zebra", SID: "0123456789abcdefFEDCBA9876543210",
		RandomA: make([]byte, 32+64+24), RandomB: make([]byte, 32+32+24),
		PayloadA: "addresses of A", PayloadB: "addresses of B",
	}
	seeded(1).Read(h.RandomA)
	seeded(2).Read(h.RandomB)
	ra, rb := bytes.NewReader(h.RandomA), bytes.NewReader(h.RandomB)
	p, sid := phrase(t, h.Phrase), []byte(h.SID)

	i, m1, err := NewInitiator(ra, p, sid, true)
	if err != nil {
		t.Fatal(err)
	}
	r, m2, err := NewResponder(rb, p, sid, m1, []byte(h.PayloadB), true)
	if err != nil {
		t.Fatal(err)
	}
	h.M1, h.M2, h.Master = m1, m2, slices.Clone(r.a.master)
	h.TH1, h.TH2 = r.a.th1[:], r.a.th2[:]
	h.G = generator(p.password, roles(), sid)
	if h.K, err = mult(i.scalar, m2[yAt:kemAt]); err != nil {
		t.Fatal(err)
	}
	if h.KEMSecret, err = i.kem.Decapsulate(m2[kemAt:m2Head]); err != nil {
		t.Fatal(err)
	}
	h.ISK = intermediateKey(sid, h.K, share{m1[yAt:kemAt], associated(m1, m1Size)}, share{m2[yAt:kemAt], associated(m2, m2Head)})
	m3, s, _, err := i.Finish(m2, []byte(h.PayloadA))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Finish(m3); err != nil {
		t.Fatal(err)
	}
	h.M3, h.TrafficA = m3, slices.Clone(s.sealer.traffic)
	session := expandLabel(h.Master, "session", h.TH2, trafficSize)
	h.TrafficB = expandLabel(session, "traffic responder", nil, trafficSize)
	h.Export = s.Export("test", 32)
	h.Box = expandLabel(s.exporter, "box test", nil, boxKeySize)
	if ra.Len() != 0 || rb.Len() != 0 {
		t.Errorf("%d and %d random bytes were not used", ra.Len(), rb.Len())
	}
	return h
}
