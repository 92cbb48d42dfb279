package rendezvous

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

var rfc5769Tx = StunTx{0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae}

func TestStunResponsesOfRFC5769(t *testing.T) {
	for vector, want := range map[string]string{
		rfc5769IPv4: "192.0.2.1:32853",
		rfc5769IPv6: "[2001:db8:1234:5678:11:2233:4455:6677]:32853",
	} {
		b := unhex(t, vector)
		tx, addr, err := ParseStunResponse(b)
		if err != nil || tx != rfc5769Tx || addr != netip.MustParseAddrPort(want) {
			t.Errorf("%v, %v, %v", tx, addr, err)
		}
		// The address attribute that we write is theirs, to the bit.
		ours := AppendStunResponse(nil, StunRequest{Tx: tx}, addr)
		if !bytes.Contains(b, ours[stunHeader:]) {
			t.Errorf("we write %x", ours[stunHeader:])
		}
		for i := range b {
			b[i] ^= 4
			// Under another type it is no fingerprint at all.
			retyped := i/2 == (len(b)-8)/2
			if _, _, err := ParseStunResponse(b); err == nil && !retyped {
				t.Errorf("byte %d changed, and the fingerprint held", i)
			}
			b[i] ^= 4
		}
	}
}

func TestStunRequestOfRFC5769IsAnsweredByTheErrorThatItDeserves(t *testing.T) {
	q, err := ParseStunRequest(unhex(t, rfc5769Request))
	if err != nil || q.Tx != rfc5769Tx || !q.fingerprint {
		t.Fatalf("%+v, %v", q, err)
	}
	// PRIORITY is for ICE agents, and must be understood: error 420.
	want := "011100180000" + "0009000400000414" + "000a000200240000" + "8028"
	got := AppendStunResponse(nil, q, netip.MustParseAddrPort("192.0.2.1:1"))
	if h := hex.EncodeToString(got); h[:4] != want[:4] || !strings.Contains(h, want[12:]) || h[4:8] != want[4:8] {
		t.Errorf("%s", h)
	}
	if _, _, err := ParseStunResponse(got); err == nil {
		t.Error("an error passed for an address")
	}
}

func TestStunFingerprintComesWhenAskedFor(t *testing.T) {
	addr := netip.MustParseAddrPort("192.0.2.1:32853")
	with, err := ParseStunRequest(AppendStunRequest(nil, rfc5769Tx))
	if err != nil {
		t.Fatal(err)
	}
	without, err := ParseStunRequest(unhex(t, "00010000 2112a442 b7e7a701bc34d686fa87dfae"))
	if err != nil {
		t.Fatal(err)
	}
	for q, want := range map[*StunRequest]int{&with: 40, &without: 32} {
		b := AppendStunResponse([]byte("before"), *q, addr)[6:]
		if _, got, err := ParseStunResponse(b); len(b) != want || got != addr || err != nil {
			t.Errorf("%x: %v, %v", b, got, err)
		}
	}
}

func TestStunAnswersFitTheRoomKeptForThem(t *testing.T) {
	q := StunRequest{fingerprint: true, unknown: make([]uint16, maxUnknown)}
	addr := netip.MustParseAddrPort("[2001:db8::1]:1")
	if n := len(AppendStunResponse(nil, q, addr)); n > maxStunAnswer {
		t.Errorf("error of %d bytes", n)
	}
	q.unknown = nil
	if n := len(AppendStunResponse(nil, q, addr)); n > maxStunAnswer {
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
		if _, addr, err := ParseStunResponse(unhex(t, s)); err == nil || addr.IsValid() {
			t.Errorf("%s: %v, %v", name, addr, err)
		}
	}
}
