package qft

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"qft/internal/udp"
)

func listen(op string, cfg udp.Config) (*udp.Socket, error) {
	s, err := udp.Listen(cfg)
	if err == nil {
		return s, nil
	}
	e := &Error{Op: op, Kind: KindPort, Err: err}
	if errors.Is(err, udp.ErrPortInUse) {
		e.Hint = "Another program uses that port: stop it or choose another port."
	}
	return nil, e
}

func localAddrs(s *udp.Socket) []netip.AddrPort {
	v4, v6 := s.Families()
	addrs, err := udp.Interfaces()
	if err != nil {
		return nil // the helper's view of us remains
	}
	var all []netip.AddrPort
	for _, a := range addrs {
		if a.Is4() && v4 || a.Is6() && v6 {
			all = append(all, netip.AddrPortFrom(a, s.Port()))
		}
	}
	if v6 {
		for _, a := range udp.LinkLocals() {
			all = append(all, netip.AddrPortFrom(a, s.Port()))
		}
	}
	return all
}

// helperError is what is wrong with the helper's address.
func helperError(op string, kind Kind, err error) error {
	return &Error{Op: op, Kind: kind, Err: err,
		Hint: "The helper is HOST or HOST:PORT of a machine on which somebody runs: qft helper PORT; without a port it is 4277"}
}

// splitHelper takes the helper's address apart.
func splitHelper(op, helper string) (host string, port uint16, err error) {
	if helper == "" {
		return "", 0, helperError(op, KindUsage, errors.New("no helper is set"))
	}
	host, port, err = splitHost(helper, DirectPort)
	if err != nil {
		return "", 0, helperError(op, KindUsage, fmt.Errorf("reading the helper's address: %w", err))
	}
	return host, port, nil
}

// CheckHelper reports what is wrong with a helper's address as such, HOST or
// HOST:PORT, an *Error: it is not asked for.
func CheckHelper(address string) error {
	_, _, err := splitHelper("helper", address)
	return err
}

// resolveTime bounds the look-up of the helper's name.
const resolveTime = 10 * time.Second

// resolve looks up the addresses of HOST[:PORT] in the families of the socket;
// without a port it is the default.
func resolve(ctx context.Context, op, server string, standard uint16, s *udp.Socket) ([]netip.AddrPort, error) {
	host, port, err := splitHost(server, standard)
	if err != nil {
		return nil, helperError(op, KindUsage, err)
	}
	return resolveHost(ctx, op, host, port, s)
}

// resolveHost looks up the addresses of a host.
func resolveHost(ctx context.Context, op, host string, port uint16, s *udp.Socket) ([]netip.AddrPort, error) {
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if errors.Is(context.Cause(ctx), context.Canceled) {
		return nil, &Error{Op: op, Kind: KindCanceled, Err: errors.New("interrupted")}
	}
	if err != nil {
		return nil, helperError(op, KindHelper, fmt.Errorf("looking up %s: %w", host, err))
	}
	v4, v6 := s.Families()
	var all []netip.AddrPort
	for _, a := range addrs {
		if a = a.Unmap(); a.Is4() && v4 || a.Is6() && v6 {
			all = append(all, netip.AddrPortFrom(a, port))
		}
	}
	if len(all) == 0 {
		return nil, helperError(op, KindHelper, fmt.Errorf("%s has no address that this machine can use", host))
	}
	return all, nil
}
