package peer

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"qft/internal/nat"
	"qft/internal/udp"
)

// noLines notes what is dialled, and reaches nobody.
type noLines struct{ dialled, undialled []netip.AddrPort }

func (l *noLines) Dial(to netip.AddrPort, _ time.Duration) { l.dialled = append(l.dialled, to) }
func (l *noLines) Undial(a netip.AddrPort)                 { l.undialled = append(l.undialled, a) }
func (l *noLines) Trust(udp.Local)                         {}
func (l *noLines) Hang(udp.Local)                          {}
func (l *noLines) Renew()                                  {}
func (l *noLines) Port() uint16                            { return 5000 }

// TestPartnerMayNameFewAddresses: he may name anything, again and again, and
// has us dial eight at a time; what he says last counts, and never we ourselves.
func TestPartnerMayNameFewAddresses(t *testing.T) {
	own := netip.MustParseAddrPort("192.0.2.1:4000")
	lines := &noLines{}
	p := &Peer{cfg: Config{Lines: lines, Local: func() []netip.AddrPort { return []netip.AddrPort{own} }}}
	p.look(time.Unix(1, 0))
	last := netip.MustParseAddrPort("203.0.113.9:9")
	for i := range 1000 {
		var l nat.List
		for j := range 48 {
			a := netip.AddrFrom4([4]byte{198, 51, byte(i), byte(j)})
			l.Candidates = append(l.Candidates, nat.Candidate{Kind: nat.TCPHost, Addr: netip.AddrPortFrom(a, 80)})
		}
		l.Candidates = append(l.Candidates,
			nat.Candidate{Kind: nat.Host, Addr: netip.MustParseAddrPort("198.51.100.1:1")},
			nat.Candidate{Kind: nat.TCPHost, Addr: netip.AddrPortFrom(own.Addr(), 5000)},
			nat.Candidate{Kind: nat.TCPReflexive, Addr: last})
		p.heedLines(l)
	}
	if n := len(p.lines.partner); n != maxPartnerLines || p.lines.partner[n-1] != last {
		t.Errorf("%d addresses are dialled: %v", n, p.lines.partner)
	}
	if n := len(lines.undialled); n < 40_000 {
		t.Errorf("%d addresses are not dialled any more", n)
	}
	if slices.Contains(p.lines.partner, netip.AddrPortFrom(own.Addr(), 5000)) {
		t.Error("we would dial ourselves")
	}
}
