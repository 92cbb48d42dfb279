package e2e

import (
	"strings"
	"syscall"
	"testing"
)

// opened are the rules by which a router lets packets in that nobody inside
// has asked for.
func (h *host) opened(chain ...string) string {
	h.w.t.Helper()
	text := h.must(append([]string{"ip", "netns", "exec", h.ns, "nft", "-n", "list", "chain"}, chain...)...)
	var rules []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, "dnat") || strings.Contains(line, "accept") {
			rules = append(rules, strings.TrimSpace(line))
		}
	}
	return strings.Join(rules, "\n")
}

// wantShut waits until nothing is open.
func (h *host) wantShut(chain ...string) {
	h.w.t.Helper()
	eventually(h.w.t, patience, h.role+" closes its ports", func() bool { return h.opened(chain...) == "" })
}

// TestWhereBothRoutersOpenPorts: each side has a way to the other, and one is
// taken. Both are closed again.
func TestWhereBothRoutersOpenPorts(t *testing.T) {
	for _, opens := range []string{"PCP", "UPnP"} {
		t.Run(opens, func(t *testing.T) {
			t.Parallel()
			w := newHomesOf(t, home{nat: allRandom, opens: opens}, home{nat: allRandom, opens: opens})
			w.helper.startHelper()
			x := w.bySend(w.a, w.b, helperAddr4, w.file("twenty", 20<<20))
			x.wantDelivered(bigTime)
			x.report("two random NATs, " + opens + " at both")
			w.wantNoData()
			for _, r := range []*host{w.routerA, w.routerB} {
				r.wantShut("inet", "upnp", "upnp_in")
			}
		})
	}
}

// TestPortIsOpenWhileSomebodyWaits, also in IPv6, and closed when it is
// interrupted.
func TestPortIsOpenWhileSomebodyWaits(t *testing.T) {
	for _, c := range []struct{ opens, router string }{
		{"PCP", "2001:db8:1::1"}, {"UPnP", "2001:db8:1::1"},
		{"PCP", "fe80::1"}, {"UPnP", "fe80::1"}, // as it is told to the machines of a home
	} {
		t.Run(c.opens+" of "+c.router, func(t *testing.T) {
			t.Parallel()
			w := newHomesOf(t, home{nat: keepsPort, opens: c.opens, v6: true}, home{nat: keepsPort, v6: true})
			w.routerA.ip("addr add fe80::1/64 dev lan nodad")
			w.a.ip("route replace default via " + c.router + " dev eth0")
			w.helper.startHelper()
			p := w.a.qft("send", w.file("small", 1000).path, "--helper", helperAddr4, "--port", "4999")
			eventually(t, patience, "the router opens a port", func() bool {
				return strings.Contains(w.routerA.opened("inet", "upnp", "upnp_in"), "192.168.1.2:4999")
			})
			eventually(t, patience, "the router opens its IPv6 firewall", func() bool {
				return strings.Contains(w.routerA.opened("inet", "filter", "upnp"), "20010db8000100000000000000000002")
			})
			p.signal(syscall.SIGINT)
			p.wantEnd(patience, 130)
			w.routerA.wantShut("inet", "upnp", "upnp_in")
			w.routerA.wantShut("inet", "filter", "upnp")

			p = w.a.qft("send", w.file("small", 1000).path, "--helper", helperAddr4, "--no-portmap")
			w.learn(p)
			if rules := w.routerA.opened("inet", "upnp", "upnp_in"); rules != "" {
				t.Errorf("opened against the will of who runs it: %s", rules)
			}
			p.signal(syscall.SIGINT)
			p.wantEnd(patience, 130)
		})
	}
}
