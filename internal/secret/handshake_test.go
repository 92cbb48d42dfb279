package secret

import (
	"bytes"
	"crypto/mlkem"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// meeting is one handshake between two sides, step by step.
type meeting struct {
	t          testing.TB
	sid        []byte
	i          *Initiator
	r          *Responder
	m1, m2, m3 []byte
	si, sr     *Session
}

const (
	testCode  = "7-acid-robot-zebra"
	otherCode = "7-acid-robot-yogurt"
)

// phrase is Parse without the memory-hard hash of own phrases.
func phrase(t testing.TB, text string) Phrase {
	t.Helper()
	p, err := ParseCode(text)
	if err != nil {
		return Phrase{text: text, password: lvCat([]byte("own"), []byte(text))}
	}
	return p
}

// meet goes as far as message 2. The randomness of a meeting is its seed's.
func meet(t testing.TB, seed byte, phraseI, phraseR string) *meeting {
	t.Helper()
	m := &meeting{t: t, sid: []byte("sid of both members")}
	var err error
	if m.i, m.m1, err = NewInitiator(seeded(seed), phrase(t, phraseI), m.sid, true); err != nil {
		t.Fatal(err)
	}
	if m.r, m.m2, err = NewResponder(seeded(seed+100), phrase(t, phraseR), m.sid, m.m1, []byte("from B"), true); err != nil {
		t.Fatal(err)
	}
	return m
}

// finish goes to the end, where all must be well.
func (m *meeting) finish() *meeting {
	m.t.Helper()
	var fromA, fromB []byte
	var err error
	if m.m3, m.si, fromB, err = m.i.Finish(m.m2, []byte("from A")); err != nil {
		m.t.Fatalf("initiator: %v", err)
	}
	if m.sr, fromA, err = m.r.Finish(m.m3); err != nil {
		m.t.Fatalf("responder: %v", err)
	}
	if string(fromA) != "from A" || string(fromB) != "from B" {
		m.t.Fatalf("payloads %q and %q", fromA, fromB)
	}
	return m
}

// finish2 hands m2 to a copy of the initiator, so that the next can be tried.
func (m *meeting) finish2(m2 []byte) error {
	i := *m.i
	_, s, _, err := i.Finish(m2, nil)
	if (s == nil) != (err != nil) {
		m.t.Fatalf("session %v with error %v", s, err)
	}
	return err
}

// finish3 hands m3 to a copy of the responder.
func (m *meeting) finish3(m3 []byte) error {
	r := *m.r
	r.a.master = slices.Clone(r.a.master)
	s, _, err := r.Finish(m3)
	if (s == nil) != (err != nil) {
		m.t.Fatalf("session %v with error %v", s, err)
	}
	return err
}

func wantErr(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

func TestHandshakeGivesBothTheSameKeys(t *testing.T) {
	for _, text := range []string{testCode, "a phrase of our own"} {
		m := meet(t, 1, text, text).finish()
		if len(m.m1) != 1219 || len(m.m2) != 1195+len("from B") || len(m.m3) != 74+len("from A") {
			t.Errorf("messages of %d, %d and %d bytes", len(m.m1), len(m.m2), len(m.m3))
		}
		a, b := m.si.Export("x", 40), m.sr.Export("x", 40)
		if !bytes.Equal(a, b) || len(a) != 40 {
			t.Errorf("exports differ: %x, %x", a, b)
		}
		if bytes.Equal(a, m.si.Export("y", 40)) || bytes.Equal(a[:32], m.si.Export("x", 32)) {
			t.Error("exports of another label or size are related")
		}
		sealed := m.si.Box("probe").Seal(nil, []byte("hello"), []byte("ad"))
		if got, err := m.sr.Box("probe").Open(nil, sealed, []byte("ad")); err != nil || string(got) != "hello" {
			t.Errorf("box: %q, %v", got, err)
		}
		_, err := m.sr.Box("note").Open(nil, sealed, []byte("ad"))
		wantErr(t, "box of another label", err, ErrAuth)
		sealer, opener := m.si.Sealer(), m.si.Opener()
		if m.si.Sealer() != sealer || m.si.Opener() != opener {
			t.Error("a session has two sealers or openers")
		}
	}
}

func TestHandshakeChoosesAESOnlyIfBothHaveIt(t *testing.T) {
	for _, c := range []struct{ i, r bool }{{true, true}, {true, false}, {false, true}, {false, false}} {
		p, sid := phrase(t, testCode), []byte("sid")
		i, m1, err := NewInitiator(seeded(1), p, sid, c.i)
		if err != nil {
			t.Fatal(err)
		}
		r, m2, err := NewResponder(seeded(2), p, sid, m1, nil, c.r)
		if err != nil {
			t.Fatal(err)
		}
		m3, si, _, err := i.Finish(m2, nil)
		if err != nil {
			t.Fatal(err)
		}
		sr, _, err := r.Finish(m3)
		if err != nil {
			t.Fatal(err)
		}
		for _, got := range []bool{si.sealer.aes, si.opener.aes, sr.sealer.aes, sr.opener.aes} {
			if got != (c.i && c.r) {
				t.Errorf("AES %v with %+v", got, c)
			}
		}
	}
}

func TestWrongPhraseIsShownToTheInitiatorFirst(t *testing.T) {
	for _, c := range [][2]string{
		{testCode, otherCode}, {otherCode, testCode},
		{testCode, "our own"}, {"our own", "our Own"},
	} {
		m := meet(t, 2, c[0], c[1])
		m3, s, payload, err := m.i.Finish(m.m2, []byte("secret"))
		wantErr(t, fmt.Sprint(c), err, ErrWrongPhrase)
		if m3 != nil || s != nil || payload != nil {
			t.Errorf("%q: a wrong phrase was answered", c)
		}
		for _, word := range []string{"acid", "zebra", "yogurt", "own"} {
			if strings.Contains(err.Error(), word) {
				t.Errorf("%q quotes the phrase", err)
			}
		}
	}
}

func TestWrongPhraseIsShownToTheResponder(t *testing.T) {
	// A guesser who goes on after tag_b failed has to make up tag_a.
	m := meet(t, 3, otherCode, testCode)
	forged := append([]byte{version, 3}, make([]byte, tagSize+BoxOverhead)...)
	_, _, err := m.r.Finish(forged)
	wantErr(t, "made-up message 3", err, ErrWrongPhrase)
}

func TestDifferentSessionIDsDoNotAgree(t *testing.T) {
	p := phrase(t, testCode)
	i, m1, err := NewInitiator(seeded(1), p, []byte("one"), true)
	if err != nil {
		t.Fatal(err)
	}
	_, m2, err := NewResponder(seeded(2), p, []byte("two"), m1, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	_, _, _, err = i.Finish(m2, nil)
	wantErr(t, "other sid", err, ErrWrongPhrase)
}

// bits returns a change for byte at: every byte is tampered with, and which of
// its bits varies.
func bits(at int) byte { return 1 << (at * 5 % 8) }

func TestTamperedMessage1Fails(t *testing.T) {
	m := meet(t, 4, testCode, testCode)
	p := phrase(t, testCode)
	for at := range m.m1 {
		bad := slices.Clone(m.m1)
		bad[at] ^= bits(at)
		_, m2, err := NewResponder(seeded(5), p, m.sid, bad, nil, true)
		if err == nil {
			err = m.finish2(m2)
		}
		if err == nil {
			t.Fatalf("byte %d of message 1 may be altered", at)
		}
	}
	// Bit 255 of a share is ignored by X25519, but not by the transcript.
	bad := slices.Clone(m.m1)
	bad[yAt+31] ^= 0x80
	_, m2, err := NewResponder(seeded(5), p, m.sid, bad, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	wantErr(t, "bit 255 of Ya", m.finish2(m2), ErrWrongPhrase)
}

func TestTamperedMessage2Fails(t *testing.T) {
	m := meet(t, 6, testCode, testCode)
	for at := range m.m2 {
		bad := slices.Clone(m.m2)
		bad[at] ^= bits(at)
		if m.finish2(bad) == nil {
			t.Fatalf("byte %d of message 2 may be altered", at)
		}
	}
	for n := range m.m2 {
		if m.finish2(m.m2[:n]) == nil {
			t.Fatalf("message 2 may be cut to %d bytes", n)
		}
	}
	if m.finish2(append(slices.Clone(m.m2), 0)) == nil {
		t.Error("message 2 may be longer")
	}
	if err := m.finish2(m.m2); err != nil {
		t.Errorf("the true message 2: %v", err)
	}
}

func TestTamperedMessage3Fails(t *testing.T) {
	m := meet(t, 7, testCode, testCode)
	m3, _, _, err := m.i.Finish(m.m2, []byte("from A"))
	if err != nil {
		t.Fatal(err)
	}
	for at := range m3 {
		for bit := range 8 {
			bad := slices.Clone(m3)
			bad[at] ^= 1 << bit
			if m.finish3(bad) == nil {
				t.Fatalf("byte %d of message 3 may be altered", at)
			}
		}
		if m.finish3(m3[:at]) == nil {
			t.Fatalf("message 3 may be cut to %d bytes", at)
		}
	}
	if err := m.finish3(m3); err != nil {
		t.Errorf("the true message 3: %v", err)
	}
}

func TestMessage3BindsThePayloadOfMessage2(t *testing.T) {
	// Whoever replaced m2's box, even with one that opens, would be noticed:
	// message 3 is computed over the message 2 that arrived.
	m := meet(t, 8, testCode, testCode)
	a := m.r.a
	other := a.boxB(seeded(9)).Seal(slices.Clone(m.m2[:m2Head+tagSize]), []byte("not B"), a.th1[:])
	m3, _, payload, err := m.i.Finish(other, nil)
	if err != nil || string(payload) != "not B" {
		t.Fatalf("the test's own message 2: %q, %v", payload, err)
	}
	_, _, err = m.r.Finish(m3)
	wantErr(t, "message 3 of another message 2", err, ErrWrongPhrase)
}

func TestReflectedMessagesFail(t *testing.T) {
	m := meet(t, 10, testCode, testCode)
	wantErr(t, "message 1 sent back", m.finish2(m.m1), ErrMalformed)

	// Message 1 dressed up as message 2: same share, a ciphertext for its own
	// encapsulation key.
	ek, err := mlkem.NewEncapsulationKey768(m.m1[kemAt:])
	if err != nil {
		t.Fatal(err)
	}
	_, ct := ek.Encapsulate()
	m2 := slices.Concat([]byte{version, 2, flagAES}, m.m1[yAt:kemAt], ct, make([]byte, tagSize+BoxOverhead))
	wantErr(t, "own share sent back", m.finish2(m2), ErrWrongPhrase)

	// tag_b sent back as tag_a.
	m3 := slices.Concat([]byte{version, 3}, m.m2[m2Head:])
	wantErr(t, "tag sent back", m.finish3(m3), ErrWrongPhrase)
}

func TestMixedSessionsFail(t *testing.T) {
	one, two := meet(t, 11, testCode, testCode), meet(t, 12, testCode, testCode)
	wantErr(t, "message 2 of another meeting", one.finish2(two.m2), ErrWrongPhrase)
	m3, _, _, err := two.i.Finish(two.m2, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantErr(t, "message 3 of another meeting", one.finish3(m3), ErrWrongPhrase)

	// One message 1 to two responders: each answer fits only its own.
	p := phrase(t, testCode)
	r2, _, err := NewResponder(seeded(13), p, one.sid, one.m1, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	if m3, _, _, err = one.i.Finish(one.m2, nil); err != nil {
		t.Fatal(err)
	}
	_, _, err = r2.Finish(m3)
	wantErr(t, "message 3 to another responder", err, ErrWrongPhrase)
}

func TestTwoInitiatorsOrTwoRespondersDoNotAgree(t *testing.T) {
	one, two := meet(t, 14, testCode, testCode), meet(t, 15, testCode, testCode)
	wantErr(t, "message 1 for 2", one.finish2(two.m1), ErrMalformed)
	_, _, err := NewResponder(seeded(1), phrase(t, testCode), one.sid, one.m2, nil, true)
	wantErr(t, "message 2 for 1", err, ErrMalformed)
	wantErr(t, "message 2 for 3", one.finish3(two.m2), ErrMalformed)
}

func TestVersionErrorsNameBothVersions(t *testing.T) {
	m := meet(t, 16, testCode, testCode)
	theirs := []byte{9, 1, 2, 3}
	_, _, err := NewResponder(seeded(1), phrase(t, testCode), m.sid, theirs, nil, true)
	for what, err := range map[string]error{"message 1": err, "message 2": m.finish2(theirs), "message 3": m.finish3(theirs)} {
		wantErr(t, what, err, ErrVersion)
		if !strings.Contains(err.Error(), "9") || !strings.Contains(err.Error(), fmt.Sprint(version)) {
			t.Errorf("%s: %q does not name both versions", what, err)
		}
	}
}

func TestLowOrderSharesAbort(t *testing.T) {
	m := meet(t, 17, testCode, testCode)
	for i, p := range readDraft(t).LowOrder.Points {
		if !bytes.Equal(p.Q, make([]byte, pointSize)) {
			continue
		}
		m1, m2 := slices.Clone(m.m1), slices.Clone(m.m2)
		copy(m1[yAt:], p.U)
		copy(m2[yAt:], p.U)
		_, _, err := NewResponder(seeded(1), phrase(t, testCode), m.sid, m1, nil, true)
		wantErr(t, fmt.Sprintf("u%x as Ya", i), err, ErrMalformed)
		wantErr(t, fmt.Sprintf("u%x as Yb", i), m.finish2(m2), ErrMalformed)
	}
}

func TestInvalidEncapsulationKeysAreRefused(t *testing.T) {
	m := meet(t, 18, testCode, testCode)
	// 0xfff is no residue modulo 3,329 (FIPS 203 section 7.2, modulus check).
	bad := slices.Concat(m.m1[:kemAt], bytes.Repeat([]byte{0xff}, mlkem.EncapsulationKeySize768))
	_, _, err := NewResponder(seeded(1), phrase(t, testCode), m.sid, bad, nil, true)
	wantErr(t, "key of ones", err, ErrMalformed)
	for _, n := range []int{0, 1, 2, m1Size - 1, m1Size + 1} {
		_, _, err := NewResponder(seeded(1), phrase(t, testCode), m.sid, append(slices.Clone(m.m1), 0)[:n], nil, true)
		wantErr(t, fmt.Sprintf("%d bytes", n), err, ErrMalformed)
	}
}

func TestFinishWorksOnce(t *testing.T) {
	m := meet(t, 19, testCode, testCode).finish()
	if _, _, _, err := m.i.Finish(m.m2, nil); err == nil {
		t.Error("the initiator finished twice")
	}
	if _, _, err := m.r.Finish(m.m3); err == nil {
		t.Error("the responder finished twice")
	}
	// A wrong guess is final: the same message 1 gives no second one.
	m = meet(t, 20, testCode, otherCode)
	_, good, err := NewResponder(seeded(1), phrase(t, testCode), m.sid, m.m1, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	_, _, _, err = m.i.Finish(m.m2, nil)
	wantErr(t, "first guess", err, ErrWrongPhrase)
	if _, _, _, err = m.i.Finish(good, nil); err == nil {
		t.Error("a second guess was heard")
	}
}

func TestStartingNeedsPhraseSessionIDAndRandomness(t *testing.T) {
	p := phrase(t, testCode)
	if _, _, err := NewInitiator(seeded(1), Phrase{}, []byte("sid"), true); err == nil {
		t.Error("started without a phrase")
	}
	if _, _, err := NewInitiator(seeded(1), p, nil, true); err == nil {
		t.Error("started without a session id")
	}
	for _, n := range []int{0, pointSize} {
		if _, _, err := NewInitiator(&failing{n}, p, []byte("sid"), true); err == nil {
			t.Errorf("started with %d random bytes", n)
		}
	}
	m := meet(t, 21, testCode, testCode)
	for _, n := range []int{0, pointSize} {
		if _, _, err := NewResponder(&failing{n}, p, m.sid, m.m1, nil, true); err == nil {
			t.Errorf("answered with %d random bytes", n)
		}
	}
}

func TestHandshakeIsDeterministic(t *testing.T) {
	a, b := meet(t, 22, testCode, testCode).finish(), meet(t, 22, testCode, testCode).finish()
	if !bytes.Equal(a.m1, b.m1) || !bytes.Equal(a.m2, b.m2) || !bytes.Equal(a.m3, b.m3) {
		t.Error("one seed gave two handshakes")
	}
}

// The helper sees the room, sid and the three messages. This test holds what
// makes them useless for testing guesses of a generated code:
//
// Room and number are the number alone. Of message 1, only Ya depends on the
// words, with all randomness equal; the same holds for Yb in message 2, before
// the tag. A share is a random multiple of g, and every password's g lies on
// the curve (TestGeneratorIsOnTheCurveForEveryPassword), every share in its
// subgroup of prime order (here). There every element except the neutral one
// is a multiple of every other: for any share and any password there is a
// scalar that makes this share of that password, so a share fits them all
// alike. (The draft's security considerations have the proof; scalars are
// nearly uniform modulo the order, [AHH21] appendix E.) What comes after the
// shares is keyed by K = ya*yb*g, which Ya, Yb and a right guess of g do not
// give: that is the Diffie-Hellman problem in base g.
func TestHelperCannotTestGuesses(t *testing.T) {
	sid := []byte("sid of both members")
	r := seeded(23)
	var m1s, m2s [][]byte
	for range 50 {
		p := phrase(t, "7-"+NewWords(r))
		if p.Room() != 7 {
			t.Fatalf("the room of %v depends on the words", p)
		}
		i, m1, err := NewInitiator(seeded(24), p, sid, true)
		if err != nil {
			t.Fatal(err)
		}
		_, m2, err := NewResponder(seeded(25), p, sid, m1, nil, true)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := i.Finish(m2, nil); err != nil {
			t.Fatal(err)
		}
		for _, m := range [][]byte{m1, m2} {
			if y := m[yAt:kemAt]; !onCurve(t, y) || !inPrimeSubgroup(t, y) {
				t.Errorf("share %x does not fit every password", y)
			}
		}
		m1s, m2s = append(m1s, m1), append(m2s, m2)
	}
	for n := 1; n < len(m1s); n++ {
		if !bytes.Equal(m1s[n][:yAt], m1s[0][:yAt]) || !bytes.Equal(m1s[n][kemAt:], m1s[0][kemAt:]) {
			t.Error("more of message 1 than Ya depends on the words")
		}
		if !bytes.Equal(m2s[n][:yAt], m2s[0][:yAt]) || !bytes.Equal(m2s[n][kemAt:m2Head], m2s[0][kemAt:m2Head]) {
			t.Error("more of message 2 before its tag than Yb depends on the words")
		}
		if bytes.Equal(m1s[n][yAt:kemAt], m1s[0][yAt:kemAt]) {
			t.Error("two passwords have the same generator")
		}
	}
}

// A test of the test above: it would notice shares outside the subgroup.
func TestSubgroupTestNoticesOtherPoints(t *testing.T) {
	base := append([]byte{9}, make([]byte, 31)...)
	if !onCurve(t, base) || !inPrimeSubgroup(t, base) {
		t.Error("the base point does not pass")
	}
	random := rand.New(seeded(26))
	on, in := 0, 0
	for range 200 {
		u := make([]byte, 32)
		for i := range u {
			u[i] = byte(random.Uint32())
		}
		u[31] &= 0x7f
		if onCurve(t, u) {
			on++
		}
		if inPrimeSubgroup(t, u) {
			in++
		}
	}
	if on < 60 || on > 140 || in > 50 {
		t.Errorf("of 200 random coordinates %d are on the curve and %d in the subgroup", on, in)
	}
}

func TestBoxesAreSealed(t *testing.T) {
	m := meet(t, 27, testCode, testCode).finish()
	a, b := m.si.Box("x"), m.sr.Box("x")
	sealed := a.Seal([]byte("prefix"), []byte("hello"), []byte("ad"))
	if len(sealed) != len("prefix")+len("hello")+BoxOverhead || !bytes.HasPrefix(sealed, []byte("prefix")) {
		t.Fatalf("sealed: %x", sealed)
	}
	sealed = sealed[len("prefix"):]
	if got, err := b.Open([]byte("then "), sealed, []byte("ad")); err != nil || string(got) != "then hello" {
		t.Errorf("Open = %q, %v", got, err)
	}
	for at := range sealed {
		bad := slices.Clone(sealed)
		bad[at] ^= bits(at)
		_, err := b.Open(nil, bad, []byte("ad"))
		wantErr(t, fmt.Sprintf("byte %d", at), err, ErrAuth)
		_, err = b.Open(nil, sealed[:at], []byte("ad"))
		wantErr(t, fmt.Sprintf("%d bytes", at), err, ErrAuth)
	}
	_, err := b.Open(nil, sealed, []byte("other"))
	wantErr(t, "other additional data", err, ErrAuth)
	one, two := a.Seal(nil, []byte("hello"), nil), a.Seal(nil, []byte("hello"), nil)
	if bytes.Equal(one, two) {
		t.Error("two boxes are equal: a nonce repeats")
	}
}

// peerErrors are all that a hostile peer can cause.
func peerError(err error) bool {
	return errors.Is(err, ErrWrongPhrase) || errors.Is(err, ErrMalformed) || errors.Is(err, ErrVersion)
}

func FuzzNewResponder(f *testing.F) {
	m := meet(f, 28, testCode, testCode)
	p := phrase(f, testCode)
	for _, s := range [][]byte{m.m1, m.m2, nil, {version}, {2}, make([]byte, m1Size)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, m1 []byte) {
		r, m2, err := NewResponder(seeded(1), p, m.sid, m1, nil, true)
		if (err == nil) != (r != nil) || err != nil && !peerError(err) {
			t.Errorf("responder %v, error %v", r, err)
		}
		if err == nil && len(m2) != m2Min {
			t.Errorf("message 2 has %d bytes", len(m2))
		}
	})
}

func FuzzInitiatorFinish(f *testing.F) {
	m := meet(f, 29, testCode, testCode)
	for _, s := range [][]byte{m.m2, m.m1, nil, {version, 2}, make([]byte, m2Min), m.m2[:m2Min]} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, m2 []byte) {
		if err := m.finish2(m2); bytes.Equal(m2, m.m2) != (err == nil) || err != nil && !peerError(err) {
			t.Errorf("Finish(%x): %v", m2, err)
		}
	})
}

func FuzzResponderFinish(f *testing.F) {
	m := meet(f, 30, testCode, testCode)
	m3, _, _, err := m.i.Finish(m.m2, nil)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range [][]byte{m3, m.m2, nil, {version, 3}, make([]byte, m3Min)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := m.finish3(b); bytes.Equal(b, m3) != (err == nil) || err != nil && !peerError(err) {
			t.Errorf("Finish(%x): %v", b, err)
		}
	})
}

func BenchmarkHandshake(b *testing.B) {
	p, sid := phrase(b, testCode), []byte("sid of both members")
	var random io.Reader = seeded(31)
	for b.Loop() {
		i, m1, _ := NewInitiator(random, p, sid, true)
		r, m2, _ := NewResponder(random, p, sid, m1, nil, true)
		m3, _, _, _ := i.Finish(m2, nil)
		if _, _, err := r.Finish(m3); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOwnPhrase(b *testing.B) {
	for b.Loop() {
		parse(b, "a phrase of our own")
	}
}
