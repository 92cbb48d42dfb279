package nat

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"qft/internal/udp"
)

func TestCandidatesRoundTrip(t *testing.T) {
	list := List{
		Candidates: cands(t, "host 192.168.1.2:4001, reflexive 203.0.113.1:65535, mapped [2001:db8::1]:1, learned 127.0.0.1:9, TCP 192.168.1.2:4001, predicted 203.0.113.1:8"),
		Profile:    Profile{Mapping: Sequential, Step: -2, Last: netip.MustParseAddrPort("203.0.113.1:65535")},
		Flags:      NoUDP,
	}
	b := AppendCandidates([]byte("x"), list)
	got, err := ParseCandidates(b[1:])
	if err != nil || !reflect.DeepEqual(got, list) {
		t.Errorf("%v, %v; want %v", got, err, list)
	}
	const want = "06" + "0104c0a801020fa1" + "0204cb007101ffff" + "040620010db80000000000000000000000010001" + "03047f0000010009" +
		"0504c0a801020fa1" + "0804cb0071010008" + "03" + "fffe" + "cb007101" + "ffff" + "01"
	if hex.EncodeToString(b[1:]) != want {
		t.Errorf("layout %x, want %s", b[1:], want)
	}
}

func TestAppendCandidatesLeavesOutWhatCannotBe(t *testing.T) {
	list := cands(t, "host 0.0.0.0:1, host 224.1.1.1:1, host 1.2.3.4:0, host 1.2.3.4:5, reflexive 1.2.3.4:5, host [::ffff:1.2.3.4]:5")
	list = append(list, Candidate{}, Candidate{Kind: 99, Addr: netip.MustParseAddrPort("1.1.1.1:1")})
	got, err := ParseCandidates(AppendCandidates(nil, List{Candidates: list}))
	if want := cands(t, "host 1.2.3.4:5"); err != nil || !slices.Equal(got.Candidates, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	var many []Candidate
	for i := range 200 {
		many = append(many, Candidate{Host, netip.AddrPortFrom(netip.MustParseAddr("2001:db8::1"), uint16(i+1))})
	}
	b := AppendCandidates(nil, List{Candidates: append(many, cands(t, "reflexive [2001:db8::2]:2")...)})
	got, err = ParseCandidates(b)
	if err != nil || len(got.Candidates) != maxCandidates || len(b) != 971 {
		t.Errorf("%d candidates in %d bytes, %v", len(got.Candidates), len(b), err)
	}
	if got.Candidates[0].Kind != Reflexive {
		t.Errorf("of too many, what the helper saw was left out: %v first", got.Candidates[0])
	}
}

func TestParseProfileOfNoSense(t *testing.T) {
	for in, want := range map[string]Profile{
		"00" + "0000" + "00000000" + "0000": {},
		"05" + "0001" + "cb007101" + "0001": {MappingUnknown, 1, netip.MustParseAddrPort("203.0.113.1:1")},
		"03" + "0001" + "00000000" + "0001": {Mapping: MappingUnknown, Step: 1},
		"04" + "0000" + "e0000001" + "0001": {},
		"01" + "0000" + "00000000" + "0000": {Mapping: Independent},
	} {
		b, err := hex.DecodeString("00" + in + "80")
		if err != nil {
			t.Fatal(err)
		}
		if l, err := ParseCandidates(b); err != nil || l.Profile != want || l.Flags != 0x80 {
			t.Errorf("%s: %+v, %v", in, l, err)
		}
	}
}

func TestParseCandidatesRefuses(t *testing.T) {
	const none = "00" + "0000" + "00000000" + "0000" + "00" // no profile, no flags
	for name, s := range map[string]string{
		"nothing":                "",
		"too many":               "31" + strings.Repeat("0104c0a801020fa1", 49) + none,
		"too few":                "02" + "0104c0a801020fa1",
		"bytes behind":           "01" + "0104c0a801020fa1" + none + "00",
		"profile cut short":      "01" + "0104c0a801020fa1" + none[2:],
		"no profile":             "01" + "0104c0a801020fa1",
		"cut in the address":     "01" + "0104c0a8",
		"cut in the header":      "01" + "01",
		"unknown kind":           "01" + "0904c0a801020fa1" + none,
		"kind 0":                 "01" + "0004c0a801020fa1" + none,
		"unknown family":         "01" + "0105c0a801020fa1" + none,
		"port 0":                 "01" + "0104c0a801020000" + none,
		"unspecified":            "01" + "0104000000000fa1" + none,
		"this network":           "01" + "0104000102030fa1" + none,
		"multicast":              "01" + "0104e00000010fa1" + none,
		"broadcast":              "01" + "0104ffffffff0fa1" + none,
		"reserved":               "01" + "0104f00000010fa1" + none,
		"IPv6 unspecified":       "01" + "0106" + strings.Repeat("00", 16) + "0fa1" + none,
		"IPv6 multicast":         "01" + "0106ff02" + strings.Repeat("00", 13) + "01" + "0fa1" + none,
		"mapped broadcast":       "01" + "0106" + strings.Repeat("00", 10) + "ffff" + "ffffffff" + "0fa1" + none,
		"mapped IPv4 multicast":  "01" + "0106" + strings.Repeat("00", 10) + "ffff" + "e0000001" + "0fa1" + none,
		"mapped without a port ": "01" + "0106" + strings.Repeat("00", 10) + "ffff" + "c0a80102" + "0000" + none,
	} {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseCandidates(b); err == nil {
			t.Errorf("%s: parsed as %v", name, got)
		}
	}
	b, _ := hex.DecodeString("01" + "0106" + strings.Repeat("00", 10) + "ffff" + "c0a80102" + "0fa1" + none)
	if got, err := ParseCandidates(b); err != nil || got.Candidates[0].Addr != netip.MustParseAddrPort("192.168.1.2:4001") {
		t.Errorf("a mapped address became %v, %v", got, err)
	}
}

func FuzzParseCandidates(f *testing.F) {
	f.Add([]byte{0})
	f.Add(AppendCandidates(nil, List{
		Candidates: []Candidate{
			{Host, netip.MustParseAddrPort("192.168.1.2:4001")}, {Mapped, netip.MustParseAddrPort("[2001:db8::1]:1")},
			{TCPHost, netip.MustParseAddrPort("192.168.1.2:4001")},
		},
		Profile: Profile{Sequential, -1, netip.MustParseAddrPort("203.0.113.1:7")},
		Flags:   NoUDP,
	}))
	f.Add([]byte{1, 1, 4, 255, 255, 255, 255, 0, 9})
	f.Add([]byte{33, 1, 4, 1, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := ParseCandidates(b)
		if err != nil {
			return
		}
		if len(list.Candidates) > maxCandidates || list.Profile.Mapping > Random {
			t.Fatalf("accepted %v", list)
		}
		for _, c := range list.Candidates {
			if !sendable(c.Addr) || c.Kind.trust() < 0 {
				t.Fatalf("accepted %v", c)
			}
		}
		again, err := ParseCandidates(AppendCandidates(nil, list))
		list.Candidates = clean(list.Candidates)
		if err != nil || !reflect.DeepEqual(again, list) {
			t.Fatalf("%v became %v, %v", list, again, err)
		}
	})
}

func TestBodyLayout(t *testing.T) {
	p := probe{
		kind: pong, flags: flagProven | flagNominated, generation: 0x01020304, sequence: 0x05060708090a0b0c,
		txid: 0x0d0e0f1011121314, observed: netip.MustParseAddrPort("203.0.113.1:4660"),
	}
	const want = "0203" + "01020304" + "05060708090a0b0c" + "0d0e0f1011121314" + "00000000000000000000ffffcb007101" + "1234"
	if got := hex.EncodeToString(p.appendBody(nil)); got != want {
		t.Errorf("body %s, want %s", got, want)
	}
	for _, p.full = range []bool{false, true} {
		b := p.appendBody(nil)
		if got, ok := parseBody(b); !ok || got != p {
			t.Errorf("%+v became %+v, %v", p, got, ok)
		}
		if n := len(b) + headerSize + boxOverhead; n != p.size() {
			t.Errorf("packet of %d bytes, want %d", n, p.size())
		}
	}
}

func FuzzParseProbe(f *testing.F) {
	for _, p := range []probe{
		{kind: ping, txid: 1, sequence: 1}, {kind: pong, full: true, flags: 3, observed: netip.MustParseAddrPort("[2001:db8::1]:1")},
	} {
		f.Add(p.appendBody(nil))
	}
	f.Add([]byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := parseBody(b)
		if !ok {
			return
		}
		if p.observed.IsValid() && !sendable(p.observed) {
			t.Fatalf("observed %v", p.observed)
		}
		if again, ok := parseBody(p.appendBody(nil)); !ok || again != p {
			t.Fatalf("%+v became %+v, %v", p, again, ok)
		}
	})
}

// A peer who has the key may say anything: 40 bytes of body, and from where,
// per probe.
func FuzzReceive(f *testing.F) {
	body := (&probe{kind: ping, sequence: 1, flags: 3}).appendBody(nil)
	f.Add(append(append([]byte{1}, body...), append([]byte{200}, body...)...), true)
	f.Add(bytes.Repeat(append([]byte{7}, (&probe{kind: pong, sequence: 9, generation: 5}).appendBody(nil)...), 4), false)
	f.Fuzz(func(t *testing.T, script []byte, controlling bool) {
		box := newBox(bytes.NewReader(make([]byte, 1<<20)))
		now := epoch
		a := NewAgent(now, Config{Box: box, Controlling: controlling})
		peer := sealer{box: box, controlling: !controlling}
		b := udp.NewBatch(1 << 16)
		a.AddRemote(now, listOf(Candidate{Host, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 1}), 1)}))
		for ; len(script) > bodySize && now.Before(epoch.Add(time.Hour)); script = script[1+bodySize:] {
			pr, ok := parseBody(script[1 : 1+bodySize])
			if !ok {
				continue
			}
			pr.full = script[0]&1 == 1
			from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, script[0]}), 1)
			a.Receive(now, udp.Packet{Path: udp.To(from), Data: slices.Clone(peer.seal(&pr))})
			for range 10 {
				b.Reset()
				a.Send(now, b)
				if d := a.Deadline(); d.IsZero() {
					break
				} else if d.After(now) {
					now = d
				}
			}
			checkBounds(t, a)
		}
	})
}

func checkBounds(t *testing.T, a *Agent) {
	if n := a.named(); n > maxCandidates || len(a.pairs)-n > maxCandidates || len(a.out.replies) > maxReplies {
		t.Fatalf("%d pairs, %d of them named, %d replies", len(a.pairs), n, len(a.out.replies))
	}
	// No ping of ours was answered with its transaction, so nothing is proven.
	if p, ok := a.Best(); ok {
		t.Fatalf("%v is the path", p)
	}
	if !reflect.DeepEqual(a.Report(a.now), a.Report(a.now)) {
		t.Fatal("two reports at one time differ")
	}
	_ = a.Report(a.now).String()
}
