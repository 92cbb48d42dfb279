package e2e

import (
	"testing"
	"time"
)

// someTime is for a file of this size between homes that are not limited, on a
// machine that does much else at the same time.
const (
	someSize = 20_000_000
	someTime = time.Minute
)

// wantMet wants a file to travel over a path of that kind, past the helper.
func (w *homes) wantMet(from, to *host, helper, path string) *transfer {
	w.t.Helper()
	w.racing = true
	w.helper.startHelper()
	x := w.bySend(from, to, helper, w.file("film", someSize))
	x.wantDelivered(someTime)
	x.sender.wantSaid("connected: " + path)
	x.receiver.wantSaid("connected: " + path)
	w.wantNoData()
	return x
}

// TestThroughEveryNAT has what the kernel makes of ports on both sides. Both
// ways: who sends chooses the path and begins a moment later.
func TestThroughEveryNAT(t *testing.T) {
	t.Parallel()
	var (
		plain  = home{}
		mobile = home{carrier: true}
	)
	for _, c := range []struct {
		name string
		a, b home
	}{
		{"port changed, port changed", home{nat: highPorts}, home{nat: highPorts}},
		{"carrier, plain", mobile, plain},
		{"plain, carrier", plain, mobile},
		{"carrier, carrier", mobile, mobile},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newHomesOf(t, c.a, c.b)
			w.wantMet(w.a, w.b, helperAddr4, "punched")
		})
	}
}

// TestPublicMachineThroughEveryNAT: one side has no NAT at all.
func TestPublicMachineThroughEveryNAT(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"sender", "receiver"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			w := newHomesOf(t, home{nat: allRandom}, home{nat: allRandom})
			m := w.host("m")
			m.plug(w.public, "eth0", "203.0.113.50/24")
			from, to := w.a, m
			if role == "sender" {
				from, to = m, w.a
			}
			w.racing = true
			w.helper.startHelper()
			w.bySend(from, to, helperAddr4, w.file("film", someSize)).wantDelivered(someTime)
			w.wantNoData()
		})
	}
}
