package secret

import (
	"math"
	"slices"
	"strings"
	"unicode"
)

const (
	// leastBits is what an own phrase is estimated at if it is not called weak.
	// The room tells the helper 20 bits of it, and 20 guesses are allowed.
	leastBits = 40

	// wordBits is what a word counts: one of some 2,000 that people know. So four
	// different ones pass, and three do not.
	wordBits = 11

	letterBits = 4.7 // one of 26, where letters form no word
	shortBits  = 3   // a letter of "is", "my"
	digitBits  = 3.3
	signBits   = 4
	yearBits   = 7
	rowBits    = 4 // a row of the keyboard
	againBits  = 1 // what was there already

	// mixedRuns is from how many runs on, without a gap, letters and digits are
	// taken for drawn rather than for words with figures beside them.
	mixedRuns = 4
)

// common are what most lists of stolen passwords begin with, without what
// people put before and behind: digits and signs.
const common = `password passwort passwd pass secret geheim letmein welcome willkommen hallo hello
	admin administrator root user guest test testing qwerty qwertz qwertyuiop azerty
	iloveyou love monkey dragon master login princess sunshine shadow superman batman football
	baseball michael jordan trustno abc abcd changeme default whatever freedom starwars
	computer internet samsung google hunter ninja mustang access flower cheese killer
	pokemon charlie donald`

// rows are what fingers follow.
var rows = []string{"abcdefghijklmnopqrstuvwxyz", "0123456789", "qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm"}

// Weakness says why a phrase of one's own is easily guessed; empty: it does
// not look so. It is an estimate by length, kinds of characters and number of
// different words, and knows no dictionary: what it passes may still be a line
// of a book. A generated code is never weak.
func Weakness(text string) string {
	text = strings.ToLower(strings.TrimSpace(text))
	if _, err := ParseCode(text); err == nil {
		return ""
	}
	plain := strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t", "@", "a", "$", "s").Replace(text)
	for _, t := range []string{text, plain} {
		if t = strings.TrimFunc(t, func(r rune) bool { return !unicode.IsLetter(r) }); isCommon(t) {
			return "it is one of the most common passwords"
		}
	}
	bits, words := 0.0, 0
	seen := make(map[string]bool)
	for _, part := range strings.FieldsFunc(text, isGap) {
		all := runs(part)
		for _, run := range all {
			b, word := runBits(run, len(all) >= mixedRuns)
			switch {
			case seen[run] && (len(run) > 2 || b == signBits):
				b = againBits
			case word:
				words++
			}
			seen[run] = true
			bits += b
		}
	}
	switch {
	case bits >= leastBits:
		return ""
	case words > 1:
		return "it has too few different words"
	}
	return "it is too short or too regular"
}

func isCommon(word string) bool { return slices.Contains(strings.Fields(common), word) }

// isGap reports whether a character parts words, and counts nothing.
func isGap(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("-_.", r) }

// runs splits a text where the kind of its characters changes.
func runs(text string) (all []string) {
	kind := func(r rune) int {
		switch {
		case unicode.IsLetter(r) || unicode.IsMark(r) || r == '\'':
			return 0
		case unicode.IsDigit(r):
			return 1
		}
		return 2
	}
	at, was := 0, -1
	for i, r := range text {
		if k := kind(r); k != was {
			if i > 0 {
				all = append(all, text[at:i])
			}
			at, was = i, k
		}
	}
	return append(all, text[at:])
}

// runBits is what a run of characters of one kind counts, and whether it is
// taken for a word. It is none within a mixture.
func runBits(run string, mixed bool) (bits float64, word bool) {
	letters := []rune(run)
	n := float64(len(letters))
	first := letters[0]
	switch {
	case len(letters) > 2 && (inRow(run) || strings.Count(run, string(first)) == len(letters)):
		return rowBits, false
	case unicode.IsDigit(first) && len(letters) == 4 && (strings.HasPrefix(run, "19") || strings.HasPrefix(run, "20")):
		return yearBits, false
	case unicode.IsDigit(first):
		return digitBits * n, false
	case !unicode.IsLetter(first):
		return signBits, false
	case unicode.In(first, unicode.Han, unicode.Hangul, unicode.Thai):
		return wordBits * math.Ceil(n/2), n > 3 // written without spaces
	case mixed || !pronounceable(letters):
		return letterBits * n, false
	case len(letters) < 3:
		return shortBits * n, false
	}
	// What is longer than words are is several that were joined: text has two
	// bits a letter.
	return min(letterBits*n, wordBits) + 2*max(n-8, 0), n > 2
}

// inRow reports whether a run follows a row of the keyboard, or the alphabet,
// in either direction.
func inRow(run string) bool {
	back := []rune(run)
	slices.Reverse(back)
	for _, row := range rows {
		round := strings.Repeat(row, 2+len(run)/len(row))
		if strings.Contains(round, run) || strings.Contains(round, string(back)) {
			return true
		}
	}
	return false
}

// pronounceable reports whether letters may be a word: not so few vowels, and
// not so many consonants in a row, as drawn letters have mostly. Of scripts
// other than Latin it takes all for words.
func pronounceable(letters []rune) bool {
	vowels, row, longest := 0, 0, 0
	for _, r := range letters {
		if r > unicode.MaxASCII || strings.ContainsRune("aeiouy", r) {
			vowels, row = vowels+1, 0
			continue
		}
		row++
		longest = max(longest, row)
	}
	return len(letters) < 6 || 4*vowels >= len(letters) && longest < 4
}
