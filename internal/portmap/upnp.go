package portmap

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/huin/goupnp"
	igd "github.com/huin/goupnp/dcps/internetgateway2"
	"github.com/huin/goupnp/soap"
)

const (
	// label names our mappings in the router's list.
	label = "qft"

	// maxPorts bounds the outside ports that are tried in turn where the first
	// are taken.
	maxPorts = 4

	codeConflict      = 718 // ConflictInMappingEntry: somebody else has the port
	codePermanentOnly = 725 // OnlyPermanentLeasesSupported
)

// wanConnection is a service that maps ports: WANIPConnection 1 and 2 and
// WANPPPConnection 1 have these in common.
type wanConnection interface {
	GetExternalIPAddressCtx(context.Context) (string, error)
	AddPortMappingCtx(ctx context.Context, host string, outside uint16, protocol string, inside uint16, client string, enabled bool, label string, lease uint32) error
	DeletePortMappingCtx(ctx context.Context, host string, outside uint16, protocol string) error
}

// device is a gateway device's services that are of use.
type device struct {
	gateway  Gateway
	wan      wanConnection                // nil: none
	firewall *igd.WANIPv6FirewallControl1 // nil: none
}

// keepUPnP keeps ports open at a router by UPnP until ctx ends.
func (m *Mapper) keepUPnP(ctx context.Context, v visit) {
	defer m.forget(v, ByUPnP)
	settle := sync.OnceFunc(m.settled)
	defer settle()
	for {
		search, cancel := context.WithTimeout(ctx, searchTime)
		dev, a := find(search, v.Gateway)
		cancel()
		for dev != nil {
			dev = m.serve(ctx, v, dev, a, settle)
		}
		if ctx.Err() != nil {
			return
		}
		m.set(v, a)
		settle()
		if !sleep(ctx, searchAgain) {
			return
		}
	}
}

// find searches for a device of use.
func find(ctx context.Context, g Gateway) (dev *device, a Answer) {
	a.By = ByUPnP
	discover(ctx, g, func(u *url.URL) bool {
		a.Speaks = true
		var err error
		if dev, err = openDevice(ctx, g, u); err != nil {
			a.Said = reason(err)
		}
		return dev != nil
	})
	return dev, a
}

// pick picks the service that opens ports for a gateway's family.
func pick(g Gateway, root *goupnp.RootDevice, client *http.Client) (*device, error) {
	d := &device{gateway: g}
	var err error
	use := func(kind string) (goupnp.ServiceClient, bool) {
		for _, s := range root.Device.FindService(kind) {
			u, bad := ownURL(g, &s.ControlURL.URL)
			if !s.ControlURL.Ok || bad != nil {
				err = errElsewhere
				continue
			}
			return goupnp.ServiceClient{
				SOAPClient: &soap.SOAPClient{EndpointURL: *u, HTTPClient: *client}, RootDevice: root, Service: s,
			}, true
		}
		return goupnp.ServiceClient{}, false
	}
	if g.Local.Is6() {
		if c, ok := use(igd.URN_WANIPv6FirewallControl_1); ok {
			d.firewall = &igd.WANIPv6FirewallControl1{ServiceClient: c}
			return d, nil
		}
	} else if c, ok := use(igd.URN_WANIPConnection_2); ok {
		d.wan = &igd.WANIPConnection2{ServiceClient: c}
		return d, nil
	} else if c, ok := use(igd.URN_WANIPConnection_1); ok {
		d.wan = &igd.WANIPConnection1{ServiceClient: c}
		return d, nil
	} else if c, ok := use(igd.URN_WANPPPConnection_1); ok {
		d.wan = &igd.WANPPPConnection1{ServiceClient: c}
		return d, nil
	}
	if err == nil {
		err = errors.New("it has no service that opens ports")
	}
	return nil, err
}

// openDevice reads the description at location.
func openDevice(ctx context.Context, g Gateway, location *url.URL) (*device, error) {
	at, err := ownURL(g, location)
	if err != nil {
		return nil, err
	}
	client := newClient(g)
	root, err := describe(ctx, client, at)
	if err != nil {
		return nil, err
	}
	return pick(g, root, client)
}

// pin is one port, of UDP or TCP, as a device has opened it.
type pin struct {
	tcp     bool
	outside netip.AddrPort
	id      uint16        // of a pinhole
	lease   time.Duration // 0: without an end
	ours    bool          // it is open for us, or may be: the device has not said no
}

// serve opens the ports at a device and keeps them so. It returns the device
// when that has to be done again, nil when it has to be searched for or ctx has
// ended.
func (m *Mapper) serve(ctx context.Context, v visit, dev *device, a Answer, settle func()) *device {
	if dev.firewall == nil && !m.cfg.All && m.opened(v) {
		m.set(v, a)
		settle()
		return m.pauseAt(ctx, dev)
	}
	var pins []*pin
	defer func() { dev.close(pins) }()
	for _, tcp := range m.cfg.protocols() {
		p := &pin{tcp: tcp}
		err := dev.pin(ctx, m.cfg.Port, p)
		if err != nil {
			a.Said = reason(err)
		}
		if err == nil || ctx.Err() != nil {
			pins = append(pins, p)
		} else {
			dev.close([]*pin{p}) // where no answer came, the port may be open
		}
	}
	m.set(v, a.with(pins))
	settle()
	if len(pins) == 0 {
		return m.pauseAt(ctx, dev)
	}
	for sleep(ctx, renewal(pins)) {
		for _, p := range pins {
			if err := dev.renew(ctx, m.cfg.Port, p); err != nil {
				m.set(v, a)
				return nil
			}
		}
		m.set(v, a.with(pins))
	}
	return nil
}

// with is the answer with what is open.
func (a Answer) with(pins []*pin) Answer {
	a.Open = nil
	for _, p := range pins {
		a.Open = append(a.Open, Mapping{Outside: p.outside, TCP: p.tcp, By: ByUPnP})
	}
	return a
}

// pauseAt waits before a device is asked again that is not needed or opens
// nothing.
func (m *Mapper) pauseAt(ctx context.Context, dev *device) *device {
	if !sleep(ctx, searchAgain) {
		return nil
	}
	return dev
}

// renewal is how long to wait before leases are renewed. One without an end is
// looked after as well: the router may have been restarted.
func renewal(pins []*pin) time.Duration {
	wait := leaseWanted / 2
	for _, p := range pins {
		if p.lease > 0 {
			wait = min(wait, p.lease/2)
		}
	}
	return wait
}

// pin opens a port.
func (d *device) pin(ctx context.Context, port uint16, p *pin) error {
	if d.firewall != nil {
		return d.pinhole(ctx, port, p)
	}
	ip, err := d.outside(ctx)
	if err != nil {
		return err
	}
	if !public(ip) {
		// A port opened there would be one that nobody reaches.
		return fmt.Errorf("its own address %v is not public: there is another NAT before it", ip)
	}
	outside := port
	for range maxPorts {
		p.outside = netip.AddrPortFrom(ip, outside)
		if err = d.mapPort(ctx, port, p); code(err) != codeConflict {
			return err
		}
		outside = other(outside)
	}
	return err
}

// other is another port to try, far from those that neighbours try.
func other(port uint16) uint16 { return 1024 + uint16((uint32(port)*40503+12345)%(65536-1024)) }

func (d *device) outside(ctx context.Context) (netip.Addr, error) {
	text, err := d.wan.GetExternalIPAddressCtx(ctx)
	if err != nil {
		return netip.Addr{}, err
	}
	ip, err := netip.ParseAddr(strings.TrimSpace(text))
	if err != nil || !usable(netip.AddrPortFrom(ip, 1)) || !ip.Is4() {
		return netip.Addr{}, errors.New("it has no outside address")
	}
	return ip, nil
}

// mapPort asks for p.outside, with a lease if the device knows leases.
func (d *device) mapPort(ctx context.Context, port uint16, p *pin) error {
	add := func(lease time.Duration) error {
		p.lease = lease
		return d.wan.AddPortMappingCtx(ctx, "", p.outside.Port(), protocolName(p.tcp), port, d.gateway.Local.String(), true, label, seconds(lease))
	}
	err := add(leaseWanted)
	if code(err) == codePermanentOnly {
		err = add(0)
	}
	p.ours = code(err) == 0
	return err
}

func (d *device) pinhole(ctx context.Context, port uint16, p *pin) (err error) {
	p.lease = leaseWanted
	p.outside = netip.AddrPortFrom(d.gateway.Local, port)
	p.id, err = d.firewall.AddPinholeCtx(ctx, "", 0, d.gateway.Local.String(), port, uint16(protocolNumber(p.tcp)), seconds(leaseWanted))
	p.ours = err == nil // without an answer its number is not known
	return err
}

// renew extends a lease, and takes note of a new outside address.
func (d *device) renew(ctx context.Context, port uint16, p *pin) error {
	if d.firewall != nil {
		if d.firewall.UpdatePinholeCtx(ctx, p.id, seconds(leaseWanted)) == nil {
			return nil
		}
		return d.pinhole(ctx, port, p) // it was restarted
	}
	ip, err := d.outside(ctx)
	if err != nil {
		return err
	}
	p.outside = netip.AddrPortFrom(ip, p.outside.Port())
	return d.mapPort(ctx, port, p)
}

// close closes what was opened, or may have been, within closeTime, whatever the
// context was. What the device has refused is somebody else's, and stays.
func (d *device) close(pins []*pin) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	for _, p := range pins {
		if !p.ours {
			continue
		}
		if d.firewall != nil {
			_ = d.firewall.DeletePinholeCtx(ctx, p.id) // it lapses by itself
		} else {
			_ = d.wan.DeletePortMappingCtx(ctx, "", p.outside.Port(), protocolName(p.tcp))
		}
	}
}

func protocolName(tcp bool) string {
	if tcp {
		return "TCP"
	}
	return "UDP"
}

// code is UPnP's number of an error, 0 if it is none of UPnP's.
func code(err error) int {
	var fault *soap.SOAPFaultError
	if errors.As(err, &fault) {
		return fault.Detail.UPnPError.Errorcode
	}
	return 0
}

// reason is an error in few words: what a router says can be of any length.
func reason(err error) string {
	text := err.Error()
	if n := code(err); n != 0 {
		var fault *soap.SOAPFaultError
		errors.As(err, &fault)
		text = fmt.Sprintf("error %d: %s", n, fault.Detail.UPnPError.ErrorDescription)
	}
	const most = 120
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// sleep waits, and reports whether ctx has not ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
