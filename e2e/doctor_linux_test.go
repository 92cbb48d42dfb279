package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// doctorTime is how long a diagnosis may take: 20 s of it are waiting for a
// mapping to be forgotten.
const doctorTime = 45 * time.Second

// twoPorts runs a helper as a doctor likes it.
func (h *host) twoPorts(also string) *proc {
	h.w.t.Helper()
	p := h.qft("helper", helperPort, also)
	p.wantSay(patience, "listening")
	h.w.t.Cleanup(func() { stopHelper(p) })
	return p
}

// diagnosis is as much of one as these tests look at.
type diagnosis struct {
	Verdict struct{ Rating, Text string }
	IPv4    struct {
		Outside, NAT string
		OtherPorts   string `json:"other_ports"`
		MTU          int
	}
	IPv6 struct {
		Outside    string
		OtherPorts string `json:"other_ports"`
	}
	NAT struct {
		Mapping, Hairpin string
		LivesS           float64 `json:"lives_s"`
	}
	Routers []struct {
		Protocol string
		Public   bool
		Opened   []string
	}
}

// TestDoctor: what is told of real networks is true, and the words that a
// person reads come to the right conclusion.
func TestDoctor(t *testing.T) {
	for _, c := range []struct {
		name    string
		home    home
		servers []string // if none, the helper by IPv4
		prepare func(w *homes)
		says    []string // to a person
		rating  string
		check   func(d *diagnosis) bool
	}{
		{
			name: "masquerade", home: home{nat: keepsPort}, rating: "good",
			says:  []string{"the same port for every destination, the inside one", "lets in answers only", "a connection is kept for 20 s or longer", "Works with everybody"},
			check: func(d *diagnosis) bool { return d.NAT.Mapping == "independent" && d.NAT.LivesS == 20 },
		},
		{
			name: "fully random", home: home{nat: allRandom}, rating: "limited",
			says:  []string{"another port for each destination, at random", "except machines behind a NAT that gives each destination another port", "Turn on UPnP"},
			check: func(d *diagnosis) bool { return d.NAT.Mapping == "random" },
		},
		{
			name: "UDP blocked but 443", home: home{nat: keepsPort}, rating: "limited",
			prepare: func(w *homes) { w.routerA.block("udp dport 443 accept\nudp sport 443 accept\nmeta l4proto udp") },
			says:    []string{"UDP answers at 443; not at 4000", "UDP gets out to port 443 only"},
			check:   func(d *diagnosis) bool { return d.IPv4.MTU == 1500 },
		},
		{
			name: "UDP blocked", home: home{nat: keepsPort}, rating: "blocked",
			prepare: func(w *homes) { w.routerA.blockUDP() },
			says:    []string{"no answer over UDP; TCP at 4000, 443", "UDP is blocked: 203.0.113.10:4000 is reached over TCP"},
			check:   func(d *diagnosis) bool { return d.IPv4.Outside == "" },
		},
		{
			name: "router that opens ports", home: home{nat: allRandom, opens: "UPnP PCP"}, rating: "open",
			says:  []string{"opens ports by PCP", "opens ports by UPnP", "Works with everybody: the router opens a port"},
			check: func(d *diagnosis) bool { return d.NAT.Mapping == "random" },
		},
		{
			name: "IPv6 behind a firewall", home: home{nat: allRandom, v6: true}, rating: "limited",
			servers: []string{helperAddr4, helperAddr6},
			says:    []string{"IPv4: lets in answers only; IPv6: lets in answers only", "no NAT", "Over IPv6 it works with everybody"},
			check:   func(d *diagnosis) bool { return d.IPv6.OtherPorts == "no" && d.NAT.Mapping == "random" },
		},
		{
			name: "carrier's NAT", home: home{nat: keepsPort, carrier: true}, rating: "good",
			says:  []string{"behind a NAT", "Works with everybody"},
			check: func(d *diagnosis) bool { return d.NAT.Mapping == "independent" },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newHomesOf(t, c.home, home{nat: keepsPort, v6: c.home.v6})
			w.helper.twoPorts("443")
			if c.prepare != nil {
				c.prepare(w)
			}
			if len(c.servers) == 0 {
				c.servers = []string{helperAddr4}
			}
			d := w.a.diagnose(c.servers...)(c.rating, c.says...)
			if !c.check(d) {
				t.Errorf("diagnosis: %+v", *d)
			}
		})
	}
}

// diagnose starts the doctor twice, for a person and for a program; the
// function waits for both, and for what they are to come to.
func (h *host) diagnose(servers ...string) func(rating string, says ...string) *diagnosis {
	h.w.t.Helper()
	words := h.qft(append([]string{"doctor"}, servers...)...)
	lines := h.qft(append([]string{"doctor", "--json"}, servers...)...)
	return func(rating string, says ...string) *diagnosis {
		h.w.t.Helper()
		code := 0
		if rating == "limited" || rating == "blocked" {
			code = 16
		}
		words.wantEnd(doctorTime, code)
		lines.wantEnd(doctorTime, code)
		text := strings.Join(strings.Fields(words.out.text()), " ")
		h.w.t.Log(indent(words.out.text()))
		for _, s := range says {
			if !strings.Contains(text, s) {
				h.w.t.Errorf("the doctor did not say %q", s)
			}
		}
		d := new(diagnosis)
		if err := json.Unmarshal([]byte(lines.out.text()), d); err != nil {
			h.w.t.Fatalf("%v: %s", err, lines.out.text())
		}
		if d.Verdict.Rating != rating {
			h.w.t.Errorf("the verdict is %s, want %s", d.Verdict.Rating, rating)
		}
		return d
	}
}

// TestDoctorOnOpenNetworks: without a NAT, and behind a firewall for IPv6.
func TestDoctorOnOpenNetworks(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	w.a.twoPorts("443")
	d := w.b.diagnose(pairHelper)("open", "192.0.2.2:", "no NAT", "lets in other ports", "Works with everybody: there is no NAT and no firewall")
	if d.IPv4.NAT != "no" {
		t.Errorf("diagnosis: %+v", *d)
	}
	w6 := newHomes6(t)
	w6.helper.twoPorts("443")
	d = w6.a.diagnose(helperAddr6)("limited", "IPv4 none", "IPv6: lets in answers only", "Works with everybody who has IPv6")
	if d.IPv6.OtherPorts != "no" || d.IPv4.Outside != "" {
		t.Errorf("diagnosis: %+v", *d)
	}
}

// TestDoctorWhereNobodyAnswers: it says so, and does not hang.
func TestDoctorWhereNobodyAnswers(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	for server, says := range map[string]string{
		"192.0.2.1:4999":      "is there, and does not answer over UDP",
		"192.0.2.99:4000":     "No server answers, neither over UDP nor over TCP",
		"helper.invalid:4000": "No server could be looked up",
	} {
		p := w.b.qft("doctor", "--no-portmap", server)
		p.wantEndSoon(15*time.Second, 17)
		if text := strings.Join(strings.Fields(p.out.text()), " "); !strings.Contains(text, says) {
			t.Errorf("%s: the doctor did not say %q:\n%s", server, says, p.out.text())
		}
	}
	p := w.b.qft("doctor", "non sense")
	p.wantEnd(patience, 2)
	p = w.b.qft("doctor")
	p.wantEndSoon(15*time.Second, 17)
}
