package portmap

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"
)

// hex4 is an address as /proc/net/route has it.
func hex4(ip string) string {
	a := netip.MustParseAddr(ip).As4()
	return fmt.Sprintf("%08X", binary.NativeEndian.Uint32(a[:]))
}

func TestRoutesAreRead(t *testing.T) {
	table := "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n" +
		"wlan0\t00000000\t" + hex4("192.168.2.1") + "\t0003\t0\t0\t600\t00000000\t0\t0\t0\n" +
		"eth0\t00000000\t" + hex4("192.168.1.1") + "\t0003\t0\t0\t100\t00000000\t0\t0\t0\n" +
		"tun0\t00000000\t00000000\t0001\t0\t0\t50\t00000000\t0\t0\t0\n" + // no router
		"tun0\t00000000\t" + hex4("10.8.0.1") + "\t0003\t0\t0\t0\t" + hex4("128.0.0.0") + "\t0\t0\t0\n" + // half of the world
		"eth0\t" + hex4("192.168.1.0") + "\t00000000\t0001\t0\t0\t100\t" + hex4("255.255.255.0") + "\t0\t0\t0\n" +
		"nonsense\n\n"
	got := parseRoutes4(table)
	want := []route{{"eth0", netip.MustParseAddr("192.168.1.1"), 100}, {"wlan0", netip.MustParseAddr("192.168.2.1"), 600}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	zero := "00000000000000000000000000000000"
	table = zero + " 00 " + zero + " 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n" +
		"20010db8000000000000000000000000 40 " + zero + " 00 " + zero + " 00000100 00000001 00000000 00000001     eth0\n" +
		zero + " 00 " + zero + " 00 " + zero + " ffffffff 00000001 00000000 00200200       lo\n"
	got = parseRoutes6(table)
	want = []route{{"eth0", netip.MustParseAddr("fe80::1%eth0"), 0x400}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func FuzzRoutes(f *testing.F) {
	f.Add("eth0 00000000 0101A8C0 0003 0 0 100 00000000 0 0 0")
	f.Add("00000000000000000000000000000000 00 0 00 fe800000000000000000000000000001 00000400 1 0 00000003 eth0")
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range append(parseRoutes4(text), parseRoutes6(text)...) {
			if !r.router.IsValid() || r.router.IsUnspecified() {
				t.Errorf("router %v", r.router)
			}
		}
	})
}

func TestGatewaysOfRoutes(t *testing.T) {
	has := map[string][]netip.Prefix{
		"eth0": {
			netip.MustParsePrefix("10.0.0.5/8"), netip.MustParsePrefix("192.168.1.7/24"),
			netip.MustParsePrefix("fe80::7/64"), netip.MustParsePrefix("fd00::7/64"),
			netip.MustParsePrefix("2001:db8::7/64"), netip.MustParsePrefix("2001:db8::8/64"), netip.MustParsePrefix("2001:db8::9/64"),
		},
	}
	router4, router6 := netip.MustParseAddr("192.168.1.1"), netip.MustParseAddr("fe80::1%eth0")
	got := fromRoutes([]route{{"eth0", router4, 0}, {"eth0", router6, 0}, {"gone", router4, 0}}, func(d string) []netip.Prefix { return has[d] })
	want := []Gateway{
		{Router: router4, Local: home},
		{Router: router6, Local: netip.MustParseAddr("2001:db8::7")},
		{Router: router6, Local: netip.MustParseAddr("2001:db8::8")},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestRoutersAreGuessed(t *testing.T) {
	got := guessed(func() []netip.Prefix {
		return []netip.Prefix{
			netip.MustParsePrefix("192.168.1.7/24"), netip.MustParsePrefix("203.0.113.7/24"),
			netip.MustParsePrefix("2001:db8::7/64"), netip.MustParsePrefix("172.16.0.1/30"),
		}
	})
	want := []Gateway{
		{Router: netip.MustParseAddr("192.168.1.1"), Local: home},
		{Router: netip.MustParseAddr("192.168.1.254"), Local: home},
		{Router: netip.MustParseAddr("172.16.0.2"), Local: netip.MustParseAddr("172.16.0.1")},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestPublicAddresses(t *testing.T) {
	for text, want := range map[string]bool{
		"203.0.113.5": true, "8.8.8.8": true, "2001:db8::1": true, "2a00::1": true,
		"10.0.0.1": false, "172.31.0.1": false, "192.168.0.1": false, "100.64.0.1": false, "100.127.255.255": false,
		"127.0.0.1": false, "169.254.0.1": false, "192.0.0.2": false, "0.0.0.0": false, "224.0.0.1": false, "255.255.255.255": false,
		"fe80::1": false, "fd00::1": false, "::1": false, "::ffff:10.0.0.1": false, "::ffff:8.8.8.8": true,
	} {
		if got := public(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: public %v, want %v", text, got, want)
		}
	}
	if public(netip.Addr{}) {
		t.Error("no address is public")
	}
}
