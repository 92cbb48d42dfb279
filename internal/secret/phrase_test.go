package secret

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// seeded returns a source of randomness that is the same on every run.
func seeded(seed byte) *rand.ChaCha8 {
	return rand.NewChaCha8([32]byte{seed})
}

func parse(t testing.TB, text string) Phrase {
	t.Helper()
	p, err := Parse(text)
	if err != nil {
		t.Fatalf("Parse(%q): %v", text, err)
	}
	return p
}

func TestParseUnderstandsEverySpellingOfACode(t *testing.T) {
	for _, text := range []string{
		"7-acid-robot-zebra",
		"7 acid robot zebra",
		"7.acid_robot-zebra",
		"  7 - Acid - ROBOT - zebra\n",
		"007-acid-robot-zebra",
		"7-acd-robot-zebra",     // a letter missing
		"7-acid-roboot-zebra",   // one added
		"7-acid-robot-zehra",    // one wrong
		"7-acid-rboot-zebra",    // two swapped
		"7-caid-robit-zebr",     // one error in each word
		"-7-acid--robot--zebra", // separators too many
	} {
		p := parse(t, text)
		if p.String() != "7-acid-robot-zebra" {
			t.Errorf("Parse(%q) = %q", text, p)
		}
		if n, generated := p.Number(); n != 7 || !generated || p.Room() != 7 {
			t.Errorf("Parse(%q): number %d, %v, room %d", text, n, generated, p.Room())
		}
	}
}

func TestParseTakesOtherTextByteForByte(t *testing.T) {
	seen := make(map[string]string)
	for text, want := range map[string]string{
		" A phrase of my own\t":  "A phrase of my own",
		"7-acid-robot-unheardof": "7-acid-robot-unheardof",
	} {
		p := parse(t, text)
		if p.String() != want {
			t.Errorf("Parse(%q) = %q, want %q", text, p, want)
		}
		if n, generated := p.Number(); n != 0 || generated {
			t.Errorf("Parse(%q): number %d, %v", text, n, generated)
		}
		if p.Room() >= 1<<roomBits {
			t.Errorf("Parse(%q): room %d has more than %d bits", text, p.Room(), roomBits)
		}
		if other, dup := seen[string(p.password)]; dup {
			t.Errorf("%q has the password of %q", text, other)
		}
		seen[string(p.password)] = text
	}
}

func TestParseRefusesEmptyAndEndless(t *testing.T) {
	for _, text := range []string{"", " \t\n", strings.Repeat("x", maxPhrase+1)} {
		if p, err := Parse(text); err == nil {
			t.Errorf("Parse of %d bytes = %q", len(text), p)
		}
	}
}

func TestParseCodeSaysWhatIsWrongAndQuotesNothing(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "0 parts",
		"7-acid-robot":             "3 parts",
		"7-acid-robot-zebra-album": "5 parts",
		"seven-acid-robot-zebra":   "number",
		"0-acid-robot-zebra":       "number",
		"4294967296-acid-robot-ze": "number",
		"+7-acid-robot-zebra":      "number",
		"7-xyzzy-robot-zebra":      "word 1",
		"7-acid-xyzzy-zebra":       "word 2",
		"7-acid-robot-xyzzy":       "word 3",
	} {
		_, err := ParseCode(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseCode(%q): error %v, want one with %q", text, err, want)
			continue
		}
		for _, secret := range []string{"acid", "robot", "xyzzy", "album"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("ParseCode(%q): error %q quotes the phrase", text, err)
			}
		}
	}
}

func TestNewWordsMakeCodes(t *testing.T) {
	r := seeded(1)
	seen := make(map[string]bool)
	for range 500 {
		words := NewWords(r)
		if seen[words] {
			t.Fatalf("%q came twice among 500", words)
		}
		seen[words] = true
		p, err := ParseCode("12-" + words)
		if err != nil || p.String() != "12-"+words {
			t.Fatalf("ParseCode(12-%s) = %q, %v", words, p, err)
		}
	}
}

func TestNewWordsReachTheWholeList(t *testing.T) {
	first, last := NewWords(bytes.NewReader(make([]byte, 6))), NewWords(bytes.NewReader(bytes.Repeat([]byte{0xff}, 6)))
	list := strings.Fields(wordList)
	if w := list[0]; first != w+"-"+w+"-"+w {
		t.Errorf("zeros chose %q", first)
	}
	if w := list[wordCount-1]; last != w+"-"+w+"-"+w {
		t.Errorf("ones chose %q", last)
	}
}

func TestNewWordsPanicsRatherThanBeGuessable(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("words were made of no randomness")
		}
	}()
	NewWords(bytes.NewReader([]byte{1, 2, 3}))
}

func TestComplete(t *testing.T) {
	for text, want := range map[string][]string{
		"zeb":         {"zebra"},
		"7-acid-ROBO": {"7-acid-robot", "7-acid-robotics"},
		"7 acid zo":   {"7 acid zodiac", "7 acid zoology"},
		"7-acid-":     nil,
		"":            nil,
		"7":           nil,
		"7-xyz":       nil,
	} {
		if got := Complete(text); !slices.Equal(got, want) {
			t.Errorf("Complete(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestWordListHasTheForm(t *testing.T) {
	list := strings.Split(strings.TrimSuffix(wordList, "\n"), "\n")
	if len(list) != wordCount || 1<<16%wordCount != 0 {
		t.Errorf("%d words, wordCount is %d", len(list), wordCount)
	}
	if !slices.IsSorted(list) {
		t.Error("the list is not sorted")
	}
	for _, w := range list {
		if len(w) < 3 || len(w) > 8 || strings.Trim(w, "abcdefghijklmnopqrstuvwxyz") != "" {
			t.Errorf("%q is no word of 3 to 8 letters", w)
		}
	}
}

// Two words whose distance is at most 2 have a string in common that each
// becomes by losing at most two letters: no edit touches more than one letter
// of either. Only words that meet in such a string need to be compared.
func TestAnyTwoWordsAreAtLeastThreeApart(t *testing.T) {
	heirs := make(map[string][]string)
	compared := 0
	for w := range strings.FieldsSeq(wordList) {
		near := make(map[string]bool)
		for s := range shortened(w, 2) {
			for _, other := range heirs[s] {
				near[other] = true
			}
			heirs[s] = append(heirs[s], w)
		}
		for other := range near {
			compared++
			if d := distance(w, other); d < 3 {
				t.Errorf("%s and %s are only %d apart", w, other, d)
			}
		}
	}
	if compared == 0 {
		t.Error("no two words were compared")
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"abc", "abc", 0}, {"", "ab", 2},
		{"abc", "abd", 1}, {"abc", "abcd", 1}, {"abc", "ac", 1}, {"abc", "acb", 1},
		{"ca", "abc", 2}, // a swap and an insertion between: 3 without the "true"
		{"robot", "zebra", 4},
	} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := withinOne(c.a, c.b); got != (c.want <= 1) {
			t.Errorf("withinOne(%q, %q) = %v", c.a, c.b, got)
		}
	}
}

func TestWithinOneIsDistanceAtMostOne(t *testing.T) {
	r := rand.New(seeded(2))
	word := func() string {
		b := make([]byte, r.IntN(6))
		for i := range b {
			b[i] = 'a' + byte(r.IntN(3))
		}
		return string(b)
	}
	for range 20_000 {
		a, b := word(), word()
		if withinOne(a, b) != (distance(a, b) <= 1) {
			t.Fatalf("withinOne(%q, %q) = %v, distance %d", a, b, withinOne(a, b), distance(a, b))
		}
	}
}

// shortened returns what w becomes by losing at most n letters, itself
// included.
func shortened(w string, n int) map[string]bool {
	all := map[string]bool{w: true}
	if n > 0 {
		for i := range w {
			for s := range shortened(w[:i]+w[i+1:], n-1) {
				all[s] = true
			}
		}
	}
	return all
}

// distance is the unrestricted Damerau-Levenshtein distance, by the algorithm
// of Lowrance and Wagner (1975): a letter may be edited again after a swap.
func distance(a, b string) int {
	far := len(a) + len(b)
	d := make([][]int, len(a)+2) // d[i+1][j+1] is the distance of a[:i] and b[:j]
	for i := range d {
		d[i] = make([]int, len(b)+2)
		d[i][0] = far
		if i > 0 {
			d[i][1] = i - 1
		}
	}
	for j := range len(b) + 1 {
		d[0][j+1], d[1][j+1] = far, j
	}
	var lastRow [256]int // where each letter was last seen in a
	for i := 1; i <= len(a); i++ {
		lastCol := 0 // where a[i-1] was last seen in b
		for j := 1; j <= len(b); j++ {
			i1, j1, cost := lastRow[b[j-1]], lastCol, 1
			if a[i-1] == b[j-1] {
				cost, lastCol = 0, j
			}
			swap := d[i1][j1] + (i - i1 - 1) + 1 + (j - j1 - 1)
			d[i+1][j+1] = min(d[i][j]+cost, d[i+1][j]+1, d[i][j+1]+1, swap)
		}
		lastRow[a[i-1]] = i
	}
	return d[len(a)+1][len(b)+1]
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"7-acid-robot-zebra", "7 acd.robto_zebra", "0-acid-robot-zebra", "", " ", "1-2-3-4", "\xff-\xff-\xff-\xff", "own"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		code, err := ParseCode(text)
		if err != nil {
			// What is left to Parse is to refuse or to hash; the hash is too
			// slow to fuzz and does not look at the text.
			if s := strings.TrimSpace(text); s == "" || len(s) > maxPhrase {
				if _, err := Parse(text); err == nil {
					t.Errorf("Parse took %d bytes", len(s))
				}
			}
			return
		}
		if len(strings.TrimSpace(text)) > maxPhrase {
			return
		}
		p, err := Parse(text)
		if err != nil || p.String() != code.String() || !bytes.Equal(p.password, code.password) {
			t.Errorf("Parse(%q) = %q, %v; ParseCode: %q", text, p, err, code)
		}
		again, err := ParseCode(p.String())
		if err != nil || again.String() != p.String() || again.Room() != p.Room() {
			t.Errorf("normal spelling %q reads as %q, %v", p, again, err)
		}
		if n, generated := p.Number(); n == 0 || !generated {
			t.Errorf("Parse(%q): number %d, %v", text, n, generated)
		}
	})
}

func FuzzComplete(f *testing.F) {
	f.Add("7-acid-ro")
	f.Add("z")
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range Complete(text) {
			if len(s) < len(text) || !strings.EqualFold(s[:len(text)], text) {
				t.Errorf("Complete(%q) has %q", text, s)
			}
		}
	})
}

// failing is a source of randomness that fails after n bytes.
type failing struct{ n int }

func (f *failing) Read(b []byte) (int, error) {
	if f.n < len(b) {
		return 0, errors.New("no randomness")
	}
	f.n -= len(b)
	return len(b), nil
}
