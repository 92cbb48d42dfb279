package e2e

import (
	"strings"
	"testing"
	"time"
)

// TestDualStack: IPv4 could only be guessed at, so IPv6 is what they meet by.
func TestDualStack(t *testing.T) {
	t.Parallel()
	w := newHomesOf(t, home{nat: allRandom, v6: true}, home{nat: allRandom, v6: true})
	w.wantMet(w.a, w.b, helperAddr4, "IPv6")
}

// guests makes a second segment of A's router, with B's machine in it. Who is
// in it reaches the internet; the filter decides about the rest.
func newGuests(t *testing.T, filter string) *homes {
	t.Helper()
	w := newHomes(t, keepsPort)
	guests := w.segment("guests")
	w.routerA.plug(guests, "guest", "192.168.9.1/24")
	w.b = w.host("guest")
	w.b.plug(guests, "eth0", "192.168.9.2/24")
	w.b.ip("route add default via 192.168.9.1")
	w.routerA.nft(filter)
	return w
}

const guestFilter = `
insert rule inet filter forward iifname "guest" oifname "wan" accept
insert rule inet filter input iifname "guest" accept
`

// TestGuestIsReachedFromHome: a guest network may not open connections to the
// home, but answer them.
func TestGuestIsReachedFromHome(t *testing.T) {
	t.Parallel()
	for _, from := range []string{"home", "guest"} {
		t.Run(from, func(t *testing.T) {
			t.Parallel()
			w := newGuests(t, guestFilter)
			if from == "home" {
				w.wantMet(w.a, w.b, helperAddr4, "LAN")
			} else {
				w.wantMet(w.b, w.a, helperAddr4, "LAN")
			}
		})
	}
}

// wantHonest wants both sides to be told within 30 s that there is no path, and
// what would help.
func (w *homes) wantHonest(from, to *host, says ...string) {
	w.t.Helper()
	if testing.Short() {
		w.t.Skip("takes the 30 s that a search may take")
	}
	w.helper.startHelper()
	x := w.bySend(from, to, helperAddr4, w.file("film", someSize))
	x.receiver.wantEndSoon(40*time.Second, 9)
	x.sender.wantEnd(patience, 9)
	for _, p := range []*proc{x.sender, x.receiver} {
		p.wantSaid("no path")
		for _, text := range says {
			if !strings.Contains(strings.Join(strings.Fields(p.err.text()), " "), text) {
				w.t.Errorf("%s did not say %q", p.title, text)
			}
		}
		w.t.Log(indent(p.err.text()))
	}
}

// TestHonestAboutGuestNetworks: the router keeps its two networks apart and does
// not send back what is for its own outside address.
func TestHonestAboutGuestNetworks(t *testing.T) {
	t.Parallel()
	w := newGuests(t, guestFilter+`
insert rule inet filter forward iifname "lan" oifname "guest" drop
`)
	w.wantHonest(w.a, w.b, "guest network")
}

// TestHonestBehindOneCarrier: two homes of one carrier, which does not send back
// what is for its own outside address either.
func TestHonestBehindOneCarrier(t *testing.T) {
	t.Parallel()
	w := newHomesOf(t, home{carrier: true}, home{})
	other := w.router("ro", w.carrier, "100.64.1.3/24", "192.168.4.1/24")
	other.ip("route add default via 100.64.1.1")
	other.nft(firewall)
	other.nft(strings.ReplaceAll(masquerade, "%s", ""))
	c := w.resident("c", other, "192.168.4.2/24", "192.168.4.1")
	w.wantHonest(w.a, c, "share one outside address")
}

// TestMappingIsHeldWhileWaiting: some routers forget a mapping after 20 s. The
// sender's is the same all the time.
func TestMappingIsHeldWhileWaiting(t *testing.T) {
	needTools(t, "conntrack")
	if testing.Short() {
		t.Skip("takes as long as a mapping lives")
	}
	t.Parallel()
	w := newHomes(t, keepsPort)
	for _, r := range []*host{w.routerA, w.routerB} {
		r.sysctl("net/netfilter/nf_conntrack_udp_timeout", "20")
		r.sysctl("net/netfilter/nf_conntrack_udp_timeout_stream", "20")
	}
	w.helper.startHelper()
	x := &transfer{t: t, file: w.file("film", someSize), target: w.folder() + "/film"}
	x.sender = w.a.qft("send", x.file.path, "--helper", helperAddr4)
	code := w.learn(x.sender)
	before := w.routerA.mappings(helperPort)
	pass(25 * time.Second)
	if after := w.routerA.mappings(helperPort); after != before || before == "" {
		t.Errorf("the mapping was %q and is %q", before, after)
	}
	x.receiver = w.b.qft("receive", code, "-o", x.target, "--helper", helperAddr4)
	x.wantDelivered(someTime)
}

// mappings names a router's mappings to a UDP port, by ids that the kernel gives
// each of them once.
func (h *host) mappings(port string) string {
	h.w.t.Helper()
	var ids []string
	for line := range strings.Lines(h.must("ip", "netns", "exec", h.ns, "conntrack", "-L", "-p", "udp", "--dport", port, "-o", "id")) {
		if _, id, ok := strings.Cut(strings.TrimSpace(line), " id="); ok {
			ids = append(ids, id)
		}
	}
	return strings.Join(ids, " ")
}
