package portmap

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	searchPort = 1900
	group4     = "239.255.255.250"
	group6     = "ff02::c"

	// maxLocations bounds the descriptions that one search fetches.
	maxLocations = 4
)

// targets are asked for: a device of version 2 answers to 1 as well, but not
// every one does.
var targets = []string{
	"urn:schemas-upnp-org:device:InternetGatewayDevice:1",
	"urn:schemas-upnp-org:device:InternetGatewayDevice:2",
}

// question is a search (UPnP Device Architecture 1.1, section 1.3.2). MX 1 has
// devices answer within a second.
func question(host netip.AddrPort, target string) []byte {
	return []byte("M-SEARCH * HTTP/1.1\r\nHOST: " + host.String() + "\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: " + target + "\r\n\r\n")
}

// parseLocation returns where an answer to a search says that the description
// is, if it is an answer.
func parseLocation(b []byte) (*url.URL, bool) {
	r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), nil)
	if err != nil {
		return nil, false
	}
	r.Body.Close()
	if r.StatusCode != http.StatusOK || !strings.Contains(r.Header.Get("St"), "InternetGatewayDevice") {
		return nil, false
	}
	u, err := url.Parse(r.Header.Get("Location"))
	return u, err == nil && u.Host != ""
}

// discover asks the network for gateway devices and hands on the locations that
// the router g, and nobody else, tells of itself, each once. It returns when ctx
// ends or visit says that it is enough.
func discover(ctx context.Context, g Gateway, visit func(*url.URL) (enough bool)) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(searchFrom(g), 0)))
	if err != nil {
		return
	}
	defer conn.Close()
	locations := make(chan *url.URL)
	gone, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		hear(gone, conn, g, locations)
	}()
	defer func() {
		conn.Close()
		cancel()
		<-ended
	}()
	again := time.NewTimer(0)
	defer again.Stop()
	for tries := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
			ask(conn, g)
			again.Reset(pause(tries + 1))
			tries++
		case u := <-locations:
			if visit(u) {
				return
			}
		}
	}
}

// searchFrom is the address to search from. In IPv6 the group is of the link,
// and reached from there.
func searchFrom(g Gateway) netip.Addr {
	if g.Router.IsLinkLocalUnicast() && g.Router.Is6() {
		return netip.IPv6Unspecified()
	}
	return g.Local
}

func ask(conn *net.UDPConn, g Gateway) {
	port := g.Search
	if port == 0 {
		port = searchPort
	}
	group := netip.MustParseAddr(group4)
	if g.Router.Is6() {
		group = netip.MustParseAddr(group6).WithZone(g.Router.Zone())
	}
	for _, to := range []netip.AddrPort{netip.AddrPortFrom(group, searchPort), netip.AddrPortFrom(g.Router, port)} {
		named := netip.AddrPortFrom(to.Addr().WithZone(""), to.Port())
		for _, t := range targets {
			_, _ = conn.WriteToUDPAddrPort(question(named, t), to) // what is lost is asked again
		}
	}
}

// hear reads answers of the router until ctx ends.
func hear(ctx context.Context, conn *net.UDPConn, g Gateway, locations chan<- *url.URL) {
	var known []string
	b := make([]byte, 2048)
	for len(known) < maxLocations {
		n, from, err := conn.ReadFromUDPAddrPort(b)
		if ctx.Err() != nil {
			return
		}
		if err != nil || from.Addr().Unmap() != g.Router {
			continue
		}
		u, ok := parseLocation(b[:n])
		if !ok || slices.Contains(known, u.String()) {
			continue
		}
		known = append(known, u.String())
		select {
		case locations <- u:
		case <-ctx.Done():
			return
		}
	}
}
