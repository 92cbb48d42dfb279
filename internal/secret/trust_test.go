package secret

import (
	"bytes"
	"testing"
)

func TestTrustGivesTheSessionOfFinish(t *testing.T) {
	m := meet(t, 1, testCode, testCode)
	s, err := m.r.Trust()
	if err != nil {
		t.Fatal(err)
	}
	if _, m.si, _, err = m.i.Finish(m.m2, nil); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(s.Export("x", 32), m.si.Export("x", 32)) {
		t.Error("the two sides export different bytes")
	}
	if _, err := s.Box("nat").Open(nil, m.si.Box("nat").Seal(nil, []byte("hello"), nil), nil); err != nil {
		t.Errorf("opening what the initiator sealed: %v", err)
	}
	if _, err := m.r.Trust(); err == nil {
		t.Error("one handshake gave two sessions")
	}
	if _, _, err := m.r.Finish(nil); err == nil {
		t.Error("a trusted handshake was finished as well")
	}
}

func TestTrustWithAnotherPhraseGivesAnotherSession(t *testing.T) {
	m := meet(t, 1, testCode, otherCode)
	s, err := m.r.Trust()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := m.i.Finish(m.m2, nil); err == nil {
		t.Error("the initiator took another phrase for its own")
	}
	right := meet(t, 1, testCode, testCode).finish()
	if bytes.Equal(s.Export("x", 32), right.si.Export("x", 32)) {
		t.Error("another phrase gave the same session")
	}
}
