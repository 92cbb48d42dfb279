package qft

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"qft/internal/lab"
	"qft/internal/secret"
)

// overheard is what a helper sees of a whole session: every packet that it gets
// or sends.
type overheard struct {
	bytes   []byte
	sizes   []int             // of the packets of the meeting
	authors []string          // IDs of those who wrote notes, the first one first
	notes   map[string][]byte // what was written in the meeting, by author
	hosts   [2]*lab.Host
}

// overhear runs a whole session under a code: a file crosses, and on the way
// both sides get new outside addresses at once, so that they have to meet again,
// in their private room.
func overhear(t *testing.T, code, name string, size int) *overheard {
	t.Helper()
	m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
	o := &overheard{notes: make(map[string][]byte)}
	meeting := true
	helper, seen := m.helperHost.Addrs(), make(map[string]bool)
	m.Tap(func(s lab.Sighting) {
		in := s.Fate == lab.Delivered && slices.Contains(helper, s.To.Addr())
		if !in && !(s.Fate == lab.Sent && slices.Contains(helper, s.From.Addr())) {
			return
		}
		o.bytes = append(o.bytes, s.Data...)
		if !meeting {
			return
		}
		o.sizes = append(o.sizes, len(s.Data))
		// Of a note: head 11, cookie 16, author 16, addressee 16, number 4,
		// part 1, data, checksum 4 (protocol.md, section 4.4).
		if d := s.Data; in && d[1] == 3 && !seen[string(d[27:64])] {
			seen[string(d[27:64])] = true
			author := string(d[27:43])
			if !slices.Contains(o.authors, author) {
				o.authors = append(o.authors, author)
			}
			o.notes[author] = append(o.notes[author], d[64:len(d)-4]...)
		}
	})
	line := lab.Link{Rate: 20e6, Delay: 15 * time.Millisecond}
	var routers [2]*lab.Router
	for i, name := range []string{"sender", "receiver"} {
		routers[i] = m.Router(nil, lab.RouterConfig{Name: name, Up: line, Down: line, NAT: &lab.NAT{Filtering: byPort}})
		o.hosts[i] = m.Host(routers[i], lab.HostConfig{Name: name + " host"})
	}
	path, dir := m.file(name, size), m.folder("to")
	s := m.send(o.hosts[0], code, path)
	m.Run(time.Second, nil)
	r := m.receive(o.hosts[1], code, dir)
	m.Run(3*time.Second, nil)
	meeting = false
	before := len(o.bytes)
	for _, router := range routers {
		router.Renumber()
	}
	if err := m.finish(time.Minute, s, r); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(same(path, dir), s.err(), r.err()); err != nil {
		t.Fatal(err)
	}
	if len(o.bytes) == before {
		t.Fatal("they have not met again")
	}
	return o
}

func TestHelperLearnsNoWordNameSizeOrPrivateAddress(t *testing.T) {
	const code, size = "7-acid-robot-zebra", 20<<20 + 4711
	o := overhear(t, code, "divorce-papers.pdf", size)
	secrets := map[string][]byte{
		"the name":                []byte("divorce"),
		"the size in digits":      []byte(strconv.Itoa(size)),
		"the size":                binary.BigEndian.AppendUint32(nil, size),
		"the size, end to end":    binary.LittleEndian.AppendUint32(nil, size),
		"the size as a varint":    binary.AppendUvarint(nil, size),
		"the size as in RFC 9000": binary.BigEndian.AppendUint32(nil, size|2<<30),
	}
	for _, w := range strings.Split(code, "-")[1:] {
		secrets["the word "+w] = []byte(w)
	}
	for _, h := range o.hosts {
		secrets["the address of the "+h.Name()] = h.Addrs()[0].AsSlice()
		secrets["the address of the "+h.Name()+" in digits"] = []byte(h.Addrs()[0].String())
	}
	for what, x := range secrets {
		if bytes.Contains(o.bytes, x) {
			t.Errorf("the helper has seen %s, % x", what, x)
		}
	}
	if len(o.bytes) > 50_000 {
		t.Errorf("%d bytes passed the helper for a file of %d", len(o.bytes), size)
	}
	t.Logf("%d bytes passed the helper", len(o.bytes))
}

// What differs in words, name and size only looks the same to the helper.
func TestMeetingsLookAlikeToTheHelper(t *testing.T) {
	a := overhear(t, "7-acid-robot-zebra", "divorce-papers.pdf", 20<<20)
	b := overhear(t, "7-zebra-acid-robot", "b", 24<<20)
	if !slices.Equal(a.sizes, b.sizes) {
		t.Errorf("packets of %v bytes and of %v", a.sizes, b.sizes)
	}
}

// TestRecordingDoesNotTellARightGuess has a helper that has recorded a session
// try guesses on it with all that a side would do with it: the right one looks
// like any other.
func TestRecordingDoesNotTellARightGuess(t *testing.T) {
	const code = "7-acid-robot-zebra"
	o := overhear(t, code, "a.bin", 20<<20)
	if len(o.authors) != 2 {
		t.Fatalf("%d members wrote notes", len(o.authors))
	}
	sender, receiver := o.notes[o.authors[0]], o.notes[o.authors[1]]
	sid := []byte(o.authors[0] + o.authors[1])
	// hello and m1, 1,219 bytes, then confirm and m3 (protocol.md, sections 6
	// and 7.1); answer and m2.
	const m1Size = 1219
	if sender[0] != 1 || sender[1+m1Size] != 3 || receiver[0] != 2 {
		t.Fatalf("the notes are not hello, confirm and answer")
	}
	m1, m3, m2 := sender[1:1+m1Size], sender[2+m1Size:], receiver[1:]
	rand := lab.New(1).Entropy()
	for _, guess := range []string{code, "7-zebra-acid-robot", "7-robot-zebra-acid"} {
		p, err := parseOnce(guess)
		if err != nil {
			t.Fatal(err)
		}
		i, own, err := secret.NewInitiator(rand, p, sid, true)
		if err != nil || len(own) != len(m1) {
			t.Fatalf("%s: an m1 of %d bytes, %v", guess, len(own), err)
		}
		if bytes.Equal(own[3:35], m1[3:35]) {
			t.Errorf("%s: the share is that of the session", guess)
		}
		if _, _, _, err := i.Finish(m2, nil); !errors.Is(err, secret.ErrWrongPhrase) {
			t.Errorf("%s against the recorded answer: %v", guess, err)
		}
		r, answer, err := secret.NewResponder(rand, p, sid, m1, nil, true)
		if err != nil || bytes.Equal(answer[1123:1155], m2[1123:1155]) {
			t.Errorf("%s: the tag is that of the session, or %v", guess, err)
		}
		if _, _, err := r.Finish(m3); !errors.Is(err, secret.ErrWrongPhrase) {
			t.Errorf("%s against the recorded confirmation: %v", guess, err)
		}
	}
}
