package stun

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
)

// The test vectors of RFC 5769, sections 2.1 to 2.3. Their MESSAGE-INTEGRITY
// is passed over: binding needs no credentials.
const (
	rfc5769Request = `
		00 01 00 58 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
		80 22 00 10 53 54 55 4e 20 74 65 73 74 20 63 6c 69 65 6e 74
		00 24 00 04 6e 00 01 ff
		80 29 00 08 93 2f f9 b1 51 26 3b 36
		00 06 00 09 65 76 74 6a 3a 68 36 76 59 20 20 20
		00 08 00 14 9a ea a7 0c bf d8 cb 56 78 1e f2 b5 b2 d3 f2 49 c1 b5 71 a2
		80 28 00 04 e5 7a 3b cf`
	rfc5769IPv4 = `
		01 01 00 3c 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
		80 22 00 0b 74 65 73 74 20 76 65 63 74 6f 72 20
		00 20 00 08 00 01 a1 47 e1 12 a6 43
		00 08 00 14 2b 91 f5 99 fd 9e 90 c3 8c 74 89 f9 2a f9 ba 53 f0 6b e7 d7
		80 28 00 04 c0 7d 4c 96`
	rfc5769IPv6 = `
		01 01 00 48 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
		80 22 00 0b 74 65 73 74 20 76 65 63 74 6f 72 20
		00 20 00 14 00 02 a1 47 01 13 a9 fa a5 d3 f1 79 bc 25 f4 b5 be d2 b9 d9
		00 08 00 14 a3 82 95 4e 4b e6 7b f1 17 84 c9 7c 82 92 c2 75 bf e3 ed 41
		80 28 00 04 c8 fb 0b 4c`
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var rfc5769Tx = Tx{0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae}

func TestResponsesOfRFC5769(t *testing.T) {
	for vector, want := range map[string]string{
		rfc5769IPv4: "192.0.2.1:32853",
		rfc5769IPv6: "[2001:db8:1234:5678:11:2233:4455:6677]:32853",
	} {
		b := unhex(t, vector)
		tx, addr, ok := ParseResponse(b)
		if !ok || tx != rfc5769Tx || addr != netip.MustParseAddrPort(want) {
			t.Errorf("%v, %v, %v", tx, addr, ok)
		}
		// The address attribute that we write is theirs, to the bit.
		ours := AppendResponse(nil, Request{Tx: tx, cookie: magicCookie}, addr)
		if !bytes.Contains(b, ours[headerSize:]) {
			t.Errorf("we write %x", ours[headerSize:])
		}
		for i := range b {
			b[i] ^= 4
			// Under another type it is no fingerprint at all.
			retyped := i/2 == (len(b)-8)/2
			if _, _, ok := ParseResponse(b); ok && !retyped {
				t.Errorf("byte %d changed, and the fingerprint held", i)
			}
			b[i] ^= 4
		}
	}
}

func TestRequestOfRFC5769IsAnsweredByTheErrorThatItDeserves(t *testing.T) {
	q, err := ParseRequest(unhex(t, rfc5769Request))
	if err != nil || q.Tx != rfc5769Tx || !q.fingerprint {
		t.Fatalf("%+v, %v", q, err)
	}
	// PRIORITY is for ICE agents, and must be understood: error 420.
	want := "011100180000" + "0009000400000414" + "000a000200240000" + "8028"
	got := AppendResponse(nil, q, netip.MustParseAddrPort("192.0.2.1:1"))
	if h := hex.EncodeToString(got); h[:4] != want[:4] || !strings.Contains(h, want[12:]) || h[4:8] != want[4:8] {
		t.Errorf("%s", h)
	}
	if tx, addr, ok := ParseResponse(got); !ok || tx != rfc5769Tx || addr.IsValid() {
		t.Errorf("an error passed for %v", addr)
	}
}

func TestFingerprintComesWhenAskedFor(t *testing.T) {
	addr := netip.MustParseAddrPort("192.0.2.1:32853")
	with, err := ParseRequest(AppendRequest(nil, rfc5769Tx))
	if err != nil {
		t.Fatal(err)
	}
	without, err := ParseRequest(unhex(t, "00010000 2112a442 b7e7a701bc34d686fa87dfae"))
	if err != nil {
		t.Fatal(err)
	}
	for q, want := range map[*Request]int{&with: 40, &without: 32} {
		b := AppendResponse([]byte("before"), *q, addr)[6:]
		if _, got, ok := ParseResponse(b); len(b) != want || got != addr || !ok {
			t.Errorf("%x: %v, %v", b, got, ok)
		}
	}
}

func TestAnswersFitTheRoomKeptForThem(t *testing.T) {
	q := Request{cookie: magicCookie, fingerprint: true, unknown: make([]uint16, maxUnknown)}
	addr := netip.MustParseAddrPort("[2001:db8::1]:1")
	if n := len(AppendResponse(nil, q, addr)); n > MaxResponse {
		t.Errorf("error of %d bytes", n)
	}
	q.unknown = nil
	if n := len(AppendResponse(nil, q, addr)); n > MaxResponse {
		t.Errorf("response of %d bytes", n)
	}
}

func TestMalformedStunIsRefused(t *testing.T) {
	for name, s := range map[string]string{
		"empty":                      "",
		"no magic cookie (RFC 3489)": "01010000 00000000 b7e7a701bc34d686fa87dfae",
		"length beyond the packet":   "01010004 2112a442 b7e7a701bc34d686fa87dfae",
		"length not in words":        "01010002 2112a442 b7e7a701bc34d686fa87dfae 0000",
		"attribute beyond the end":   "01010004 2112a442 b7e7a701bc34d686fa87dfae 00200008",
		"no address":                 "01010000 2112a442 b7e7a701bc34d686fa87dfae",
		"family 3":                   "0101000c 2112a442 b7e7a701bc34d686fa87dfae 00200008 0003a147e112a643",
		"IPv6 in four bytes":         "0101000c 2112a442 b7e7a701bc34d686fa87dfae 00200008 0002a147e112a643",
		"address of three bytes":     "0101000c 2112a442 b7e7a701bc34d686fa87dfae 00200007 0001a147e112a600",
		"unknown and required":       "01010010 2112a442 b7e7a701bc34d686fa87dfae 00200008 0001a147e112a643 7fff0000",
		"behind the fingerprint":     "01010010 2112a442 b7e7a701bc34d686fa87dfae 80280004 00000000 80220004 00000000",
	} {
		if _, addr, ok := ParseResponse(unhex(t, s)); ok || addr.IsValid() {
			t.Errorf("%s: %v", name, addr)
		}
	}
}

// What Debian's stun-client sends: no magic cookie, and CHANGE-REQUEST in any
// case. It reads MAPPED-ADDRESS only.
func TestClientsOfRFC3489AreAnsweredInTheirWay(t *testing.T) {
	addr := netip.MustParseAddrPort("192.0.2.1:32853")
	for flags, want := range map[string]string{
		"00": "0101000c01be9561a373b267ed53d62a37f0605f" + "000100080001" + "8055" + "c0000201",
		"02": "0101000c01be9561a373b267ed53d62a37f0605f" + "000100080001" + "8055" + "c0000201",
		"04": "0111001001be9561a373b267ed53d62a37f0605f" + "0009000400000414" + "000a000200030000",
	} {
		q, err := ParseRequest(unhex(t, "0001000801be9561a373b267ed53d62a37f0605f00030004000000"+flags))
		if err != nil || q.ChangePort != (flags == "02") {
			t.Errorf("%s: %+v, %v", flags, q, err)
		}
		if got := hex.EncodeToString(AppendResponse(nil, q, addr)); got != want {
			t.Errorf("%s: %s", flags, got)
		}
	}
	old := unhex(t, "0101000c2112a442b7e7a701bc34d686fa87dfae"+"000100080001"+"8055"+"c0000201")
	if tx, got, ok := ParseResponse(old); !ok || tx != rfc5769Tx || got != addr {
		t.Errorf("a server of RFC 3489 says %v, %v", got, ok)
	}
}

func TestProbesHaveTheirSizeAndAskForAnotherPort(t *testing.T) {
	for size, want := range map[int]int{0: MinProbe, 53: 56, 1200: 1200, 1453: 1456} {
		for _, other := range []bool{false, true} {
			b := AppendProbe([]byte("before"), rfc5769Tx, size, other)[6:]
			q, err := ParseRequest(b)
			if err != nil || len(b) != want || q.Tx != rfc5769Tx || q.ChangePort != other {
				t.Errorf("%d: %d bytes, %+v, %v", size, len(b), q, err)
			}
			for _, q := range []Request{q, q.Refuse()} {
				if n := len(AppendResponse(nil, q, netip.MustParseAddrPort("[2001:db8::1]:1"))); n > len(b) {
					t.Errorf("%d bytes were answered by %d", len(b), n)
				}
			}
		}
	}
	q, _ := ParseRequest(AppendProbe(nil, rfc5769Tx, 0, true))
	if _, addr, ok := ParseResponse(AppendResponse(nil, q.Refuse(), netip.MustParseAddrPort("192.0.2.1:1"))); !ok || addr.IsValid() {
		t.Errorf("refused: %v, %v", addr, ok)
	}
}

func FuzzStun(f *testing.F) {
	for _, s := range []string{rfc5769Request, rfc5769IPv4, rfc5769IPv6} {
		f.Add(unhex(f, s))
	}
	f.Add(AppendRequest(nil, rfc5769Tx))
	f.Add(AppendProbe(nil, rfc5769Tx, 100, true))
	f.Fuzz(func(t *testing.T, in []byte) {
		if tx, addr, ok := ParseResponse(in); ok && addr.IsValid() {
			b := AppendResponse(nil, Request{Tx: tx, cookie: magicCookie}, addr)
			if tx2, addr2, ok := ParseResponse(b); !ok || tx2 != tx || addr2.Addr() != addr.Addr().Unmap() || addr2.Port() != addr.Port() {
				t.Fatalf("%v became %v", addr, addr2)
			}
		}
		if q, err := ParseRequest(in); err == nil {
			out := AppendResponse(nil, q, netip.MustParseAddrPort("192.0.2.1:1"))
			if len(out) > MaxResponse {
				t.Fatalf("%d bytes", len(out))
			}
			if _, cookie, tx, err := parseHeader(out); err != nil || tx != q.Tx || cookie != q.cookie {
				t.Fatal(err)
			}
		}
	})
}
