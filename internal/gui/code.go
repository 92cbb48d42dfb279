package gui

import (
	"fmt"
	"slices"
	"strings"

	"qft"
	"qft/internal/settings"
)

// mostComplete is how many endings of a code are told.
const mostComplete = 20

// checkCode reads what a person has typed so far.
func checkCode(text string) CodeCheck {
	text, _ = settings.Invited(text)
	c := CodeCheck{Repaired: []string{}, Complete: []string{}}
	typed := words(text)
	begun := strings.Join(typed, "-")
	if !strings.Contains(text, "@") && strings.TrimRightFunc(text, separates) == text {
		all := slices.DeleteFunc(qft.CompleteCode(begun), func(s string) bool { return s == begun })
		c.Complete = append(c.Complete, all[:min(len(all), mostComplete)]...)
	}
	code, host, err := qft.SplitCode(text)
	if err != nil {
		c.Problem = plainText(problemOfWords(typed, err))
		return c
	}
	c.Code, c.Host = code, host
	for i, word := range words(code) {
		if i < len(typed) && typed[i] != word {
			c.Repaired = append(c.Repaired, plainText(typed[i]+" → "+word))
		}
	}
	return c
}

// problemOfWords says what is wrong with a code, and quotes the word that is
// not known: the error, which may get into logs, does not.
func problemOfWords(typed []string, err error) string {
	what := strings.TrimPrefix(err.Error(), "reading the code: ")
	for i, word := range typed {
		if i > 0 && strings.HasPrefix(what, fmt.Sprintf("word %d ", i)) {
			return fmt.Sprintf("%q is no code word", word)
		}
	}
	return what
}

// words are those of a code, however it is written.
func words(code string) []string {
	code, _, _ = strings.Cut(code, "@")
	return strings.FieldsFunc(strings.ToLower(code), separates)
}

func separates(r rune) bool { return strings.ContainsRune("-_. \t", r) }
