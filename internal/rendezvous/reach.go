package rendezvous

import (
	"net/netip"
	"slices"
	"time"

	"qft/internal/udp"
)

const (
	// reachWait is how long the first answer by UDP may take before other ways
	// to the helper are tried as well: two copies of a hello are on their way
	// by then, and a person has not begun to wonder.
	reachWait = 1500 * time.Millisecond

	// Of so many hosts of a helper other ports are asked, and so many lines to
	// it are known.
	spreadHosts = 4
	maxLines    = 16
)

// Reach is by which ports a helper can be reached from here.
type Reach struct {
	// Late: nothing had answered by UDP in the first 1.5 s. The ports of the
	// configuration are being asked as well, and lines are welcome.
	Late bool
	// Silent and Open are the UDP ports that were asked and gave no valid
	// answer until now, and those that did, in the order of asking.
	Silent, Open []uint16
	// Lines are the TCP ports through which there is an answer.
	Lines []uint16
}

// Reach reports how the helper can be reached.
func (c *Client) Reach() Reach {
	r := Reach{Late: c.spread}
	for _, ct := range c.contacts {
		port := ct.path.Remote.Port()
		switch {
		case ct.asked == 0 && ct.heard.IsZero():
		case ct.path.IsLine():
			if !ct.heard.IsZero() && !ct.down {
				r.Lines = with(r.Lines, port)
			}
		case ct.heard.IsZero():
			r.Silent = with(r.Silent, port)
		default:
			r.Open = with(r.Open, port)
		}
	}
	// A port may answer in one family only.
	r.Silent = slices.DeleteFunc(r.Silent, func(p uint16) bool { return slices.Contains(r.Open, p) })
	return r
}

func with(ports []uint16, p uint16) []uint16 {
	if slices.Contains(ports, p) {
		return ports
	}
	return append(ports, p)
}

// heardByUDP reports whether the helper has ever answered by UDP.
func (c *Client) heardByUDP() bool {
	return slices.ContainsFunc(c.contacts, func(ct *contact) bool {
		return !ct.path.IsLine() && !ct.heard.IsZero()
	})
}

// checkReach asks the other ports when the first answer takes too long.
func (c *Client) checkReach(now time.Time) {
	if c.began.IsZero() {
		c.began = now
	}
	if c.spread || c.heardByUDP() || now.Sub(c.began) < reachWait {
		return
	}
	c.spread = true
	var hosts []netip.Addr
	for _, ct := range c.contacts {
		a := ct.path.Remote.Addr()
		if !ct.path.IsLine() && !slices.Contains(hosts, a) && len(hosts) < spreadHosts {
			hosts = append(hosts, a)
		}
	}
	for _, a := range hosts {
		for _, port := range c.ports {
			if ct := c.addContact(udp.To(netip.AddrPortFrom(a, port))); ct != nil {
				ct.guess = true
			}
		}
	}
}

// reachDue is when checkReach has something to do.
func (c *Client) reachDue() time.Time {
	if c.spread || c.began.IsZero() || c.heardByUDP() {
		return time.Time{}
	}
	return c.began.Add(reachWait)
}

// LineUp tells that there is a line to the helper. It is an address of the
// helper like others; a membership that was held through another line to the
// same address goes on through this one.
func (c *Client) LineUp(p udp.Path) {
	p = p.Unmap()
	lines := 0
	for _, ct := range c.contacts {
		if !ct.path.IsLine() {
			continue
		}
		lines++
		if ct.path.Remote == p.Remote {
			ct.path, ct.down, ct.open = p, false, false
			ct.due, ct.tries = soon(), 0
			if ct == c.box.at {
				c.box.due, c.box.tries = soon(), 0
			}
			return
		}
	}
	if lines < maxLines {
		c.addContact(p)
	}
}

// LineDown tells that a line is gone.
func (c *Client) LineDown(p udp.Path) {
	ct := c.contactAt(p.Unmap())
	if ct == nil || !p.IsLine() {
		return
	}
	ct.down = true
	if ct != c.box.at {
		return
	}
	for _, o := range c.contacts {
		if o != ct {
			o.due = soon() // who else is there?
		}
	}
}

// LineReflexive returns this machine's TCP addresses as the helper saw them,
// each once.
func (c *Client) LineReflexive() []netip.AddrPort { return c.seen(true) }

// seen returns the addresses under which the helper saw us, of lines or not.
func (c *Client) seen(lines bool) []netip.AddrPort {
	var addrs []netip.AddrPort
	for _, ct := range c.contacts {
		if ct.path.IsLine() == lines && ct.observed.IsValid() && !slices.Contains(addrs, ct.observed) {
			addrs = append(addrs, ct.observed)
		}
	}
	return addrs
}
