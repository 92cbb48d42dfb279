package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// genuine is the network of routers that open ports: miniupnpd does so for
// nobody whose outside address is one of those that documents use.
const genuine = "25.0.0.%d/24"

// upnpd is its configuration, and upnpRules what it writes into.
const (
	upnpd = `
ext_ifname=wan
listening_ip=lan
enable_upnp=%s
enable_natpmp=%s
secure_mode=yes
min_lifetime=120
uuid=e7df9642-90db-4f2a-b0e0-d060623b32de
upnp_table_name=filter
upnp_nat_table_name=upnp
upnp_forward_chain=upnp
upnp_nat_chain=upnp_in
upnp_nat_postrouting_chain=upnp_out
`
	upnpRules = `
table inet filter {
	chain upnp {
	}
	chain forward {
		jump upnp
	}
}
table inet upnp {
	chain upnp_in {
	}
	chain upnp_out {
	}
	chain prerouting {
		type nat hook prerouting priority dstnat;
		jump upnp_in
	}
	chain postrouting {
		type nat hook postrouting priority srcnat - 1;
		jump upnp_out
	}
}
`
)

// openDoors has the routers that can be asked to open ports do so.
func (w *homes) openDoors(a, b home) {
	w.t.Helper()
	needTools(w.t, "miniupnpd")
	w.helper.ip("route add 25.0.0.0/24 dev eth0")
	for r, h := range map[*host]home{w.routerA: a, w.routerB: b} {
		if h.opens == "" {
			r.ip("route add 25.0.0.0/24 dev wan")
			continue
		}
		r.ip("route add 203.0.113.0/24 dev wan")
		r.nft(upnpRules)
		yes := map[bool]string{true: "yes", false: "no"}
		conf := filepath.Join(w.dir, r.role+".conf")
		text := fmt.Sprintf(upnpd, yes[strings.Contains(h.opens, "UPnP")], yes[strings.Contains(h.opens, "PCP")])
		if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
			w.t.Fatal(err)
		}
		p := r.start("miniupnpd on "+r.role, []string{"miniupnpd", "-d", "-f", conf, "-P", conf + ".pid"}, nil)
		w.t.Cleanup(func() {
			p.signal(syscall.SIGTERM)
			<-p.done
		})
		// Whoever asks before it listens does not ask again for a while.
		eventually(w.t, patience, "miniupnpd on "+r.role+" listens", func() bool {
			open := r.must("ip", "netns", "exec", r.ns, "cat", "/proc/net/udp", "/proc/net/udp6")
			return (!strings.Contains(h.opens, "UPnP") || strings.Contains(open, ":076C ")) && // 1900
				(!strings.Contains(h.opens, "PCP") || strings.Contains(open, ":14E7 ")) // 5351
		})
	}
}

// TestThroughADoor: two NATs between which ports can only be guessed, and one
// router that opens a port when it is asked to.
func TestThroughADoor(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"UPnP", "PCP"} {
		for _, side := range []string{"sender", "receiver"} {
			t.Run(by+" at the "+side, func(t *testing.T) {
				t.Parallel()
				with, without := home{nat: allRandom, opens: by}, home{nat: allRandom}
				w := newHomesOf(t, with, without)
				from, to := w.a, w.b
				if side == "receiver" {
					from, to = to, from
				}
				x := w.wantMet(from, to, helperAddr4, "")
				if side == "sender" {
					x.receiver.wantSaid("connected: mapped, 25.0.0.21:")
				} else {
					x.sender.wantSaid("connected: mapped, 25.0.0.21:")
				}
				w.routerA.wantShut("inet", "upnp", "upnp_in")
			})
		}
	}
}
