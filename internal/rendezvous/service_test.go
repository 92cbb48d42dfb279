package rendezvous

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"qft/internal/stun"
	"qft/internal/udp"
)

// paths hands the helper a packet that came by a path and returns what leaves.
func (d *desk) paths(p udp.Path, data []byte) (out []udp.Packet) {
	d.Receive(d.now, udp.Packet{Path: p, Data: data})
	d.batch.Reset()
	d.Send(d.now, d.batch)
	for p := range d.batch.All() {
		out = append(out, udp.Packet{Path: p.Path, Data: slices.Clone(p.Data)})
	}
	return out
}

var threePorts = []Port{{0, 4277}, {1, 443}, {2, 53}}

func TestCookiesNameTheOtherPortsWhereThatMakesThemNoLarger(t *testing.T) {
	many := threePorts
	for i := range uint16(9) {
		many = append(slices.Clip(many), Port{udp.Local(3 + i), 5000 + i})
	}
	for _, tt := range []struct {
		ports []Port
		local udp.Local
		q     request
		want  []uint16
	}{
		{nil, 0, request{typ: typeHello}, nil},
		{threePorts[:1], 0, request{typ: typeHello}, nil},
		{threePorts, 0, request{typ: typeHello}, []uint16{443, 53}},
		{threePorts, 1, request{typ: typeHello}, []uint16{4277, 53}},
		{threePorts, 2, request{typ: typeJoin, room: NumberedRoom(7), role: Sender}, []uint16{4277, 443}},
		{threePorts, 0, request{typ: typeLeave}, nil}, // 51 bytes
		{many, 0, request{typ: typeHello}, []uint16{443, 53, 5000, 5001, 5002, 5003}},
		{threePorts, udp.FirstLine, request{typ: typeHello}, []uint16{4277, 443, 53}}, // by TCP
	} {
		d := newDesk(t, ServerConfig{Ports: tt.ports})
		from := udp.Path{Local: tt.local, Remote: addr("192.0.2.1:1000")}
		b := tt.q.append(nil)
		out := d.paths(from, b)
		if len(out) != 1 || out[0].Path != from || len(out[0].Data) > len(b) {
			t.Fatalf("%+v: %v", tt, out)
		}
		if a, err := parseAnswer(out[0].Data); err != nil || !slices.Equal(a.ports, tt.want) {
			t.Errorf("port %d of %v: told of %v, want %v (%v)", tt.local, tt.ports, a.ports, tt.want, err)
		}
	}
}

func TestStunAnswersFromAnotherPortWhereThereIsOne(t *testing.T) {
	tx := stun.Tx{1}
	remote := addr("192.0.2.1:1000")
	for _, tt := range []struct {
		ports []Port
		local udp.Local
		other bool
		want  udp.Local
		ok    bool
	}{
		{threePorts, 0, false, 0, true},
		{threePorts, 0, true, 1, true},
		{threePorts, 1, true, 0, true},
		{threePorts[:1], 0, true, 0, false},
		{nil, 0, true, 0, false},
		{threePorts, udp.FirstLine, true, udp.FirstLine, false},
	} {
		d := newDesk(t, ServerConfig{Ports: tt.ports})
		q := stun.AppendProbe(nil, tx, 0, tt.other)
		out := d.paths(udp.Path{Local: tt.local, Remote: remote}, q)
		if len(out) != 1 || out[0].Local != tt.want || out[0].Remote != remote || len(out[0].Data) > len(q) {
			t.Fatalf("%+v: %v", tt, out)
		}
		if got, seen, ok := stun.ParseResponse(out[0].Data); !ok || got != tx || seen.IsValid() != tt.ok {
			t.Errorf("%+v: %v, %v", tt, seen, ok)
		}
	}
}

func TestAClientObservesWhatEachPortSees(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	d := newDesk(t, ServerConfig{Ports: threePorts})
	host := netip.MustParseAddr("198.51.100.1")
	c := NewClient(ClientConfig{Servers: []netip.AddrPort{netip.AddrPortFrom(host, 4277)}, Room: NumberedRoom(0), Role: Sender})
	batch := udp.NewBatch(1 << 16)
	outside := uint16(40_000) // of the NAT; it moves when told
	sent, lose := map[uint16]int{}, 0
	exchange := func() {
		batch.Reset()
		c.Send(now, batch)
		for p := range batch.All() {
			i := slices.IndexFunc(threePorts, func(x Port) bool { return x.Port == p.Remote.Port() })
			sent[p.Remote.Port()]++
			if lose > 0 && p.Remote.Port() == 53 {
				lose--
				continue
			}
			from := netip.AddrPortFrom(netip.MustParseAddr("203.0.113.9"), outside+uint16(i))
			d.now = now
			for _, a := range d.paths(udp.Path{Local: threePorts[i].Local, Remote: from}, p.Data) {
				c.Receive(now, udp.Packet{Path: udp.To(netip.AddrPortFrom(host, threePorts[a.Local].Port)), Data: a.Data})
			}
		}
	}
	run := func(d time.Duration) {
		for end := now.Add(d); now.Before(end); now = now.Add(10 * time.Millisecond) {
			exchange()
		}
	}
	check := func(first uint16) {
		t.Helper()
		seen := c.Observed()
		if len(seen) != 3 {
			t.Fatalf("observed %v", seen)
		}
		for i, want := range []uint16{4277, 443, 53} {
			o := seen[i]
			if o.Server != netip.AddrPortFrom(host, want) || o.Seen.Port() != first+uint16(i) || i > 0 && o.Order <= seen[i-1].Order {
				t.Errorf("observation %d: %+v", i, o)
			}
		}
	}
	lose = 2 // hellos to port 53
	run(40 * time.Millisecond)
	if n := len(c.Observed()); n != 2 {
		t.Errorf("%d observations after two round trips", n)
	}
	run(4 * time.Second)
	check(40_000)
	if sent[443] != 1 || sent[53] != 3 {
		t.Errorf("hellos to other ports: %v", sent)
	}
	run(5 * time.Minute)
	if sent[443] != 1 || sent[53] != 3 {
		t.Errorf("hellos to other ports while nothing changes: %v", sent)
	}
	outside = 50_000
	run(30 * time.Second)
	check(50_000)

	lose, outside = 1<<20, 60_000
	run(10 * time.Minute)
	if n := len(c.Observed()); n != 2 || sent[53] > 3+1+outTries {
		t.Errorf("a port that does not answer: %d observations, %v", n, sent)
	}
}

func TestAWaitThatNobodyEndsExpires(t *testing.T) {
	w := newWorld(t, 60)
	h := w.server(ServerConfig{Lifetime: 10 * time.Minute})
	met, other := w.pair(h)
	met.post(other.ID(), "hello")
	_, private := w.client("private", Sender, PrivateRoom([16]byte{1}), h.v4)
	_, lone := w.client("lone", Sender, NumberedRoom(0), h.v4)
	_, own := w.client("own phrase", Receiver, SharedRoom(7), h.v4)
	_, late := w.client("guest of the lone one", Receiver, NumberedRoom(4711), h.v4)
	w.run(9 * time.Minute)
	for _, g := range []*guest{met, other, private, lone, own, late} {
		if g.count(Joined) != 1 || g.count(Refused) != 0 {
			t.Fatalf("%s: %v", g.name, g.story())
		}
	}
	w.run(2 * time.Minute)
	for _, g := range []*guest{lone, own, late} {
		if g.count(Refused) != 1 || g.last(Refused).Err != ErrExpired {
			t.Errorf("%s: %v", g.name, g.story())
		}
	}
	w.run(30 * time.Minute) // it asks on, and that is no new wait
	for _, g := range []*guest{met, other, private} {
		if g.count(Refused) != 0 || g.count(Departed) != 0 {
			t.Errorf("%s: %v", g.name, g.story())
		}
	}
	if st := h.machine.(*Server).Stats(); st.Rooms != 2 || st.Outlived != 3 || lone.count(Refused) != 1 || lone.count(Back) != 0 {
		t.Errorf("%+v, %v", st, lone.story())
	}

	// Whoever comes back to the number of a meeting waits on, as it does in it.
	number := met.last(Joined).Number
	met.Leave()
	other.Leave()
	w.run(time.Minute)
	_, back := w.client("back", Sender, NumberedRoom(number), h.v4)
	w.run(time.Hour)
	if back.count(Joined) != 1 || back.count(Refused) != 0 {
		t.Errorf("%v", back.story())
	}
}

func TestAPrivateHelperLetsInWhoShowsItsSecret(t *testing.T) {
	w := newWorld(t, 61)
	h := w.server(ServerConfig{Secrets: [][]byte{[]byte("old"), []byte("new")}})
	sv := h.machine.(*Server)
	come := func(secret string) *guest {
		cfg := ClientConfig{Servers: []netip.AddrPort{h.v4}, Room: NumberedRoom(0), Role: Sender, Rand: w.bytes()}
		if secret != "" {
			cfg.Secret = []byte(secret)
		}
		c := NewClient(cfg)
		w.add("client", c)
		return &guest{Client: c, w: w, name: "with " + secret}
	}
	old, fresh, wrong, none := come("old"), come("new"), come("knock"), come("")
	w.run(5 * time.Minute)
	for g, want := range map[*guest]error{old: nil, fresh: nil, wrong: ErrDenied, none: ErrDenied} {
		if want == nil && (g.count(Joined) != 1 || g.count(Refused) != 0) || want != nil && (g.count(Joined) != 0 || g.last(Refused).Err != want) {
			t.Errorf("%s: %v", g.name, g.story())
		}
	}
	if st := sv.Stats(); st.Members != 2 || st.Denied == 0 {
		t.Errorf("%+v", st)
	}
	sv.Reload(ServerConfig{Secrets: [][]byte{[]byte("new")}})
	w.run(2 * time.Minute)
	if old.last(Refused).Err != ErrDenied || fresh.count(Refused) != 0 || sv.Stats().Members != 1 {
		t.Errorf("after a reload: %v, %v, %+v", old.story(), fresh.story(), sv.Stats())
	}

	// A MAC is worth nothing to who hears it: it is for one key and cookie.
	d := newDesk(t, ServerConfig{Secrets: [][]byte{[]byte("s")}})
	from := addr("192.0.2.1:1000")
	q := request{typ: typeJoin, cookie: d.cookie(from), req: 1, room: NumberedRoom(7), role: Sender, key: testKey(1)}
	q.mac = newMAC([]byte("s"), q.cookie, q.key)
	q.key = testKey(2)
	if a := d.ask(from, q)[0]; a.code != refusedDenied {
		t.Errorf("with another's MAC: %+v", a)
	}
}

func TestADrainingHelperTakesNoNewRooms(t *testing.T) {
	w := newWorld(t, 62)
	h := w.server(ServerConfig{})
	_, s := w.client("sender", Sender, NumberedRoom(0), h.v4)
	w.until(time.Minute, "sender joins", s.has(Joined))
	sv := h.machine.(*Server)
	sv.Drain()
	_, r := w.client("receiver", Receiver, NumberedRoom(s.last(Joined).Number), h.v4)
	w.until(time.Second, "the receiver of one who waits is let in", s.has(Arrived))
	_, late := w.client("late", Sender, NumberedRoom(0), h.v4)
	_, later := w.client("later", Receiver, SharedRoom(9), h.v4)
	w.run(time.Minute)
	if late.last(Refused).Err != ErrBusy || later.last(Refused).Err != ErrBusy || r.count(Refused) != 0 {
		t.Errorf("%v, %v, %v", late.story(), later.story(), r.story())
	}
	s.Leave()
	r.Leave()
	w.run(time.Second)
	if n := sv.Stats().Members; n != 0 {
		t.Errorf("%d members are left", n)
	}
}

// TestADrainingInstanceLeavesNewcomersToOthers: it is silent to them, and
// answers its members.
func TestADrainingInstanceLeavesNewcomersToOthers(t *testing.T) {
	d := newDesk(t, ServerConfig{Bus: true})
	from := addr("192.0.2.1:1000")
	q := request{typ: typeJoin, cookie: d.cookie(from), req: 1, room: NumberedRoom(7), role: Sender, key: testKey(1)}
	d.ask(from, q)
	d.Drain()
	if a := d.ask(addr("192.0.2.2:1000"), request{typ: typeHello}); len(a) != 0 {
		t.Errorf("a newcomer got %+v", a)
	}
	q.req++
	if a := d.ask(from, q); len(a) != 1 || a[0].typ != typeJoined {
		t.Errorf("a member got %+v", a)
	}
}

func TestBehindAProxyEachClientIsItself(t *testing.T) {
	d := newDesk(t, ServerConfig{SourceMembers: 1})
	proxy := udp.Path{Local: 1, Remote: addr("10.0.0.1:7000")}
	ask := func(client string, q request) answer {
		t.Helper()
		d.ReceiveFor(d.now, udp.Packet{Path: proxy, Data: q.append(nil)}, addr(client))
		d.batch.Reset()
		d.Send(d.now, d.batch)
		for p := range d.batch.All() {
			a, err := parseAnswer(p.Data)
			if err != nil || p.Path != proxy {
				t.Fatalf("%v, %v", p, err)
			}
			return a
		}
		t.Fatal("no answer")
		return answer{}
	}
	join := func(client string, k byte, room Room, role Role) answer {
		c := ask(client, request{typ: typeHello})
		if c.observed != addr(client) {
			t.Errorf("%s is told that it is %v", client, c.observed)
		}
		return ask(client, request{typ: typeJoin, cookie: c.cookie, req: 1, room: room, role: role, key: testKey(k)})
	}
	a, b := "192.0.2.1:1000", "192.0.2.2:1000"
	if x := join(a, 1, NumberedRoom(7), Sender); x.typ != typeJoined || x.observed != addr(a) {
		t.Fatalf("%+v", x)
	}
	if x := join(a, 2, NumberedRoom(8), Sender); x.code != refusedBusy {
		t.Errorf("the limits of a client are the proxy's: %+v", x)
	}
	if x := join(b, 3, NumberedRoom(9), Sender); x.typ != typeJoined {
		t.Errorf("the limits of a client are the proxy's: %+v", x)
	}
	cookieOfA := ask(a, request{typ: typeHello}).cookie
	if x := ask(b, request{typ: typeLeave, cookie: cookieOfA, from: testKey(1).id()}); x.typ != typeCookie {
		t.Errorf("a cookie of one client passed at another: %+v", x)
	}
	cookieOfB := ask(b, request{typ: typeHello}).cookie
	if x := ask(b, request{typ: typeAck, cookie: cookieOfB, from: testKey(1).id(), to: testKey(3).id(), seq: 1}); x.code != refusedUnknown {
		t.Errorf("one client passed for another by the same proxy: %+v", x)
	}
	d.ReceiveFor(d.now, udp.Packet{Path: proxy, Data: stun.AppendProbe(nil, stun.Tx{}, 0, true)}, addr(a))
	d.batch.Reset()
	d.Send(d.now, d.batch)
	for p := range d.batch.All() {
		if _, seen, ok := stun.ParseResponse(p.Data); !ok || p.Path != proxy || seen.IsValid() {
			t.Errorf("another port cannot answer through a proxy: %v, %v", p.Path, seen)
		}
	}
}

func TestLinkLocalMembersKeepTheirZone(t *testing.T) {
	d := newDesk(t, ServerConfig{})
	for i, zone := range []string{"eth0", "eth1", "", "eth0"} {
		from := netip.AddrPortFrom(netip.MustParseAddr("fe80::1").WithZone(zone), uint16(1000+i))
		p := udp.To(from)
		if got := d.zones.path(d.zones.pack(p)); got != p {
			t.Errorf("%v became %v", p, got)
		}
	}
	if len(d.zones) != 2 {
		t.Errorf("%v", d.zones)
	}
}
