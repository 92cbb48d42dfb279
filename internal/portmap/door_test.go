package portmap

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"
)

var (
	home    = netip.MustParseAddr("192.168.1.7")
	home6   = netip.MustParseAddr("2001:db8::7")
	outside = netip.MustParseAddr("203.0.113.5")
)

// doorTest speaks with a door as a router does.
type doorTest struct {
	t    *testing.T
	door *door
	now  time.Time
	sent [][]byte // since the last look
}

func newDoorTest(t *testing.T, local netip.Addr, tcp bool) *doorTest {
	k := &doorTest{t: t, now: time.Unix(1e9, 0)}
	k.door = newDoor(k.now, local, Config{Port: 4000, UDP: true, TCP: tcp}, new(counter))
	k.advance(0)
	return k
}

// counter is randomness that repeats.
type counter byte

func (c *counter) Read(b []byte) (int, error) {
	for i := range b {
		*c++
		b[i] = byte(*c)
	}
	return len(b), nil
}

// advance lets time pass, with Send called whenever it wants to be.
func (k *doorTest) advance(d time.Duration) {
	k.t.Helper()
	end := k.now.Add(d)
	for n := 0; ; n++ {
		k.door.Send(k.now, func(b []byte) { k.sent = append(k.sent, slices.Clone(b)) })
		at := k.door.Deadline()
		if at.IsZero() || at.After(end) {
			break
		}
		if n > 10000 || at.Before(k.now) {
			k.t.Fatalf("the door wants to send at %v, and it is %v", at, k.now)
		}
		k.now = at
	}
	k.now = end
}

// answer hands the door a packet, and lets it speak.
func (k *doorTest) answer(b []byte) {
	k.t.Helper()
	k.door.Receive(k.now, b)
	k.advance(0)
}

// take returns what was sent and matches.
func (k *doorTest) take(version, op byte) (all [][]byte) {
	for _, b := range k.sent {
		if b[0] == version && b[1] == op {
			all = append(all, b)
		}
	}
	k.sent = nil
	return all
}

func (k *doorTest) wantOpen(want ...Mapping) {
	k.t.Helper()
	if got := k.door.Open(); !slices.Equal(got, want) {
		k.t.Fatalf("open: %v, want %v", got, want)
	}
}

// grantPCP answers a MAP request.
func grantPCP(request []byte, out netip.AddrPort, result pcpResult, seconds uint32) []byte {
	b := slices.Clone(request)
	b[1], b[3] = opAnswer|opMap, byte(result)
	binary.BigEndian.PutUint32(b[4:], seconds)
	copy(b[8:24], make([]byte, 16))
	binary.BigEndian.PutUint16(b[42:], out.Port())
	ip := out.Addr().As16()
	copy(b[44:], ip[:])
	return b
}

func pmpAddress(ip netip.Addr) []byte {
	return append([]byte{0, 128, 0, 0, 0, 0, 0, 9}, ip.AsSlice()...)
}

func grantPMP(request []byte, port uint16, seconds uint32) []byte {
	b := []byte{0, request[1] | opAnswer, 0, 0, 0, 0, 0, 9}
	b = append(b, request[4:6]...)
	b = binary.BigEndian.AppendUint16(b, port)
	return binary.BigEndian.AppendUint32(b, seconds)
}

func TestPCPOpensRenewsAndCloses(t *testing.T) {
	for _, local := range []netip.Addr{home, home6} {
		k := newDoorTest(t, local, false)
		out := netip.AddrPortFrom(outside, 5000)
		if local.Is6() {
			out = netip.AddrPortFrom(local, 4000)
		}
		first := k.take(versionPCP, opMap)
		if len(first) != 1 || len(first[0]) != pcpMap {
			t.Fatalf("sent %x", first)
		}
		own := local.As16()
		if !bytes.Equal(first[0][8:24], own[:]) || first[0][36] != protocolUDP || binary.BigEndian.Uint16(first[0][40:]) != 4000 {
			t.Errorf("the request is %x", first[0])
		}
		k.answer(grantPCP(first[0], out, pcpSuccess, 1000))
		k.wantOpen(Mapping{Outside: out, By: ByPCP})

		t.Log("# nothing is sent before half of the lease")
		k.advance(499 * time.Second)
		if len(k.sent) != 0 {
			t.Fatalf("sent %x", k.sent)
		}
		t.Log("# the router has a new address by then")
		k.advance(time.Second)
		renewal := k.take(versionPCP, opMap)
		if len(renewal) != 1 || !bytes.Equal(renewal[0][24:36], first[0][24:36]) {
			t.Fatalf("renewal: %x", renewal)
		}
		if binary.BigEndian.Uint16(renewal[0][42:]) != out.Port() {
			t.Errorf("the renewal suggests another port: %x", renewal[0])
		}
		moved := netip.AddrPortFrom(out.Addr().Next(), out.Port())
		k.answer(grantPCP(renewal[0], moved, pcpSuccess, 1000))
		k.wantOpen(Mapping{Outside: moved, By: ByPCP})

		t.Log("# and is asked to close the port")
		k.door.Close(k.now)
		k.advance(0)
		last := k.take(versionPCP, opMap)
		if len(last) != 1 || binary.BigEndian.Uint32(last[0][4:]) != 0 {
			t.Fatalf("closing: %x", last)
		}
		if k.answer(grantPCP(last[0], moved, pcpSuccess, 0)); !k.door.Done() {
			t.Error("not done")
		}
	}
}

func TestNATPMPWhereThereIsNoPCP(t *testing.T) {
	for name, refuse := range map[string][]byte{
		"silent to PCP":              nil,
		"another version":            {0, 128, 0, 1, 0, 0, 0, 9},
		"another version, in PCP":    append([]byte{2, 129, 0, 1}, make([]byte, 20)...),
		"another version, as in PCP": append([]byte{1, 128, 0, 1}, make([]byte, 20)...),
	} {
		t.Run(name, func(t *testing.T) {
			k := newDoorTest(t, home, true)
			if refuse != nil {
				k.answer(refuse)
			}
			k.answer(pmpAddress(outside))
			if refuse == nil {
				k.advance(preferPCP)
			}
			udp := k.take(versionNATPMP, pmpOpUDP)
			if len(udp) != 1 {
				t.Fatalf("asked for %x", udp)
			}
			k.answer(grantPMP(udp[0], 4000, 7200))
			tcp := appendPMPMap(nil, true, 4000, 4000, 1)
			k.answer(grantPMP(tcp, 4001, 7200))
			k.wantOpen(Mapping{netip.AddrPortFrom(outside, 4000), false, ByPMP}, Mapping{netip.AddrPortFrom(outside, 4001), true, ByPMP})

			t.Log("# the address is asked for again with each renewal")
			k.advance(time.Hour)
			if n := len(k.sent); n == 0 {
				t.Fatal("no renewal")
			}
			k.answer(pmpAddress(outside.Next()))
			k.wantOpen(Mapping{netip.AddrPortFrom(outside.Next(), 4000), false, ByPMP}, Mapping{netip.AddrPortFrom(outside.Next(), 4001), true, ByPMP})

			t.Log("# closing takes a second if nobody answers")
			k.sent = nil
			k.door.Close(k.now)
			k.advance(closeTime)
			if last := k.take(versionNATPMP, pmpOpTCP); len(last) < 2 || !bytes.Equal(last[0][6:12], make([]byte, 6)) {
				t.Errorf("closing: %x", last)
			}
			if !k.door.Done() {
				t.Error("not done")
			}
		})
	}
}

func TestPCPIsPreferred(t *testing.T) {
	k := newDoorTest(t, home, false)
	first := k.take(versionPCP, opMap)
	k.answer(pmpAddress(outside))
	k.advance(preferPCP / 2)
	k.answer(grantPCP(first[0], netip.AddrPortFrom(outside, 4000), pcpSuccess, 1000))
	k.advance(time.Minute)
	if n := len(k.take(versionNATPMP, pmpOpUDP)); n != 0 {
		t.Errorf("%d ports asked for by NAT-PMP as well", n)
	}
	k.wantOpen(Mapping{Outside: netip.AddrPortFrom(outside, 4000), By: ByPCP})
}

func TestSilentRouterIsLeftAloneAndAskedAgain(t *testing.T) {
	k := newDoorTest(t, home, false)
	k.advance(searchTime)
	if k.door.Searching() {
		t.Fatal("the search goes on")
	}
	if n := len(k.take(versionPCP, opMap)); n != 4 {
		t.Errorf("asked %d times in %v", n, searchTime)
	}
	k.advance(searchAgain - time.Second)
	if len(k.sent) != 0 {
		t.Fatalf("sent %x", k.sent)
	}
	k.advance(time.Second)
	again := k.take(versionPCP, opMap)
	if len(again) != 1 {
		t.Fatal("not asked again")
	}
	k.answer(grantPCP(again[0], netip.AddrPortFrom(outside, 1), pcpSuccess, 1000))
	k.wantOpen(Mapping{Outside: netip.AddrPortFrom(outside, 1), By: ByPCP})
	k.door.Close(k.now)
}

// TestLeaseThatIsNotRenewed: the port counts as open until the end of the
// lease, and no longer.
func TestLeaseThatIsNotRenewed(t *testing.T) {
	k := newDoorTest(t, home, false)
	first := k.take(versionPCP, opMap)
	k.answer(grantPCP(first[0], netip.AddrPortFrom(outside, 1), pcpSuccess, 1000))
	k.advance(999 * time.Second)
	k.wantOpen(Mapping{Outside: netip.AddrPortFrom(outside, 1), By: ByPCP})
	if n := len(k.take(versionPCP, opMap)); n < 8 || n > 20 {
		t.Errorf("the renewal was asked for %d times", n)
	}
	k.advance(time.Second)
	k.wantOpen()
}

func TestRefusalIsTold(t *testing.T) {
	k := newDoorTest(t, home, false)
	first := k.take(versionPCP, opMap)
	k.answer(grantPCP(first[0], netip.AddrPort{}, 2, 1000))
	k.wantOpen()
	if k.door.Searching() {
		t.Error("the search goes on")
	}
	if a := k.door.Answers()[0]; a.Said != "it does not allow it" || !a.Speaks {
		t.Errorf("answer %+v", a)
	}
}

// TestAnswersThatAreNotBelieved: whatever does not fit the question changes
// nothing.
func TestAnswersThatAreNotBelieved(t *testing.T) {
	change := func(at int, to byte) func([]byte) {
		return func(b []byte) { b[at] = to }
	}
	for name, forge := range map[string]func([]byte){
		"another nonce":    change(24, 0xee),
		"another protocol": change(36, 99),
		"another port":     change(41, 1),
		"a request":        change(1, opMap),
		"no lease":         func(b []byte) { clear(b[4:8]) },
		"port 0":           func(b []byte) { clear(b[42:44]) },
		"loopback":         func(b []byte) { copy(b[56:], []byte{127, 0, 0, 1}) },
		"multicast":        change(56, 224),
		"nowhere":          func(b []byte) { clear(b[56:]) },
		"other family":     change(44, 0x20),
	} {
		t.Run(name, func(t *testing.T) {
			k := newDoorTest(t, home, false)
			first := k.take(versionPCP, opMap)
			b := grantPCP(first[0], netip.AddrPortFrom(outside, 4000), pcpSuccess, 1000)
			forge(b)
			k.answer(b)
			k.wantOpen()
		})
	}
	k := newDoorTest(t, home, false)
	k.answer(pmpAddress(netip.MustParseAddr("127.0.0.1")))
	k.advance(preferPCP)
	k.answer(grantPMP(k.take(versionNATPMP, pmpOpUDP)[0], 4000, 1000))
	k.wantOpen()
}

func TestLeasesAreBounded(t *testing.T) {
	for seconds, want := range map[uint32]time.Duration{1: minLease, 600: 10 * time.Minute, 1<<32 - 1: maxLease} {
		if got := lease(seconds); got != want {
			t.Errorf("a lease of %d s counts as %v, want %v", seconds, got, want)
		}
	}
}

// FuzzDoor: whatever a router says, at whatever time, the door believes in
// addresses that can be, sends no more than a client that renews, and ends.
func FuzzDoor(f *testing.F) {
	k := newDoorTest(&testing.T{}, home, true)
	request := k.take(versionPCP, opMap)[0]
	f.Add(grantPCP(request, netip.AddrPortFrom(outside, 4000), pcpSuccess, 1), uint16(100), true)
	f.Add(append(pmpAddress(outside), grantPMP([]byte{0, 1, 0, 0, 15, 160}, 9, 1)...), uint16(0), true)
	f.Add([]byte{0, 128, 0, 1, 0, 0, 0, 0}, uint16(9999), false)
	f.Fuzz(func(t *testing.T, said []byte, after uint16, v4 bool) {
		local := home6
		if v4 {
			local = home
		}
		k := newDoorTest(t, local, true)
		for _, size := range []int{12, 16, 60, len(said)} {
			if size <= len(said) {
				k.answer(said[:size])
				k.advance(time.Duration(after) * time.Millisecond)
				k.answer(said[len(said)-size:])
			}
			for _, m := range k.door.Open() {
				if !usable(m.Outside) {
					t.Fatalf("open at %v", m.Outside)
				}
			}
		}
		k.sent = nil
		if k.advance(time.Hour); len(k.sent) > 2*3*(60+40) {
			t.Fatalf("%d packets in an hour", len(k.sent))
		}
		k.door.Close(k.now)
		if k.advance(closeTime); !k.door.Done() {
			t.Fatal("not done")
		}
	})
}

// TestWhoGoesBeforeTheAnswerClosesAsWell: the router has opened the port, or is
// about to.
func TestWhoGoesBeforeTheAnswerClosesAsWell(t *testing.T) {
	k := newDoorTest(t, home, false)
	first := k.take(versionPCP, opMap)
	k.sent = nil
	k.door.Close(k.now)
	k.advance(0)
	last := k.take(versionPCP, opMap)
	if len(last) != 1 || binary.BigEndian.Uint32(last[0][4:]) != 0 || !bytes.Equal(last[0][24:36], first[0][24:36]) {
		t.Errorf("closing: %x", last)
	}
	k.advance(partingTime)
	if !k.door.Done() {
		t.Error("not done")
	}
}
