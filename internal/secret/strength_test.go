package secret

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestWeakness: what everybody tries first is called weak, and what a person
// did well is not.
func TestWeakness(t *testing.T) {
	for _, weak := range []string{
		"a", "password", "Password1!", "p4ssw0rd", "123456", "12345678901234567890", "qwertz123", "qwertyuiop", "letmein",
		"secret", "hunter2", "summer2024", "Alice1985", "aaaaaaaaaaaaaaaaaaaaaaaa", "apple apple apple apple apple",
		"abc123", "iloveyou", "I love you so", "acid robot zebra", "open sesame", "hallo welt", "this is my secret",
		"blue-car", "1234 5678 1234", "zebra!!!!!!!!!!!!!!", "2026-11-27", "мама мыла раму", "\t monkey \n", "-", "🦓",
	} {
		if Weakness(weak) == "" {
			t.Errorf("%q passes", weak)
		}
	}
	for _, fine := range []string{
		"correct horse battery staple", "acid robot zebra violin", "acid-robot-zebra-violin", "our own secret phrase",
		"7-acid-robot-zebra", "7 acid robot zebra", "xk7qpz2mw4vt", "J7#kq!Zp2wX", "9f3ac07be1d24f68", "kqzvbxwmtp",
		"Wer reitet so spät durch Nacht und Wind", "три слова и ещё одно яблоко", "马电池订书钉正确紫色", "84091736528140",
		"don't tell grandma anything",
	} {
		if why := Weakness(fine); why != "" {
			t.Errorf("%q: %s", fine, why)
		}
	}
}

// TestWeaknessOfDrawnWords: whoever has drawn four words, or twelve
// characters, is left in peace nearly always; three words are few.
func TestWeaknessOfDrawnWords(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	list := strings.Fields(wordList)
	false4, caught3, falseChars := 0, 0, 0
	const draws = 2000
	for range draws {
		var words []string
		for range 4 {
			words = append(words, list[r.IntN(len(list))])
		}
		if Weakness(strings.Join(words, " ")) != "" {
			false4++
		}
		if Weakness(strings.Join(words[:3], "-")) != "" {
			caught3++
		}
		var b strings.Builder
		for range 12 {
			b.WriteByte("abcdefghijklmnopqrstuvwxyz0123456789"[r.IntN(36)])
		}
		if Weakness(b.String()) != "" {
			falseChars++
		}
	}
	if false4 > draws/200 || falseChars > draws/20 || caught3 < draws*9/10 {
		t.Errorf("of %d: %d of four words and %d of twelve characters are called weak, and %d of three words", draws, false4, falseChars, caught3)
	}
}

func FuzzWeakness(f *testing.F) {
	f.Add("p4ssw0rd")
	f.Add("\xff'é马")
	f.Fuzz(func(_ *testing.T, text string) { Weakness(text) })
}
