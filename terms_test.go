package qft

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"qft/internal/peer"
	"qft/internal/transfer"
)

// TestAdviceHoldsForEveryProgram: no text of the engine names a flag, and each
// name in braces is one of Terms and becomes what that says.
func TestAdviceHoldsForEveryProgram(t *testing.T) {
	flag := regexp.MustCompile(`(^|[^a-z-])-(-[a-z]+|o )`)
	braces := regexp.MustCompile(`\{[a-z ]+\}`)
	used := make(map[string]bool)
	for _, dir := range []string{".", "internal/transfer", "internal/nat", "internal/peer", "internal/rendezvous", "internal/plant"} {
		for _, text := range literals(t, dir) {
			if flag.MatchString(text) {
				t.Errorf("%s: %q names a flag: only a program knows whether it has it", dir, text)
			}
			for _, name := range braces.FindAllString(text, -1) {
				used[name] = true
			}
		}
	}
	if n := reflect.TypeFor[Terms]().NumField(); len(used) != n {
		t.Errorf("%d names in braces for %d terms: %v", len(used), n, used)
	}
	terms := wordy()
	for name := range used {
		if got := terms.in(name); !strings.HasPrefix(got, "term of ") {
			t.Errorf("%s becomes %q", name, got)
		}
		if got := (Terms{}).in(name); strings.ContainsAny(got, "{}") || got == "" && name != "{helper}" && name != "{secret}" {
			t.Errorf("%s is %q for a program that has no term", name, got)
		}
	}
}

// wordy are terms that are found again in a text.
func wordy() (t Terms) {
	v := reflect.ValueOf(&t).Elem()
	for i := range v.NumField() {
		v.Field(i).SetString("term of " + v.Type().Field(i).Name)
	}
	return t
}

// literals are the texts of a package that is no test, without the comments.
func literals(t *testing.T, dir string) (all []string) {
	t.Helper()
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if !strings.HasSuffix(n.Name(), ".go") || strings.HasSuffix(n.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), dir+"/"+n.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
				s, err := strconv.Unquote(l.Value)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, s)
			}
			return true
		})
	}
	return all
}

// TestHintsInTheTermsOfAProgram: wherever an error is told, its hint can be had in
// the program's terms, and in none.
func TestHintsInTheTermsOfAProgram(t *testing.T) {
	terms := Terms{Code: "secret", Again: "press again", Existing: "press replace"}
	full := transferError("receive", &transfer.Error{Kind: transfer.NoSpace})
	changed := Result{FailedCount: 2}.incomplete("send").(*Error)
	changed.Hint = "look elsewhere"
	for _, c := range []struct {
		err           error
		own, everyone string
	}{
		{full, "free some space, then press again", "free some space, then begin the same transfer again on both sides to continue"},
		{transferError("receive", &transfer.Error{Kind: transfer.Exists}), "press replace", "move it away, choose another name, or say what is to be done with it"},
		{transferError("send", &transfer.Error{Kind: transfer.Exists, Peer: true}), "the receiver can move it away, choose another name, or have it replaced", ""},
		{Result{FailedCount: 2}.incomplete("send"), "When the cause is mended, press again: only what is missing is sent.", ""},
		{&Error{Err: errors.New("x"), Hint: "look there"}, "look there", "look there"},
		{peerError("receive", &peer.Error{Kind: peer.PhraseWrong}), "Compare the secret with the sender's and receive again; the sender still waits.", "Compare the code or phrase with the sender's and receive again; the sender still waits."},
		{peerError("send", &peer.Error{Kind: peer.PhraseWrong}), "Both sides need the same phrase: agree on one, and begin again with new tokens.", ""},
		{peerError("send", &peer.Error{Kind: peer.NumberTaken}), "Another sender uses that number: send again with another secret.", ""},
		{peerError("receive", &peer.Error{Kind: peer.PhraseBurnt}), "Somebody may be guessing. Start again with another secret.", ""},
		{changed, "look elsewhere", "look elsewhere"},
		{errors.New("x"), "", ""},
	} {
		if got := terms.Hint(c.err); got != c.own {
			t.Errorf("%v: %q, want %q", c.err, got, c.own)
		}
		var e *Error
		if errors.As(c.err, &e) && c.everyone != "" && e.Hint != c.everyone {
			t.Errorf("%v for everyone: %q, want %q", c.err, e.Hint, c.everyone)
		}
	}
	for _, e := range []Event{Interrupted{full}, Finished{Err: full}, Session{1, Finished{Err: full}}} {
		told := string(EncodeEvent(time.Time{}, terms.Event(e)))
		if !strings.Contains(told, `"hint":"free some space, then press again"`) {
			t.Error(told)
		}
	}
	if e := (Finished{}); !reflect.DeepEqual(terms.Event(e), e) {
		t.Error("an event without an error has changed")
	}
	if e := full.(*Error); strings.Contains(e.Hint, "press") {
		t.Error("the error that was told of in a program's terms has them now")
	}
}
