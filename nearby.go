package qft

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode"

	"qft/internal/peer"
	"qft/internal/rendezvous"
	"qft/internal/udp"
)

// DirectPort is where a sender without a helper listens, if the port is free,
// and where a helper, or a receiver's sender, is looked for on a host that is
// given without a port.
const DirectPort = 4277

// SplitCode takes apart what a sender is told by: a code alone, or CODE@HOST or
// CODE@HOST:PORT where the sender's machine is named as well. The code is
// normalised as CheckCode does; it may be missing, for those who have a phrase
// of their own. A host comes with its port.
func SplitCode(text string) (code, host string, err error) {
	text, at, named := strings.Cut(text, "@")
	if text = strings.TrimSpace(text); text != "" || !named {
		if code, err = CheckCode(text); err != nil {
			return "", "", err
		}
	}
	if !named {
		return code, "", nil
	}
	h, port, err := splitHost(strings.TrimSpace(at), DirectPort)
	if err != nil {
		return "", "", err
	}
	return code, net.JoinHostPort(h, strconv.Itoa(int(port))), nil
}

// splitHost takes apart HOST[:PORT]; without a port it is the default. An IPv6
// address needs no brackets if there is no port.
func splitHost(text string, standard uint16) (host string, port uint16, err error) {
	bare := text
	if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
		bare = text[1 : len(text)-1]
	}
	if a, err := netip.ParseAddr(bare); err == nil && !strings.Contains(a.Zone(), "]") {
		return a.String(), standard, nil
	}
	host, service, err := net.SplitHostPort(text)
	if err != nil && !strings.Contains(text, ":") {
		host, service, err = text, strconv.Itoa(int(standard)), nil
	}
	if err != nil || !isHost(host) {
		return "", 0, fmt.Errorf("%q is no HOST or HOST:PORT; an IPv6 address with a port is [ADDRESS]:PORT", text)
	}
	n, err := strconv.ParseUint(service, 10, 16)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("the port %q of %s is no number from 1 to 65535", service, host)
	}
	return host, uint16(n), nil
}

// isHost reports whether a text may be an address, or a name to be looked up. A
// phrase with spaces, in the wrong place, is not for the name servers to see.
func isHost(text string) bool {
	if _, err := netip.ParseAddr(text); err == nil {
		return true
	}
	return text != "" && strings.IndexFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._", r)
	}) < 0
}

// checkPlaces says what is wrong with where to meet.
func (c *Config) checkPlaces(op string) error {
	switch {
	case len(c.Stun) > 0:
		return c.checkStun(op)
	case c.Host != "" && op == "send":
		return &Error{Op: op, Kind: KindUsage, Err: errors.New("a sender listens itself; the receiver is told its host")}
	case c.Host != "" && op == "accept":
		return &Error{Op: op, Kind: KindUsage, Err: errors.New("who accepts listens itself; who dials is told its host")}
	case c.Host != "":
		if _, _, err := splitHost(c.Host, DirectPort); err != nil {
			return &Error{Op: op, Kind: KindUsage, Err: err}
		}
	case c.Helper != "":
		_, _, err := splitHelper(op, c.Helper)
		return err
	case c.NoNearby && (op == "receive" || op == "dial"):
		return helperError(op, KindUsage, errors.New("no helper is set, and this network is not searched"))
	}
	return nil
}

// named looks up the helper, or the host of the sender, whichever is named.
func (h *host) named(ctx context.Context, socket *udp.Socket) (helpers, hosts []netip.AddrPort, err error) {
	switch {
	case len(h.cfg.Stun) > 0:
	case h.cfg.Host != "":
		name, port, err := splitHost(h.cfg.Host, DirectPort)
		if err != nil {
			return nil, nil, &Error{Op: h.op, Kind: KindUsage, Err: err}
		}
		hosts, err = h.lookUp(func() ([]netip.AddrPort, error) { return resolveHost(ctx, h.op, name, port, socket) })
		return nil, hosts, err
	case h.cfg.Helper != "":
		helpers, err = h.lookUp(func() ([]netip.AddrPort, error) { return resolve(ctx, h.op, h.cfg.Helper, DirectPort, socket) })
		return helpers, nil, err
	}
	return nil, nil, nil
}

// lookUp finds addresses, or those that there were before: what has interrupted
// a transfer may keep names from being looked up as well.
func (h *host) lookUp(find func() ([]netip.AddrPort, error)) ([]netip.AddrPort, error) {
	found, err := find()
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err == nil:
		h.addrs = found
	case len(h.addrs) > 0 && KindOf(err) != KindCanceled:
		return h.addrs, nil
	}
	return found, err
}

// hear has the socket take the beacons of this network, and reports whether it
// does. Where it cannot, a sender is still found by whoever asks at its host.
func (h *host) hear(socket *udp.Socket) bool {
	if h.cfg.NoNearby || len(h.cfg.Stun) > 0 {
		return false
	}
	heard := false
	for _, group := range peer.Groups() {
		heard = socket.Hear(group) == nil || heard
	}
	return heard
}

// serves reports whether people may have been told a port of this machine.
func (h *host) serves() bool {
	return h.role == rendezvous.Sender && len(h.cfg.Stun) == 0 && (h.cfg.Port != 0 || h.cfg.Helper == "")
}

// socket opens that of an attempt: on the port that people are told, if no
// other attempt has it.
func (h *host) socket() (s *udp.Socket, told bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.port == 0 {
		if h.port = h.cfg.Port; h.port == 0 && h.serves() {
			h.port = DirectPort
		}
	}
	cfg := udp.Config{NoOffload: h.cfg.NoOffload}
	if told = h.port != 0 && !h.told; told {
		cfg.Port = h.port
	}
	s, err = listen(h.op, cfg)
	if err != nil && told && h.cfg.Port == 0 {
		cfg.Port = 0 // somebody else has the usual port
		s, err = listen(h.op, cfg)
	}
	if err != nil {
		return nil, false, err
	}
	if told {
		h.told, h.port = true, s.Port() // the same the next time: it is what people know
	}
	return s, told, nil
}

// free gives back the port that people are told.
func (h *host) free() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told, h.door = false, netip.AddrPort{}
}

// openDoor tells later attempts, whose ports nobody was told, where they can be
// reached all the same.
func (h *host) openDoor(s *udp.Socket) {
	at := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if v4, _ := s.Families(); !v4 {
		at = netip.IPv6Loopback()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.door = netip.AddrPortFrom(at, s.Port())
}

// behind is the door of another attempt; invalid: there is none.
func (h *host) behind() netip.AddrPort {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.door
}
