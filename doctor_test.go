package qft

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// diagnosed is a diagnosis in which what is named is set.
func diagnosed(set ...func(*Diagnosis)) *Diagnosis {
	d := &Diagnosis{
		Servers: []ServerCheck{{Name: "helper:4000", UDP: []UDPPort{{4000, true}, {443, true}, {53, false}}}},
		IPv4:    IPCheck{Asked: true, Outside: "203.0.113.5:4", NAT: Yes, OtherPorts: No, MTU: 1500},
		NAT:     NATCheck{Mapping: "independent", Destinations: 2, KeepsPort: Yes},
	}
	for _, f := range set {
		f(d)
	}
	return d
}

func mapping(m string) func(*Diagnosis) {
	return func(d *Diagnosis) {
		if d.NAT.Mapping = m; m == "unknown" {
			d.NAT.Destinations = 1
		}
	}
}

func direct(d *Diagnosis)     { d.IPv4.NAT = No }
func others(d *Diagnosis)     { d.IPv4.OtherPorts = Yes }
func unfiltered(d *Diagnosis) { d.IPv4.OtherPorts = Unknown }
func six(d *Diagnosis)        { d.IPv6 = IPCheck{Outside: "[2001:db8::1]:4", NAT: No, MTU: 1500} }
func no4(d *Diagnosis)        { d.IPv4 = IPCheck{} }
func door(d *Diagnosis) {
	d.Routers = []RouterCheck{{Protocol: "PCP", Speaks: true, Opened: []string{"203.0.113.5:9"}, Public: true}}
}
func pinhole(d *Diagnosis) {
	d.Routers = []RouterCheck{{Protocol: "PCP", Speaks: true, Opened: []string{"[2001:db8::1]:9"}, Public: true}}
}
func twice(d *Diagnosis) {
	d.Routers = []RouterCheck{{Protocol: "UPnP", Speaks: true, Said: "its own address 100.64.0.1 is not public: there is another NAT before it"}}
}
func narrow(d *Diagnosis) { d.IPv4.MTU = 0 }
func forgets(d *Diagnosis) {
	d.NAT.LivesLessS = 10
}

// overTCP has the server be silent over UDP.
func overTCP(state string) func(*Diagnosis) {
	return func(d *Diagnosis) {
		d.IPv4 = IPCheck{Asked: true}
		d.Servers[0].UDP = []UDPPort{{4000, false}}
		d.Servers[0].TCP = []TCPPort{{4000, state}}
	}
}

func answers(all ...UDPPort) func(*Diagnosis) {
	return func(d *Diagnosis) { d.Servers[0].UDP = all }
}

func nobody(d *Diagnosis) { d.Servers, d.IPv4 = nil, IPCheck{} }
func lost(d *Diagnosis) {
	d.Servers, d.IPv4 = []ServerCheck{{Name: "x", Error: "no such host"}}, IPCheck{}
}

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		name   string
		d      *Diagnosis
		rating Rating
		says   string
		advice string // a part of any of them; empty: there is none
	}{
		{"no NAT, no firewall", diagnosed(direct, others), RatingOpen, "no NAT and no firewall", ""},
		{"no NAT, firewall", diagnosed(direct), RatingGood, "only a firewall", ""},
		{"full cone", diagnosed(others), RatingOpen, "lets packets in", ""},
		{"port-restricted", diagnosed(), RatingGood, "Works with everybody: the NAT shows everyone the same port", ""},
		{"filter not known", diagnosed(unfiltered), RatingGood, "the same port", ""},
		{"preserving", diagnosed(mapping("preserving")), RatingGood, "except machines behind a NAT that gives each destination another port at random", "Turn on UPnP"},
		{"sequential", diagnosed(mapping("sequential"), six), RatingGood, "Over IPv6 it works with everybody", "Turn on UPnP"},
		{"random", diagnosed(mapping("random")), RatingLimited, "except machines behind a NAT that gives each destination another port", "Turn on UPnP"},
		{"random, full of holes", diagnosed(mapping("random"), others), RatingLimited, "except", "Turn on UPnP"},
		{"random, router opens ports", diagnosed(mapping("random"), door), RatingOpen, "the router opens a port", ""},
		{"random, router opens IPv6 only", diagnosed(mapping("random"), pinhole), RatingLimited, "except", "Turn on UPnP"},
		{"random, two NATs", diagnosed(mapping("random"), twice), RatingLimited, "except", "behind another NAT"},
		{"unknown, keeps the port", diagnosed(mapping("unknown")), RatingUnknown, "nearly everybody, probably", "a second server"},
		{"unknown", diagnosed(mapping("unknown"), func(d *Diagnosis) { d.NAT.KeepsPort = No }), RatingUnknown, "only one has", "a second server"},
		{"IPv6 only", diagnosed(no4, six), RatingLimited, "everybody who has IPv6", ""},
		{"UDP blocked", diagnosed(overTCP("connected")), RatingBlocked, "UDP is blocked: helper:4000 is reached over TCP", "let UDP out"},
		{"no helper there", diagnosed(overTCP("refused")), RatingUnknown, "either no helper runs there, or UDP is blocked", ""},
		{"nobody there", diagnosed(overTCP("silent")), RatingUnknown, "neither over UDP nor over TCP", ""},
		{"one port", diagnosed(answers(UDPPort{4000, false}, UDPPort{443, true})), RatingLimited, "UDP gets out to port 443 only", "let UDP out"},
		{"three ports", diagnosed(answers(UDPPort{4000, false}, UDPPort{53, true}, UDPPort{443, true}, UDPPort{123, true})), RatingLimited, "the ports 53, 123 and 443 only", "let UDP out"},
		{"nothing asked", diagnosed(nobody), RatingUnknown, "No server was asked", "Name a helper"},
		{"nothing asked, router opens ports", diagnosed(nobody, door), RatingUnknown, "can probably reach", "Name a helper"},
		{"name unknown", diagnosed(lost), RatingUnknown, "could be looked up", "x could not be asked: no such host"},
		{"small packets only", diagnosed(narrow), RatingBlocked, "packets of 1228 bytes do not get through", "a tunnel or a VPN"},
		{"small packets in IPv4 only", diagnosed(narrow, six), RatingGood, "Over IPv6", "Over IPv4 packets"},
		{"forgetful", diagnosed(forgets), RatingGood, "everybody", "within 10 s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := conclude(c.d)
			if v.Rating != c.rating || !strings.Contains(v.Text, c.says) {
				t.Errorf("%s: %q, want %s: … %q …", v.Rating, v.Text, c.rating, c.says)
			}
			found := slices.ContainsFunc(v.Advice, func(a string) bool { return strings.Contains(a, c.advice) })
			if found == (c.advice == "") && (c.advice != "" || len(v.Advice) > 0) {
				t.Errorf("advice %q, want %q", v.Advice, c.advice)
			}
		})
	}
}

// TestDiagnosisIsDocumented: docs/doctor.md has a section for each object and a
// row for each of its fields.
func TestDiagnosisIsDocumented(t *testing.T) {
	text, err := os.ReadFile("docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	described := make(map[string]bool)
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9_.]+)` \\|").FindAllStringSubmatch(string(text), -1) {
		described[m[1]] = true
	}
	var fields func(prefix string, of reflect.Type)
	have := make(map[string]bool)
	fields = func(prefix string, of reflect.Type) {
		for i := range of.NumField() {
			f := of.Field(i)
			name := prefix + f.Tag.Get("json")
			switch kind := f.Type; {
			case kind.Kind() == reflect.Struct:
				fields(name+".", kind)
			case kind.Kind() == reflect.Slice && kind.Elem().Kind() == reflect.Struct:
				fields(name+".", kind.Elem())
			default:
				have[strings.Replace(name, "ipv6.", "ipv4.", 1)] = true
			}
		}
	}
	fields("", reflect.TypeFor[Diagnosis]())
	for f := range have {
		if !described[f] {
			t.Errorf("docs/doctor.md does not describe %s", f)
		}
	}
	for f := range described {
		if !have[f] {
			t.Errorf("docs/doctor.md describes %s, which there is not", f)
		}
	}
}

// TestDoctorWithoutServers looks at this machine only, and has no lists that
// are null.
func TestDoctorWithoutServers(t *testing.T) {
	d, err := Doctor(t.Context(), DoctorConfig{NoPortMapping: true})
	if err != nil {
		t.Fatal(err)
	}
	if d.Verdict.Rating != RatingUnknown || d.Machine.ReceiveBuffer == 0 {
		t.Errorf("diagnosis %+v", d)
	}
	if b, err := json.Marshal(d); err != nil || strings.Contains(string(b), "null") {
		t.Errorf("%s, %v", b, err)
	}
	for _, server := range []string{"", "a host", "x:0", "x:y"} {
		if _, err := Doctor(t.Context(), DoctorConfig{Servers: []string{server}}); KindOf(err) != KindUsage {
			t.Errorf("server %q: %v", server, err)
		}
	}
}
