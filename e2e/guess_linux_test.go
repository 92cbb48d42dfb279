package e2e

import (
	"testing"
	"time"
)

// TestGuessedPorts has a machine behind a NAT that gives every destination
// another port at random meet one whose router lets in only who was written to:
// the port has to be guessed. The helper has one port, which tells nothing of
// the NATs, or two.
func TestGuessedPorts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		a, b   home
		helper []string
	}{
		{"fully random to plain", home{nat: allRandom}, home{nat: keepsPort}, []string{helperPort, "443"}},
		{"plain to fully random", home{nat: keepsPort}, home{nat: allRandom}, []string{helperPort, "443"}},
		{"random to high ports", home{nat: random}, home{nat: highPorts}, []string{helperPort, "443"}},
		{"fully random to plain, a helper with one port", home{nat: allRandom}, home{nat: keepsPort}, []string{helperPort}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newHomesOf(t, c.a, c.b)
			p := w.helper.qft(append([]string{"helper"}, c.helper...)...)
			p.wantSay(10*time.Second, "listening")
			t.Cleanup(func() { stopHelper(p) })
			x := w.bySend(w.a, w.b, helperAddr4, w.file("small", 20<<20))
			x.wantDelivered(bigTime)
			x.report(c.name)
		})
	}
}
