package nat

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"qft/internal/udp"
)

// wire is two agents with up to two ways between them, each with its delay: a
// line, and UDP.
type wire struct {
	t      *testing.T
	now    time.Time
	agents [2]*Agent
	lines  [2]udp.Path // as either side sees it
	hosts  [2]netip.AddrPort
	line   bool // is there
	udp    bool // passes
	flying []wireShot
}

type wireShot struct {
	at   time.Time
	to   int
	path udp.Path
	data []byte
}

func newWire(t *testing.T) *wire {
	w := &wire{t: t, now: epoch, hosts: [2]netip.AddrPort{
		netip.MustParseAddrPort("203.0.113.1:1"), netip.MustParseAddrPort("203.0.113.2:2"),
	}}
	source := rand.NewChaCha8([32]byte{})
	box := newBox(source)
	for i := range w.agents {
		w.lines[i] = udp.Path{Local: udp.FirstLine + udp.Local(i), Remote: netip.AddrPortFrom(w.hosts[1-i].Addr(), 4000)}
		w.agents[i] = NewAgent(epoch, Config{Box: box, Controlling: i == 0, Rand: source})
	}
	return w
}

func (w *wire) up() {
	w.line = true
	for i, a := range w.agents {
		a.AddLine(w.now, w.lines[i])
	}
}

func (w *wire) down() {
	w.line = false
	for i, a := range w.agents {
		a.DropLine(w.now, w.lines[i])
	}
}

// run lets d pass.
func (w *wire) run(d time.Duration) {
	batch := udp.NewBatch(1 << 16)
	for end := w.now.Add(d); ; {
		next := end
		var rest []wireShot
		for _, s := range w.flying {
			if s.at.After(w.now) {
				rest = append(rest, s)
				if s.at.Before(next) {
					next = s.at
				}
				continue
			}
			w.agents[s.to].Receive(w.now, udp.Packet{Path: s.path, Data: s.data})
		}
		w.flying = rest
		for i, a := range w.agents {
			batch.Reset()
			a.Send(w.now, batch)
			for p := range batch.All() {
				s := wireShot{at: w.now.Add(20 * time.Millisecond), to: 1 - i, data: append([]byte(nil), p.Data...)}
				switch {
				case p.Path == w.lines[i] && w.line:
					s.path = w.lines[1-i]
				case p.Path == udp.To(w.hosts[1-i]) && w.udp:
					s.path = udp.To(w.hosts[i])
				default:
					continue
				}
				w.flying = append(w.flying, s)
				if s.at.Before(next) {
					next = s.at
				}
			}
			if d := a.Deadline(); !d.IsZero() && d.Before(next) {
				next = d
			}
		}
		if !next.Before(end) {
			w.now = end
			return
		}
		w.now = next
	}
}

// want wants both sides to use a path of that kind; "" is none.
func (w *wire) want(via string) {
	w.t.Helper()
	for i, a := range w.agents {
		path, ok := a.Best()
		if ok != (via != "") || ok && path.Via != via {
			w.t.Errorf("after %v side %d has %v %q, want %q", w.now.Sub(epoch), i, ok, path.Via, via)
		}
		if via == "TCP" && path.Way != w.lines[i] {
			w.t.Errorf("side %d has %v, want the line %v", i, path.Way, w.lines[i])
		}
	}
}

func (w *wire) tellHosts() {
	for i, a := range w.agents {
		a.AddRemote(w.now, List{Candidates: []Candidate{{Reflexive, w.hosts[1-i]}}})
	}
}

func TestALineIsAPathWhereUDPIsNot(t *testing.T) {
	w := newWire(t)
	w.tellHosts()
	w.run(3 * time.Second)
	w.want("")
	w.up()
	w.run(time.Second)
	w.want("TCP")
}

func TestUDPIsPreferredToALineWheneverItComes(t *testing.T) {
	w := newWire(t)
	w.udp = true
	w.up()
	w.tellHosts()
	w.run(time.Second)
	w.want("punched")

	// UDP that begins to pass a moment after the line was chosen.
	w = newWire(t)
	w.up()
	w.tellHosts()
	w.run(time.Second)
	w.want("TCP")
	w.udp = true
	w.run(2 * time.Second)
	w.want("punched")
}

func TestALineThatBreaksIsLeftAndItsSuccessorTaken(t *testing.T) {
	w := newWire(t)
	w.tellHosts()
	w.up()
	w.run(time.Second)
	w.want("TCP")
	w.down()
	w.run(time.Second)
	w.want("")
	for i := range w.lines {
		w.lines[i].Local += 2
	}
	w.up()
	w.run(time.Second)
	w.want("TCP")
}

func TestNewAddressesOfTheOwnSideLeaveLinesWhatTheyAre(t *testing.T) {
	w := newWire(t)
	w.up()
	w.run(time.Second)
	for i, a := range w.agents {
		a.SetLocal(w.now, List{Candidates: []Candidate{{Host, w.hosts[i]}, {Host, w.hosts[1-i]}}})
		a.Restart(w.now, List{Candidates: []Candidate{{Reflexive, w.hosts[1-i]}}}, List{})
	}
	w.run(time.Second)
	w.want("TCP")
}

func TestLinesAreBoundedAndStrangersAmongThemHarmless(t *testing.T) {
	w := newWire(t)
	a := w.agents[0]
	for i := range 1000 {
		a.AddLine(w.now, udp.Path{Local: 0x9000 + udp.Local(i), Remote: w.lines[0].Remote})
	}
	if len(a.pairs) != maxLines {
		t.Errorf("%d lines are probed, want %d", len(a.pairs), maxLines)
	}
	for i := range 1000 {
		at := udp.Path{Local: 0x9000 + udp.Local(i), Remote: w.lines[0].Remote}
		a.Receive(w.now, udp.Packet{Path: at, Data: make([]byte, fullSize)})
		a.DropLine(w.now, at)
	}
	if len(a.pairs) != 0 {
		t.Errorf("%d lines are still there", len(a.pairs))
	}
	w.up()
	w.run(time.Second)
	w.want("TCP")
}

func TestReportSaysThatUDPIsBlocked(t *testing.T) {
	w := newWire(t)
	w.agents[0].SetLocal(w.now, List{Candidates: []Candidate{{Host, w.hosts[0]}}, Flags: NoUDP})
	w.agents[1].AddRemote(w.now, List{Candidates: []Candidate{{Host, w.hosts[0]}}, Flags: NoUDP})
	w.agents[0].AddRemote(w.now, List{Candidates: []Candidate{{Host, w.hosts[1]}}})
	w.run(31 * time.Second)
	for i, whose := range []string{"this side's network lets no UDP out", "the peer's network lets no UDP out"} {
		r := w.agents[i].Report(w.now)
		if text := r.String(); !strings.Contains(text, whose) || !strings.Contains(text, "; no UDP gets out") || strings.Contains(text, "may be blocked") {
			t.Errorf("side %d reports\n%s", i, text)
		}
	}
}
