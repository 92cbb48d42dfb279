package qft

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// conclude draws the conclusion from what was measured. The order of the cases is
// that of what decides: whether UDP gets out at all, then whether others can
// send first, then what the NAT does.
//
//	own side            the other side: open, or one    one port for each     at random
//	                    port for all destinations       destination, in order
//	open                at once                         at once               at once
//	one port for all    at once                         at once               some seconds
//	in order            at once                         at once               no
//	at random           some seconds                    no                    no
func conclude(d *Diagnosis) Verdict {
	v := reach(d)
	v.Advice = advice(d, v.Rating)
	return v
}

func reach(d *Diagnosis) Verdict {
	asked := slices.ContainsFunc(d.Servers, func(s ServerCheck) bool { return s.Error == "" })
	v4, v6 := d.IPv4.Outside != "", d.IPv6.Outside != ""
	switch {
	case !asked && len(d.Servers) > 0:
		return Verdict{Rating: RatingUnknown, Text: "No server could be looked up, so what this network allows is not known."}
	case !asked && !anyPublic(d.Routers):
		return Verdict{Rating: RatingUnknown, Text: "No server was asked, so what this network allows is not known."}
	case !asked:
		return Verdict{Rating: RatingUnknown, Text: "The router opens ports, so others can probably reach this machine; no server was asked."}
	case !v4 && !v6:
		return silent(d)
	case inside(d.IPv4) && inside(d.IPv6):
		return Verdict{Rating: RatingUnknown, Text: "The server that answered is on this machine or this network: it cannot see what lies between here and the internet. " +
			"Within this network transfers work. A helper or STUN server outside would tell more."}
	case onlyPorts(d) != nil:
		return Verdict{Rating: RatingLimited, Text: fmt.Sprintf(
			"UDP gets out to %s only. Other machines rarely receive there: they are reached over TCP, slower, if at all.", portList(onlyPorts(d)))}
	case tooNarrow(d.IPv4) && (!v6 || tooNarrow(d.IPv6)):
		return Verdict{Rating: RatingBlocked, Text: fmt.Sprintf(
			"Works with nobody: packets of %d bytes do not get through, and qft needs them.", leastMTU)}
	}
	v := Verdict{}
	if v4 {
		v = reach4(d)
	} else {
		v = Verdict{Rating: RatingLimited, Text: "Works with everybody who has IPv6, which is all that this network has."}
	}
	if v4 && v6 && v.Rating != RatingOpen {
		v.Text += " Over IPv6 it works with everybody who has that too."
	}
	return v
}

// leastMTU is the smallest IP packet that must pass: 1,200 bytes and headers.
const leastMTU = 1228

func tooNarrow(c IPCheck) bool { return c.Outside == "" || c.MTU < leastMTU }

// inside reports whether servers see this machine, if at all, at an address that
// means nothing elsewhere: they are as near as that.
func inside(c IPCheck) bool {
	a, err := netip.ParseAddrPort(c.Outside)
	return c.Outside == "" || err == nil && (a.Addr().IsLoopback() || a.Addr().IsPrivate() || a.Addr().IsLinkLocalUnicast())
}

// silent is where no server has answered over UDP.
func silent(d *Diagnosis) Verdict {
	var tcp, there []string
	for _, s := range d.Servers {
		switch {
		case slices.ContainsFunc(s.TCP, func(p TCPPort) bool { return p.State == "connected" }):
			tcp = append(tcp, s.Name)
		case slices.ContainsFunc(s.TCP, func(p TCPPort) bool { return p.State == "refused" }):
			there = append(there, s.Name)
		}
	}
	switch {
	case len(tcp) > 0:
		return Verdict{Rating: RatingBlocked, Text: fmt.Sprintf(
			"UDP is blocked: %s is reached over TCP and not over UDP. qft can only try TCP here, which is slower and works with fewer.", tcp[0])}
	case len(there) > 0:
		return Verdict{Rating: RatingUnknown, Text: fmt.Sprintf(
			"%s is there, and does not answer over UDP: either no helper runs there, or UDP is blocked here.", there[0])}
	}
	return Verdict{Rating: RatingUnknown, Text: "No server answers, neither over UDP nor over TCP: is this machine connected, and are they running?"}
}

// onlyPorts are the ports that UDP gets out to where it does not get out to
// the one that a server was named with. A server of which nothing is heard
// says nothing.
func onlyPorts(d *Diagnosis) []uint16 {
	var open []uint16
	restricted := false
	for _, s := range d.Servers {
		for i, p := range s.UDP {
			switch {
			case i == 0 && p.Answered:
				return nil
			case p.Answered:
				restricted = true
				if !slices.Contains(open, p.Port) {
					open = append(open, p.Port)
				}
			}
		}
	}
	if !restricted {
		return nil
	}
	slices.Sort(open)
	return open
}

func portList(ports []uint16) string {
	var words []string
	for _, p := range ports {
		words = append(words, fmt.Sprint(p))
	}
	if len(words) == 1 {
		return "port " + words[0]
	}
	return "the ports " + strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// reach4 is what IPv4 allows.
func reach4(d *Diagnosis) Verdict {
	direct := d.IPv4.NAT == No
	switch {
	case anyPublic(d.Routers):
		return Verdict{Rating: RatingOpen, Text: "Works with everybody: the router opens a port."}
	case direct && d.IPv4.OtherPorts == Yes:
		return Verdict{Rating: RatingOpen, Text: "Works with everybody: there is no NAT and no firewall before this machine."}
	case d.NAT.Mapping == "independent" && d.IPv4.OtherPorts == Yes:
		return Verdict{Rating: RatingOpen, Text: "Works with everybody: the NAT shows everyone the same port, and lets packets in that were not asked for."}
	case direct:
		return Verdict{Rating: RatingGood, Text: "Works with everybody: there is no NAT, only a firewall. " + withRandom}
	}
	switch d.NAT.Mapping {
	case "independent":
		return Verdict{Rating: RatingGood, Text: "Works with everybody: the NAT shows everyone the same port. " + withRandom}
	case "preserving", "sequential":
		return Verdict{Rating: RatingGood, Text: "Works with everybody except machines behind a NAT that gives each destination another port at random: this NAT gives each destination another port too, but one that can be foreseen."}
	case "random":
		return Verdict{Rating: RatingLimited, Text: "Works with everybody except machines behind a NAT that gives each destination another port, as this NAT does, at random. With others it takes some seconds longer."}
	}
	if d.NAT.KeepsPort == Yes {
		return Verdict{Rating: RatingUnknown, Text: "Works with nearly everybody, probably: the NAT keeps the port's number. For certainty a second port or server has to answer; only one has."}
	}
	return Verdict{Rating: RatingUnknown, Text: "Works with many, at least: what the NAT does towards others can only be told when a second port or server answers; only one has."}
}

const withRandom = "With machines behind a NAT that picks ports at random it takes some seconds longer."

func anyPublic(routers []RouterCheck) bool {
	return slices.ContainsFunc(routers, func(r RouterCheck) bool { return r.Public && !isPinhole(r) })
}

// isPinhole reports whether what a router has opened is in IPv6, where it says
// nothing about IPv4.
func isPinhole(r RouterCheck) bool { return len(r.Opened) > 0 && strings.HasPrefix(r.Opened[0], "[") }

// advice is what would help.
func advice(d *Diagnosis, r Rating) []string {
	all := []string{}
	add := func(text string, args ...any) { all = append(all, fmt.Sprintf(text, args...)) }
	for _, s := range d.Servers {
		if s.Error != "" {
			add("%s could not be asked: %s.", s.Name, s.Error)
		}
	}
	private := slices.IndexFunc(d.Routers, func(r RouterCheck) bool {
		return len(r.Opened) > 0 && !r.Public || strings.Contains(r.Said, "not public")
	})
	switch {
	case len(d.Servers) == 0:
		add("Name a helper or a STUN server, or set one (the setting helper).")
	case r == RatingBlocked && d.IPv4.Outside == "" && d.IPv6.Outside == "", onlyPorts(d) != nil:
		add("Ask who runs this network to let UDP out, or use another network, such as a phone's.")
	case r == RatingUnknown && d.NAT.Destinations == 1:
		add("Name a second server as well, or a helper that listens on two ports (qft helper 4277 443).")
	case r != RatingOpen && r != RatingBlocked && private >= 0:
		add("The router is behind another NAT itself, of the provider as a rule: ask for a public address, or for IPv6.")
	case r == RatingLimited && d.IPv4.NAT == Yes || r == RatingGood && (d.NAT.Mapping == "preserving" || d.NAT.Mapping == "sequential"):
		add("Turn on UPnP, NAT-PMP or PCP in the router, or forward a UDP port to this machine and have qft use that one (the setting port)%s", map[bool]string{true: ".", false: "; IPv6 would help too."}[d.IPv6.Outside != ""])
	}
	for _, c := range []struct {
		IPCheck
		name string
	}{{d.IPv4, "IPv4"}, {d.IPv6, "IPv6"}} {
		if c.Outside != "" && c.MTU < leastMTU {
			add("Over %s packets of %d bytes do not get through: a tunnel or a VPN with a small MTU is on the way.", c.name, leastMTU)
		}
	}
	if d.NAT.LivesLessS > 0 && d.NAT.LivesLessS <= 10 {
		add("The NAT forgets an idle connection within %g s, sooner than qft speaks while it waits: waiting may fail.", d.NAT.LivesLessS)
	}
	for _, h := range d.Machine.Hints {
		add("%s.", strings.TrimSuffix(upperFirst(h), "."))
	}
	if d.Machine.Clock == No {
		add("The clock is not synchronised: qft does not mind, but times of files may be wrong.")
	}
	return all
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
