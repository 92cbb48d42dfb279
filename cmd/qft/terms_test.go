package main

import (
	"reflect"
	"regexp"
	"testing"

	"qft"
)

// TestTermsAreThoseOfTheCommand: none is left out, and whoever typed a command
// without flags is told of none.
func TestTermsAreThoseOfTheCommand(t *testing.T) {
	flag := regexp.MustCompile(`(^|[^a-z-])-(-[a-z]+|o )|CODE`)
	others := regexp.MustCompile(`qft (resume|config|receive) --[a-z]+`) // can be typed as they stand
	for name, c := range map[string]struct {
		terms  qft.Terms
		fields int // that say something
		flags  bool
	}{
		"commands":      {commandTerms, 13, true},
		"qft sender":    {historicalTerms("qft sender"), 12, false}, // the helper is an argument
		"qft receiver":  {historicalTerms("qft receiver"), 12, false},
		senderName:      {historicalTerms(senderName), 13, false},
		receiverName:    {historicalTerms(receiverName), 13, false},
		"of the engine": {},
	} {
		said, flags := 0, false
		v := reflect.ValueOf(c.terms)
		for i := range v.NumField() {
			text := v.Field(i).String()
			if text != "" {
				said++
			}
			if flag.MatchString(others.ReplaceAllString(text, "")) {
				flags = true
				if !c.flags {
					t.Errorf("%s: %s", name, text)
				}
			}
		}
		if said != c.fields || flags != c.flags {
			t.Errorf("%s: %d terms, want %d; flags: %v, want %v", name, said, c.fields, flags, c.flags)
		}
	}
}
