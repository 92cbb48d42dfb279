package rendezvous

import (
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

func sampleRequests() []request {
	tok, ck := token{1, 2, 3, 4, 5, 6, 7, 8}, cookie{0xc0, 15: 0xcf}
	a, b := ID{0xaa, 15: 0xa0}, ID{0xbb, 15: 0xb0}
	return []request{
		{typ: typeHello, token: tok},
		{typ: typeJoin, token: tok, cookie: ck, req: 0x01020304, room: NumberedRoom(7), role: Sender, key: key{0xee, 15: 0xef}, mac: mac{0xdd, 15: 0xd0}},
		{typ: typeNote, token: tok, cookie: ck, from: a, to: b, seq: 256, part: newPart(4, 5), data: []byte("hi")},
		{typ: typeAck, token: tok, cookie: ck, from: a, to: b, seq: 3},
		{typ: typeLeave, token: tok, cookie: ck, from: a, req: 9},
	}
}

func sampleAnswers() []answer {
	tok, ck := token{1, 2, 3, 4, 5, 6, 7, 8}, cookie{0xc0, 15: 0xcf}
	a, b := ID{0xaa, 15: 0xa0}, ID{0xbb, 15: 0xb0}
	v4, v6 := netip.MustParseAddrPort("192.0.2.1:32853"), netip.MustParseAddrPort("[2001:db8::9]:1")
	return []answer{
		{typ: typeCookie, token: tok, cookie: ck, observed: v4},
		{typ: typeCookie, token: tok, cookie: ck, observed: v4, ports: []uint16{53, 443}},
		{typ: typeJoined, token: tok, cookie: ck, observed: v6, req: 5, roster: roster{born: 6, version: 7, number: 8, members: []ID{a, b}}},
		{typ: typePush, token: tok, from: a, seq: 2, part: newPart(0, 1), data: []byte("hi")},
		{typ: typeAcked, token: tok, from: a, seq: 3},
		{typ: typeRefused, token: tok, code: refusedTaken, req: 4},
		{typ: typeLeft, token: tok},
	}
}

// TestWireLayout pins the bytes: a change here is another version.
func TestWireLayout(t *testing.T) {
	head := func(typ string) string { return "51" + typ + "01" + "0102030405060708" }
	ck := "c0" + strings.Repeat("00", 14) + "cf"
	a, b := "aa"+strings.Repeat("00", 14)+"a0", "bb"+strings.Repeat("00", 14)+"b0"
	want := []string{
		head("01") + strings.Repeat("00", 49),
		head("02") + ck + "01020304" + "01" + "01" + strings.Repeat("00", 15) + "07" + "ee" + strings.Repeat("00", 14) + "ef" + "dd" + strings.Repeat("00", 14) + "d0",
		head("03") + ck + a + b + "00000100" + "45" + "6869",
		head("04") + ck + a + b + "00000003",
		head("05") + ck + a + "00000009",
		head("11") + ck + "01020304050607080102fcfbc50605098157" + "00",
		head("11") + ck + "01020304050607080102fcfbc50605098157" + "02003501bb",
		head("12") + ck + "21030ebc0506070801020304050607010103" + "00000005" + "00000006" + "00000007" + "00000008" + "02" + a + b,
		head("13") + a + "00000002" + "01" + "6869",
		head("14") + a + "00000003",
		head("15") + "02" + "00000004",
		head("16"),
	}
	var got [][]byte
	for _, m := range sampleRequests() {
		got = append(got, m.append(nil))
	}
	for _, m := range sampleAnswers() {
		got = append(got, m.append(nil))
	}
	for i, w := range want {
		if h := hex.EncodeToString(got[i][:len(got[i])-sumSize]); h != w {
			t.Errorf("message %d:\n got %s\nwant %s", i, h, w)
		}
	}
}

func TestMessagesSurviveTheWire(t *testing.T) {
	for _, m := range sampleRequests() {
		got, err := parseRequest(m.append(nil))
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("sent %+v, got %+v, %v", m, got, err)
		}
	}
	for _, m := range sampleAnswers() {
		got, err := parseAnswer(m.append(nil))
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("sent %+v, got %+v, %v", m, got, err)
		}
	}
}

func TestEverySizeButTheRightOneIsRefused(t *testing.T) {
	check := func(b []byte, parse func([]byte) error, longer bool) {
		t.Helper()
		body := b[:len(b)-sumSize]
		for n := range len(body) {
			if parse(finish(append([]byte(nil), body[:n]...), 0)) == nil {
				t.Errorf("type %#x: taken at %d of %d bytes", b[1], n+sumSize, len(b))
			}
		}
		if parse(finish(append([]byte(nil), append(body, 0)...), 0)) == nil && !longer {
			t.Errorf("type %#x: taken with a byte too many", b[1])
		}
	}
	for _, m := range sampleRequests() {
		m.data = nil
		if m.typ == typeNote {
			m.part = newPart(0, 1)
		}
		check(m.append(nil), func(b []byte) error { _, err := parseRequest(b); return err }, m.typ == typeHello || m.typ == typeNote)
	}
	for _, m := range sampleAnswers() {
		m.data = nil
		check(m.append(nil), func(b []byte) error { _, err := parseAnswer(b); return err }, m.typ == typePush)
	}
}

func TestAnyFlippedBitIsNoticed(t *testing.T) {
	for _, m := range sampleRequests() {
		b := m.append(nil)
		for bit := range 8 * len(b) {
			b[bit/8] ^= 1 << (bit % 8)
			if _, err := parseRequest(b); err == nil {
				t.Fatalf("type %d: bit %d", m.typ, bit)
			}
			b[bit/8] ^= 1 << (bit % 8)
		}
	}
}

func TestNonsenseFieldsAreRefused(t *testing.T) {
	join := sampleRequests()[1]
	for name, change := range map[string]func(*request){
		"no kind":                   func(q *request) { q.room = Room{} },
		"kind to come":              func(q *request) { q.room.Kind = 4 },
		"number with more to it":    func(q *request) { q.room.Name[0] = 1 },
		"shared beyond 20 bits":     func(q *request) { q.room = Room{Kind: Shared, Name: NumberedRoom(1 << 20).Name} },
		"no role":                   func(q *request) { q.role = 0 },
		"role to come":              func(q *request) { q.role = 3 },
		"receiver without a number": func(q *request) { q.role, q.room = Receiver, NumberedRoom(0) },
	} {
		q := join
		change(&q)
		if _, err := parseRequest(q.append(nil)); err == nil {
			t.Errorf("join with %s was taken", name)
		}
	}
	id := ID{1}
	for name, m := range map[string]answer{
		"nobody's ID":       {typ: typeJoined, observed: addr("192.0.2.1:1"), roster: roster{members: []ID{{}}}},
		"one member twice":  {typ: typeJoined, observed: addr("192.0.2.1:1"), roster: roster{members: []ID{id, id}}},
		"too many members":  {typ: typeJoined, observed: addr("192.0.2.1:1"), roster: roster{members: make([]ID, 17)}},
		"no address":        {typ: typeCookie},
		"port 0":            {typ: typeCookie, observed: addr("192.0.2.1:0")},
		"multicast address": {typ: typeCookie, observed: addr("224.0.0.1:1")},
		"note 0":            {typ: typePush, from: id, seq: 0, part: newPart(0, 1)},
		"note 257":          {typ: typePush, from: id, seq: 257, part: newPart(0, 1)},
	} {
		if _, err := parseAnswer(m.append(nil)); err == nil {
			t.Errorf("answer with %s was taken", name)
		}
	}
}

func TestThereIsOneWayToSplitAMessage(t *testing.T) {
	for size := range MaxMessage + 1 {
		var o outgoing
		if !o.post(make([]byte, size)) {
			t.Fatalf("%d bytes do not fit", size)
		}
		for i, n := range o.notes {
			if !validNote(uint32(i+1), n.part, n.data) {
				t.Fatalf("note %d of %d bytes is not valid", i, size)
			}
		}
	}
	taken := 0
	for p := range 256 {
		for n := range noteData + 1 {
			if part(p).fits(n) {
				taken++
			}
		}
	}
	// Whole messages; last parts of two to four, and of five up to 4,096; full
	// parts before them.
	if want := 1001 + 3*1000 + 96 + 1 + 2 + 3 + 4; taken != want {
		t.Errorf("%d kinds of notes, want %d", taken, want)
	}
}

func TestBucketsFillWithTime(t *testing.T) {
	now := time.Unix(0, 0)
	var b bucket
	r := rate{burst: 10, perSecond: 2}
	take := func(n int) (got int) {
		for range n {
			if b.take(now, 1, r) {
				got++
			}
		}
		return got
	}
	for _, tt := range []struct {
		wait time.Duration
		want int
	}{{0, 10}, {0, 0}, {400 * time.Millisecond, 0}, {100 * time.Millisecond, 1}, {2 * time.Second, 4}, {-time.Hour, 0}, {time.Hour + time.Second, 2}, {time.Hour, 10}} {
		now = now.Add(tt.wait)
		if got := take(20); got != tt.want {
			t.Errorf("%v later: %d, want %d", tt.wait, got, tt.want)
		}
	}
}

func TestDecades(t *testing.T) {
	for n, want := range map[uint32]int{1: 0, 99: 0, 100: 1, 999: 1, 1000: 2, 99_999: 3, 100_000: 4, 9_999_999: 5, 10_000_000: 6, 1<<32 - 1: 6} {
		if got := decade(n); got != want {
			t.Errorf("decade of %d is %d, want %d", n, got, want)
		}
	}
	for d := range 6 {
		lo, n := decadeRange(d)
		if decade(lo) != d || decade(lo+n-1) != d || decade(lo+n) != d+1 || lo > 1 && decade(lo-1) != d-1 {
			t.Errorf("decade %d is %d to %d", d, lo, lo+n-1)
		}
	}
}

func TestNumbersStaySmallAndUnguessable(t *testing.T) {
	l := lobby{rooms: newRooms()}
	now := time.Unix(1000, 0)
	l.open(now)
	now = now.Add(recall)
	rng := rand.New(rand.NewPCG(3, 3))
	seen := make(map[uint32]bool)
	for i := range 600 {
		n := l.assign(now, rng)
		if n == 0 || seen[n] {
			t.Fatalf("number %d was assigned %v", n, seen[n])
		}
		seen[n] = true
		if want := map[bool]int{i < 50: 0, i >= 50 && i < 500: 1, i >= 500: 2}[true]; decade(n) != want {
			t.Fatalf("room %d got number %d", i, n)
		}
		l.enter(now, &member{role: Sender}, NumberedRoom(n), rng)
	}
	low := 0
	for n := uint32(1); n < 50; n++ {
		if seen[n] {
			low++
		}
	}
	if low < 15 || low > 35 {
		t.Errorf("%d of the first 50 numbers are below 50: not random", low)
	}
}
