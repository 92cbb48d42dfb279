package e2e

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

const (
	// outage is how long a side sleeps, or a link is cut: long enough for a
	// firewall to forget, and for a person to have closed the lid.
	outage = 60 * time.Second

	// backWithin is how soon data must flow again once it can.
	backWithin = 3 * time.Second

	// moving is how many further bytes on the receiver's link show that data
	// flows: many times what probing sends meanwhile.
	moving = 1 << 20

	// uplink is what the sender's provider allows, in Mbit/s.
	uplink = 40
)

// slowTransfer is a transfer between two homes through an uplink that keeps it going
// for some ten seconds, with a part of it already across.
func slowTransfer(t *testing.T) (*homes, *transfer) {
	t.Helper()
	if testing.Short() {
		t.Skip("an outage takes a minute of real time")
	}
	t.Parallel()
	w := newHomes(t, "")
	w.routerA.limit("wan", fmt.Sprintf("%dmbit", uplink))
	w.helper.startHelper()
	x := w.bySend(w.a, w.b, helperAddr4, w.file("holiday.tar", 48<<20))
	x.receiver.wantSay(patience, "connected")
	eventually(t, bigTime, "an eighth of the file", func() bool { return w.b.traffic("eth0").in > x.file.size/8 })
	return w, x
}

// goesOn wants data to flow again soon, and the file to arrive.
func (w *homes) goesOn(x *transfer, within time.Duration) {
	w.t.Helper()
	before := w.b.traffic("eth0").in
	took := soonEnough(w.t, within, "data flows again", func() bool { return w.b.traffic("eth0").in > before+moving })
	w.t.Logf("CONTINUED after %.2f s", took.Seconds())
	again := time.Now()
	before = w.b.traffic("eth0").in
	x.wantDelivered(time.Minute)
	rest, d := w.b.traffic("eth0").in-before, x.receiver.ended.Sub(again)
	rate := float64(rest) * 8 / d.Seconds() / 1e6
	w.t.Logf("REST %d MB at %.1f of %d Mbit/s", rest/1e6, rate, uplink)
	if rate < uplink/4 {
		w.t.Errorf("it goes on, but only at %.1f of %d Mbit/s", rate, uplink)
	}
	w.wantNoData()
}

// pass lets real time pass: it is what these tests are about.
func pass(d time.Duration) { <-time.After(d) }

func TestGoesOnAfterSleep(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		who  func(x *transfer) []*proc
	}{
		{"sender", func(x *transfer) []*proc { return []*proc{x.sender} }},
		{"receiver", func(x *transfer) []*proc { return []*proc{x.receiver} }},
		{"both", func(x *transfer) []*proc { return []*proc{x.sender, x.receiver} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, x := slowTransfer(t)
			for _, p := range c.who(x) {
				p.signal(syscall.SIGSTOP)
			}
			pass(outage)
			if c.name != "both" {
				awake := map[string]*proc{"sender": x.receiver, "receiver": x.sender}[c.name]
				awake.wantSaid("contact lost since")
			}
			for _, p := range c.who(x) {
				p.signal(syscall.SIGCONT)
			}
			w.goesOn(x, backWithin)
		})
	}
}

func TestGoesOnAfterCut(t *testing.T) {
	t.Parallel()
	t.Run("unplugged", func(t *testing.T) {
		w, x := slowTransfer(t)
		t.Log("# B's own cable: B has no address in use and no route meanwhile")
		w.b.ip("link set dev eth0 down")
		pass(outage)
		x.receiver.wantSaid("contact lost since")
		x.sender.wantSaid("contact lost since")
		w.b.ip("link set dev eth0 up", "route add default via 192.168.2.1")
		w.goesOn(x, backWithin)
		x.receiver.wantSaid("contact is back")
	})
	t.Run("forgotten", func(t *testing.T) {
		w, x := slowTransfer(t)
		t.Log("# the provider's line is dead, and both routers forget the mapping meanwhile")
		for _, r := range []*host{w.routerA, w.routerB} {
			r.sysctl("net/netfilter/nf_conntrack_udp_timeout", "10")
			r.sysctl("net/netfilter/nf_conntrack_udp_timeout_stream", "10")
		}
		w.public.ip("link set dev rb.wan down")
		pass(outage)
		x.sender.wantSaid("contact lost since")
		w.public.ip("link set dev rb.wan up")
		w.goesOn(x, backWithin)
	})
}
