package portmap

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/huin/goupnp"
)

const (
	// maxDocument bounds what is read of any answer.
	maxDocument = 256 << 10

	// actionTime is how long one answer may take.
	actionTime = 3 * time.Second
)

var errElsewhere = errors.New("the router refers to another machine")

// newClient returns a client that talks to one router and to nobody else,
// whatever the router says, and reads no more than maxDocument of an answer.
func newClient(g Gateway) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: g.Local.AsSlice(), Zone: g.Local.Zone()}}
	return &http.Client{
		Timeout: actionTime,
		// A redirection would be a request to somebody else's address with our
		// body in it.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: bounded{&http.Transport{
			DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
				to, err := netip.ParseAddrPort(addr)
				if err != nil || to.Addr().WithZone("") != g.Router.WithZone("") {
					return nil, errElsewhere
				}
				return dialer.DialContext(ctx, "tcp", netip.AddrPortFrom(g.Router, to.Port()).String())
			},
			DisableKeepAlives:      true,
			DisableCompression:     true, // a small answer cannot become a large one
			MaxResponseHeaderBytes: 16 << 10,
		}},
	}
}

// bounded cuts off answers at maxDocument.
type bounded struct{ via http.RoundTripper }

func (t bounded) RoundTrip(q *http.Request) (*http.Response, error) {
	r, err := t.via.RoundTrip(q)
	if err != nil {
		return nil, err
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(r.Body, maxDocument), r.Body}
	return r, nil
}

// ownURL checks that an address that a router has told is the router's: plain
// HTTP, its IP literally, no user.
//
// An IPv6 router is asked from and at its link-local address, but names a
// global one of its own; the port and the path count then, and the address
// stays the one that was asked.
func ownURL(g Gateway, u *url.URL) (*url.URL, error) {
	host, err := netip.ParseAddr(u.Hostname())
	port, err2 := netip.ParseAddrPort(net.JoinHostPort("::", u.Port()))
	if u.Port() == "" {
		port, err2 = netip.AddrPortFrom(netip.IPv6Unspecified(), 80), nil
	}
	switch {
	case err != nil || err2 != nil || port.Port() == 0 || u.Scheme != "http" || u.User != nil:
		return nil, errElsewhere
	case g.Router.Is4() && host != g.Router:
		return nil, errElsewhere
	case g.Router.Is6() && !host.Is6():
		return nil, errElsewhere
	}
	own := *u
	own.Host = netip.AddrPortFrom(g.Router.WithZone(""), port.Port()).String()
	return &own, nil
}

// describe fetches the description of the device at location.
func describe(ctx context.Context, client *http.Client, location *url.URL) (*goupnp.RootDevice, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, location.String(), nil)
	if err != nil {
		return nil, err
	}
	r, err := client.Do(q)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("its description: HTTP status %d", r.StatusCode)
	}
	return parseDescription(r.Body, location)
}

func parseDescription(r io.Reader, location *url.URL) (*goupnp.RootDevice, error) {
	root := new(goupnp.RootDevice)
	d := xml.NewDecoder(r)
	d.DefaultSpace = goupnp.DeviceXMLNamespace
	if err := d.Decode(root); err != nil {
		return nil, fmt.Errorf("its description: %w", err)
	}
	base := location
	if root.URLBaseStr != "" {
		u, err := url.Parse(root.URLBaseStr)
		if err != nil {
			return nil, fmt.Errorf("its description: %w", err)
		}
		base = u
	}
	root.SetURLBase(base)
	return root, nil
}
