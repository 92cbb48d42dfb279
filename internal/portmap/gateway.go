package portmap

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Gateway is a router that leads out of this network, and the own address whose
// ports it is asked to open.
type Gateway struct {
	Router netip.Addr // with a zone if it is link-local
	Local  netip.Addr

	// Port and Search say where the router is asked, by PCP and NAT-PMP, and
	// by UPnP's search in addition to multicast. If zero, 5351 and 1900.
	Port, Search uint16
}

// maxGateways bounds the routers of one family that are asked, and
// maxAddresses the IPv6 addresses of an interface.
const (
	maxGateways  = 2
	maxAddresses = 2
)

// route is a default route as the system's table has it.
type route struct {
	device string
	router netip.Addr
	metric uint64
}

const (
	routeUp      = 1 // RTF_UP
	routeGateway = 2 // RTF_GATEWAY
)

// parseRoutes4 reads /proc/net/route (Linux, fib_route_seq_show).
func parseRoutes4(text string) []route {
	var all []route
	for line := range rows(text) {
		f := strings.Fields(line)
		if len(f) < 8 || f[1] != "00000000" || f[7] != "00000000" {
			continue
		}
		flags, err := strconv.ParseUint(f[3], 16, 32)
		raw, err2 := strconv.ParseUint(f[2], 16, 32)
		metric, err3 := strconv.ParseUint(f[6], 10, 32)
		if err != nil || err2 != nil || err3 != nil || flags&(routeUp|routeGateway) != routeUp|routeGateway {
			continue
		}
		// The kernel prints the address's bytes as one number of this machine.
		var ip [4]byte
		binary.NativeEndian.PutUint32(ip[:], uint32(raw))
		all = append(all, route{f[0], netip.AddrFrom4(ip), metric})
	}
	return firstRoutes(all)
}

// parseRoutes6 reads /proc/net/ipv6_route (Linux, rt6_info_route).
func parseRoutes6(text string) []route {
	var all []route
	for line := range rows(text) {
		f := strings.Fields(line)
		if len(f) < 10 || strings.Trim(f[0], "0") != "" || f[1] != "00" {
			continue
		}
		flags, err := strconv.ParseUint(f[8], 16, 32)
		raw, err2 := hex.DecodeString(f[4])
		metric, err3 := strconv.ParseUint(f[5], 16, 64)
		if err != nil || err2 != nil || err3 != nil || len(raw) != 16 || flags&(routeUp|routeGateway) != routeUp|routeGateway {
			continue
		}
		router := netip.AddrFrom16([16]byte(raw))
		if router.IsLinkLocalUnicast() {
			router = router.WithZone(f[9])
		}
		all = append(all, route{f[9], router, metric})
	}
	return firstRoutes(all)
}

func rows(text string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for s := bufio.NewScanner(strings.NewReader(text)); s.Scan(); {
			if !yield(s.Text()) {
				return
			}
		}
	}
}

// firstRoutes are those that packets would take, each router once.
func firstRoutes(all []route) []route {
	slices.SortStableFunc(all, func(a, b route) int { return int(min(a.metric, 1<<31)) - int(min(b.metric, 1<<31)) })
	var first []route
	for _, r := range all {
		if !slices.ContainsFunc(first, func(o route) bool { return o.router == r.router }) && !r.router.IsUnspecified() {
			first = append(first, r)
		}
	}
	return first[:min(len(first), maxGateways)]
}

// fromRoutes adds to each route the addresses that are to be opened.
func fromRoutes(routes []route, addresses func(device string) []netip.Prefix) []Gateway {
	var all []Gateway
	for _, r := range routes {
		if r.router.Is4() {
			if local, ok := near(addresses(r.device), r.router); ok {
				all = append(all, Gateway{Router: r.router, Local: local})
			}
			continue
		}
		n := 0
		for _, p := range addresses(r.device) {
			if ip := p.Addr(); ip.Is6() && global6.Contains(ip) && n < maxAddresses {
				n++
				all = append(all, Gateway{Router: r.router, Local: ip})
			}
		}
	}
	return all
}

// global6 are the addresses that can be reached from other networks; those of
// fc00::/7 cannot.
var global6 = netip.MustParsePrefix("2000::/3")

// near is the IPv4 address in the router's network, or the first.
func near(all []netip.Prefix, router netip.Addr) (local netip.Addr, ok bool) {
	for _, p := range all {
		switch {
		case !p.Addr().Is4():
		case p.Contains(router):
			return p.Addr(), true
		case !ok:
			local, ok = p.Addr(), true
		}
	}
	return local, ok
}

// guessed are the routers of homes as a rule: the first or the last address of
// the network. Asking a machine that is none costs it a packet.
func guessed(interfaces func() []netip.Prefix) []Gateway {
	var all []Gateway
	for _, p := range interfaces() {
		ip := p.Addr()
		if !ip.Is4() || !ip.IsPrivate() || p.Bits() < 16 || p.Bits() > 30 || len(all) >= 2*maxGateways {
			continue
		}
		first := p.Masked().Addr().Next()
		low := binary.BigEndian.Uint32(p.Masked().Addr().AsSlice())
		var last [4]byte
		binary.BigEndian.PutUint32(last[:], low|(1<<(32-p.Bits())-1)-1)
		for _, router := range []netip.Addr{first, netip.AddrFrom4(last)} {
			if router != ip {
				all = append(all, Gateway{Router: router, Local: ip})
			}
		}
	}
	return all
}

// addresses are those of an interface.
func addresses(device string) []netip.Prefix {
	i, err := net.InterfaceByName(device)
	if err != nil {
		return nil
	}
	return prefixes(*i)
}

// allAddresses are those of all interfaces that are up.
func allAddresses() []netip.Prefix {
	list, err := net.Interfaces()
	if err != nil {
		return nil
	}
	var all []netip.Prefix
	for _, i := range list {
		if i.Flags&net.FlagUp != 0 && i.Flags&(net.FlagLoopback|net.FlagPointToPoint) == 0 {
			all = append(all, prefixes(i)...)
		}
	}
	return all
}

func prefixes(i net.Interface) []netip.Prefix {
	list, err := i.Addrs()
	if err != nil {
		return nil
	}
	var all []netip.Prefix
	for _, a := range list {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		ip, ok := netip.AddrFromSlice(n.IP)
		bits, _ := n.Mask.Size()
		if ok {
			all = append(all, netip.PrefixFrom(ip.Unmap(), bits))
		}
	}
	return all
}
