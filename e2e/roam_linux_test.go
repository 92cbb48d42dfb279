package e2e

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

const (
	// soon is how long a transfer may stand still after the network has changed.
	soon = 2 * time.Second

	// uphill is what leaves the sender, so that a transfer lasts some seconds.
	uphill = "20mbit"
)

// roaming is a transfer between two homes through an uplink that keeps it going
// for some seconds, with a part of it already across. Both sides tell what
// happens as events, whose times do not depend on when a test looks.
func (w *homes) roaming() *transfer {
	w.t.Helper()
	w.a.limit("eth0", uphill)
	w.helper.startHelper()
	dir := w.folder()
	x := &transfer{t: w.t, file: w.file("film", someSize), target: dir + "/film"}
	x.sender = w.a.qft("send", x.file.path, "--helper", helperAddr4, "--json")
	x.receiver = w.b.qft("receive", w.learnEvent(x.sender), "-o", dir, "--helper", helperAddr4, "--json")
	eventually(w.t, someTime, "some of the file", func() bool { return x.receiver.last("progress").Done > x.file.size/8 })
	return x
}

// neighbour makes a third home, to which the machine can change.
func (w *homes) neighbour(h *host) {
	w.t.Helper()
	third := w.router("r3", w.public, "203.0.113.23/24", "192.168.3.1/24")
	third.nft(firewall)
	third.nft(fmt.Sprintf(masquerade, keepsPort))
	h.plug(third, "eth1", "192.168.3.2/24")
	h.limit("eth1", uphill)
	h.ip("link set dev eth1 down")
}

// change goes there.
func (h *host) change() {
	h.w.t.Helper()
	h.ip("link set dev eth0 down", "link set dev eth1 up", "route replace default via 192.168.3.1")
}

// stood is the longest that the receiver had nothing new after the change.
func (x *transfer) stood(since time.Time) (most time.Duration) {
	x.t.Helper()
	last, done := since, int64(-1)
	for _, e := range x.receiver.events() {
		if e.Time.Before(since) || e.Done <= done {
			continue
		}
		if done >= 0 {
			most = max(most, e.Time.Sub(last))
		}
		last, done = e.Time, e.Done
	}
	return most
}

// last is the latest event of a kind.
func (p *proc) last(kind string) (latest event) {
	p.t.Helper()
	for _, e := range p.events() {
		if e.Event == kind {
			latest = e
		}
	}
	return latest
}

// wantOnward changes the network and wants the transfer to go on soon, if the
// machine had time for it.
func (w *homes) wantOnward(x *transfer, change func()) {
	w.t.Helper()
	late := watchLateness(w.t)
	changed := time.Now()
	change()
	if !x.receiver.running() {
		w.t.Fatal("the transfer was over before the change")
	}
	x.receiver.wantEnd(someTime, 0)
	x.sender.wantEnd(patience, 0)
	x.wantIntact()
	w.wantNoData()
	stood, busy := x.stood(changed), late()
	w.t.Logf("ROAMING %s: stood still for %.2f s; the machine was late by %v", w.t.Name(), stood.Seconds(), busy)
	if stood > soon && busy < lateTime || stood > 5*soon {
		w.t.Errorf("stood still for %v, want at most %v", stood, soon)
	}
}

// lateTime is by how much a machine may be late for a test that measures times
// to mean anything.
const lateTime = 50 * time.Millisecond

// watchLateness returns a function that says by how much a timer was late at
// most until then.
func watchLateness(t *testing.T) func() time.Duration {
	const every = 10 * time.Millisecond
	stop, most := make(chan struct{}), make(chan time.Duration)
	go func() {
		var late time.Duration
		for due := time.Now().Add(every); ; due = time.Now().Add(every) {
			select {
			case <-time.After(every):
				late = max(late, time.Since(due))
			case <-stop:
				most <- late
				return
			}
		}
	}()
	end := sync.OnceValue(func() time.Duration { close(stop); return <-most })
	t.Cleanup(func() { end() })
	return end
}

// forget has a router lose all mappings, as when it is started again, and
// choose ports in another way from now on.
func (h *host) forget(nat string) {
	h.w.t.Helper()
	h.nft(fmt.Sprintf(masquerade, nat))
	h.must("ip", "netns", "exec", h.ns, "conntrack", "-F")
}

// renumber gives a router another address. The kernel forgets the mappings
// that used the old one.
func (h *host) renumber(old, fresh string) {
	h.w.t.Helper()
	h.ip("addr del "+old+" dev wan", "addr add "+fresh+" dev wan")
}

// TestGoesOnSoon changes the network in the middle of a transfer. Its parts run
// beside each other and beside nothing else, so that what is measured is the
// program.
func TestGoesOnSoon(t *testing.T) {
	needNamespaces(t)
	needTools(t, "conntrack")
	const a, b = "203.0.113.21/24", "203.0.113.22/24"
	for _, c := range []struct {
		name   string
		change func(w *homes)
		goes   func(w *homes) *host // who can go to another home
		v6     bool                 // there is IPv6 too
		near   string               // the receiver has a second interface, in the sender's home: "later", "first"
		path   string               // what they are connected by after the change
	}{
		{name: "receiver's router forgets", change: func(w *homes) { w.routerB.forget(keepsPort) }},
		{name: "sender's router forgets", change: func(w *homes) { w.routerA.forget(keepsPort) }},
		{name: "receiver has another port", change: func(w *homes) { w.routerB.forget(highPorts) }},
		{name: "sender has another port", change: func(w *homes) { w.routerA.forget(highPorts) }},
		{name: "both have another port", change: func(w *homes) { w.routerA.forget(highPorts); w.routerB.forget(highPorts) }},
		{name: "receiver's router is renumbered", change: func(w *homes) { w.routerB.renumber(b, "203.0.113.122/24") }},
		{name: "sender's router is renumbered", change: func(w *homes) { w.routerA.renumber(a, "203.0.113.121/24") }},
		{name: "both routers are renumbered", change: func(w *homes) {
			w.routerA.renumber(a, "203.0.113.121/24")
			w.routerB.renumber(b, "203.0.113.122/24")
		}},
		{name: "receiver has another address at home", change: func(w *homes) {
			w.b.ip("addr del 192.168.2.2/24 dev eth0", "addr add 192.168.2.77/24 dev eth0",
				"route replace default via 192.168.2.1")
		}},
		{name: "sender has another address at home", change: func(w *homes) {
			w.a.ip("addr del 192.168.1.2/24 dev eth0", "addr add 192.168.1.77/24 dev eth0",
				"route replace default via 192.168.1.1")
		}},
		{name: "receiver goes to another home", change: func(w *homes) { w.b.change() }, goes: func(w *homes) *host { return w.b }},
		{name: "sender goes to another home", change: func(w *homes) { w.a.change() }, goes: func(w *homes) *host { return w.a }},
		{name: "receiver comes near", near: "later", path: "LAN", change: func(w *homes) {
			w.b.ip("link set dev eth1 up", "addr add 192.168.1.9/24 dev eth1")
		}},
		{name: "receiver goes away", near: "first", path: "punched", change: func(w *homes) {
			w.b.ip("link set dev eth1 down")
		}},
		{name: "IPv6 firewalls forget", v6: true, path: "IPv6", change: func(w *homes) {
			w.routerA.forget(keepsPort)
			w.routerB.forget(keepsPort)
		}},
		{name: "receiver has another IPv6 address", v6: true, path: "IPv6", change: func(w *homes) {
			w.b.ip("addr add 2001:db8:2::77/64 dev eth0 nodad", "addr del 2001:db8:2::2/64 dev eth0",
				"route replace default via 2001:db8:2::1")
		}},
		{name: "there is no IPv6 any more", v6: true, path: "punched", change: func(w *homes) {
			w.routerB.nft("insert rule inet filter forward meta nfproto ipv6 drop")
		}},
		{name: "narrower and silent", change: func(w *homes) { // larger packets vanish
			w.routerB.ip("link set dev wan mtu 1280")
			w.public.ip("link set dev rb.wan mtu 1280")
		}},
		{name: "narrower and told", change: func(w *homes) { // the router says so by ICMP
			w.routerA.ip("route add 203.0.113.22/32 dev wan mtu 1300")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newHomesOf(t, home{v6: c.v6}, home{v6: c.v6})
			if c.goes != nil {
				w.neighbour(c.goes(w))
			}
			if c.near != "" {
				w.b.plug(w.routerA, "eth1", "192.168.1.9/24")
			}
			if c.near == "later" {
				w.b.ip("link set dev eth1 down", "addr flush dev eth1")
			}
			late := watchLateness(t)
			x := w.roaming()
			w.wantOnward(x, func() { c.change(w) })
			for _, p := range []*proc{x.sender, x.receiver} {
				// Which path is the better one depends on how long it takes.
				if at := p.last("connected"); c.path != "" && at.Path != c.path && late() < lateTime {
					t.Errorf("%s is connected by %s, want %s", p.title, at.Path, c.path)
				}
			}
		})
	}
}
