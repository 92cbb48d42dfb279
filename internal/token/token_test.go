package token

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func TestTokenSurvivesBeingPasted(t *testing.T) {
	message := noise(1300)
	text := Format(Sender, message)
	for line := range strings.Lines(text) {
		if len(line) > columns+1 {
			t.Fatalf("a line has %d bytes", len(line))
		}
	}
	for name, pasted := range map[string]string{
		"as it is":            text,
		"in one line":         strings.ReplaceAll(text, "\n", ""),
		"with CR":             strings.ReplaceAll(text, "\n", "\r\n"),
		"quoted in a mail":    "> here it is:\n> " + strings.ReplaceAll(text, "\n", "\n> "),
		"with words around":   "Token: " + text + " see you",
		"with hard spaces":    strings.ReplaceAll(text, "\n", "\u00a0\n"),
		"wrapped differently": strings.ReplaceAll(strings.ReplaceAll(text, "\n", ""), "A", "A\n "),
	} {
		from, got, err := Parse(pasted)
		if err != nil || from != Sender || !bytes.Equal(got, message) {
			t.Errorf("%s: from %d, %d bytes, %v", name, from, len(got), err)
		}
	}
}

func TestTokenInPartIsToldFromAWholeOne(t *testing.T) {
	text := Format(Receiver, noise(500))
	for n := range len(text) - 2 {
		if _, _, err := Parse(text[:n]); !errors.Is(err, ErrIncomplete) {
			t.Fatalf("the first %d bytes: %v", n, err)
		}
	}
	lines := strings.SplitAfter(text, "\n")
	for i := 1; i < len(lines)-2; i++ {
		cut := strings.Join(append(append([]string(nil), lines[:i]...), lines[i+1:]...), "")
		if _, _, err := Parse(cut); !errors.Is(err, ErrDamaged) {
			t.Errorf("without line %d: %v", i, err)
		}
	}
	for _, other := range []string{"hello. world", strings.Repeat("x", 3*MaxMessage), "qft-sender:.", "qft-sender:AAAA*."} {
		if _, _, err := Parse(other); !errors.Is(err, ErrDamaged) {
			t.Errorf("%.20q: %v", other, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Format(Sender, noise(50)))
	f.Add("qft-receiver:AAAAAA.")
	f.Fuzz(func(t *testing.T, text string) {
		from, message, err := Parse(text)
		if err != nil {
			return
		}
		again, same, err := Parse(Format(from, message))
		if err != nil || again != from || !bytes.Equal(same, message) {
			t.Fatalf("%q: %v", text, err)
		}
	})
}
