package secret

import (
	_ "embed"
	"encoding/binary"
	"io"
	"strings"
)

// wordList holds the words of generated codes, sorted, one per line, any two
// at Damerau-Levenshtein distance 3 or more. It is never written to.
//
//go:embed words.txt
var wordList string

// wordCount divides 65,536, so a word chosen by 16 random bits is unbiased.
const wordCount = 2048

// codeWords is the number of words in a generated code: 33 bits together.
const codeWords = 3

// NewWords returns the password of a new code, such as "acid-robot-zebra". The
// helper's number makes it a whole code. It panics if rand fails, because
// every answer would then be a guessable one.
func NewWords(rand io.Reader) string {
	var b [2 * codeWords]byte
	mustRead(rand, b[:])
	list := strings.Fields(wordList)
	var w [codeWords]string
	for i := range w {
		w[i] = list[binary.BigEndian.Uint16(b[2*i:])%wordCount]
	}
	return strings.Join(w[:], "-")
}

// Complete returns the texts that text, the beginning of a code or of one
// word, can grow into by completing its last word, in the order of the
// alphabet. There are none where no word has been begun.
func Complete(text string) []string {
	at := strings.LastIndexFunc(text, isSeparator) + 1
	begun := strings.ToLower(text[at:])
	if begun == "" {
		return nil
	}
	var found []string
	for w := range strings.FieldsSeq(wordList) {
		if strings.HasPrefix(w, begun) {
			found = append(found, text[:at]+w)
		}
	}
	return found
}

// repair returns the list's word that typed is, or is one typing error away
// from: a letter wrong, missing, added, or two neighbours swapped. The list's
// words are so far apart that there is never a second candidate.
func repair(typed string) (word string, ok bool) {
	for w := range strings.FieldsSeq(wordList) {
		if withinOne(typed, w) {
			return w, true
		}
	}
	return "", false
}

// withinOne reports whether the Damerau-Levenshtein distance of a and b, in
// bytes, is at most 1.
func withinOne(a, b string) bool {
	for a != "" && b != "" && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for a != "" && b != "" && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	if len(a) == 2 && len(b) == 2 {
		return a[0] == b[1] && a[1] == b[0]
	}
	return len(a) <= 1 && len(b) <= 1
}

// isSeparator tells what may stand between the parts of a typed code.
func isSeparator(r rune) bool {
	return r == '-' || r == ' ' || r == '.' || r == '_'
}

// mustRead fills b from rand. A source of randomness that fails leaves nothing
// safe to do for a caller that has no error to return; crypto/rand ends the
// program as well.
func mustRead(rand io.Reader, b []byte) {
	if _, err := io.ReadFull(rand, b); err != nil {
		panic("secret: reading randomness: " + err.Error())
	}
}
