package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

// alone starts qft send without a helper and, with its code and where that is to
// be asked, qft receive.
func (w *world) alone(from, to *host, f file, at string) *transfer {
	w.t.Helper()
	w.racing = true
	dir := w.folder()
	x := &transfer{t: w.t, file: f, target: filepath.Join(dir, filepath.Base(f.path))}
	x.sender = from.qft("send", f.path)
	x.receiver = to.qft("receive", w.learn(x.sender)+at, "-o", dir)
	return x
}

// lan is two machines on a switch, without a router.
func (w *world) lan(addrA, addrB string) (a, b *host) {
	w.t.Helper()
	lan := w.segment("lan")
	a, b = w.host("a"), w.host("b")
	for h, addr := range map[*host]string{a: addrA, b: addrB} {
		if strings.Contains(addr, ".") {
			h.sysctl("net/ipv6/conf/default/disable_ipv6", "1")
		}
		h.wire("eth0", lan, h.role)
		lan.ip("link set dev " + h.role + " master lan")
		if addr != "" {
			h.ip("addr add " + addr + " dev eth0" + nodad(addr))
		}
	}
	return a, b
}

// TestOnOneNetworkWithoutHelper: two machines on a switch, no router, no
// internet, nothing that is set.
func TestOnOneNetworkWithoutHelper(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		a, b string // addresses; none: link-local only
	}{
		{"IPv4", "10.0.0.1/24", "10.0.0.2/24"},
		{"IPv6", "fd00::1/64", "fd00::2/64"},
		{"link-local", "", ""},
		{"IPv4 link-local", "169.254.7.1/16", "169.254.9.2/16"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a, b := w.lan(c.a, c.b)
			x := w.alone(a, b, w.file("film", someSize), "")
			x.wantDelivered(someTime)
			x.receiver.wantSaid("connected: LAN")
			x.sender.wantSaid("connected: LAN", "no helper is set")
		})
	}
}

// TestOnOneNetworkWhileTheHelperIsAway: what is set is of no use here, and does
// no harm.
func TestOnOneNetworkWhileTheHelperIsAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.lan("10.0.0.1/24", "10.0.0.2/24")
	dir := w.folder()
	x := &transfer{t: t, file: w.file("film", someSize), target: dir + "/film"}
	w.racing = true
	w.secrets = append(w.secrets, phrase)
	env := []string{"QFT_PHRASE=" + phrase, "QFT_HELPER=203.0.113.10:4000"}
	x.sender = a.launch(launch{args: []string{"send", x.file.path}, env: env})
	x.receiver = b.launch(launch{args: []string{"receive", "-o", dir}, env: env})
	x.wantDelivered(someTime)
	x.receiver.wantSaid("connected: LAN")
}

// TestReceiverIsThereFirst: whoever is first on the network waits for the other.
// The sender's machine has two networks, and the receiver is on the second.
func TestReceiverIsThereFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.racing = true
	one, two := w.segment("one"), w.segment("two")
	a, b := w.host("a"), w.host("b")
	a.plug(one, "eth0", "10.0.1.1/24")
	a.plug(two, "eth1", "10.0.2.1/24")
	b.plug(two, "eth0", "10.0.2.2/24")
	w.secrets = append(w.secrets, phrase)
	f, dir := w.file("film", someSize), w.folder()
	x := &transfer{t: t, file: f, target: dir + "/film"}
	env := []string{"QFT_PHRASE=" + phrase}
	x.receiver = b.launch(launch{args: []string{"receive", "-o", dir}, env: env})
	x.receiver.wantSay(patience, "looking on this network only")
	x.sender = a.launch(launch{args: []string{"send", f.path}, env: env})
	x.wantDelivered(someTime)
}

// TestDirectlyToTheSender: no helper, but a port of the sender's router that is
// forwarded to its machine.
func TestDirectlyToTheSender(t *testing.T) {
	t.Parallel()
	const forward = `
table ip forwarded {
	chain prerouting {
		type nat hook prerouting priority dstnat;
		iifname "wan" udp dport { 4277, 5000 } dnat to 192.168.1.2:4277
	}
}
insert rule inet filter forward ct status dnat accept
`
	for _, c := range []struct {
		name, at string
		b        home
	}{
		{"usual port", "@203.0.113.21", home{}},
		{"another port, fully random", "@203.0.113.21:5000", home{nat: allRandom}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newHomesOf(t, home{}, c.b)
			w.routerA.nft(forward)
			w.alone(w.a, w.b, w.file("film", someSize), c.at).wantDelivered(someTime)
			if in := w.helper.counter("in"); in > 0 {
				t.Errorf("%d bytes went to a helper that nobody has set", in)
			}
		})
	}
}
