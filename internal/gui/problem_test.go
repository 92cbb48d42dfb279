package gui

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"testing"

	"qft"
)

// TestAdviceIsForTheWindow: nobody who looks at a page can run a command again,
// or has a flag.
func TestAdviceIsForTheWindow(t *testing.T) {
	flag := regexp.MustCompile(`(^|[^a-z-])-(-[a-z]+|o )`)
	v := reflect.ValueOf(terms)
	for i := range v.NumField() {
		if text := v.Field(i).String(); text == "" || flag.MatchString(text) {
			t.Errorf("%s: %q", v.Type().Field(i).Name, text)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "letter"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := qft.Receive(t.Context(), qft.Target{Dir: dir, Name: "letter"}, qft.Config{Phrase: "7-acid-robot-zebra", Helper: "127.0.0.1:1"})
	if p := problemOf(err); p.Kind != "exists" || p.Advice != terms.Existing {
		t.Errorf("%v: %+v", err, p)
	}
}

// TestProblemsAreInPlainWords: no call of the system, and no address of the
// resolver.
func TestProblemsAreInPlainWords(t *testing.T) {
	err := fmt.Errorf("looking up nowhere.invalid: %w", &net.DNSError{Err: "no such host", Name: "nowhere.invalid", Server: "192.0.2.53:53", IsNotFound: true})
	p := problemOf(&qft.Error{Op: "send", Kind: qft.KindHelper, Err: err, Hint: "check the name"})
	if p.What != "looking up nowhere.invalid: there is no machine of that name" || p.Advice != "check the name" {
		t.Errorf("%+v", p)
	}
}

// TestProblemsOfDroppedFiles: a page says what to do about what it cannot read,
// which is nothing that the disk's permissions would tell.
func TestProblemsOfDroppedFiles(t *testing.T) {
	err := fmt.Errorf("letter: %w", &unread{"it has changed", "it has to be dropped again"})
	p := problemOf(&qft.Error{Op: "send", Kind: qft.KindFile, Err: err, Hint: "check the disk and the file's permissions"})
	if p.What != "letter: it has changed" || p.Advice != "it has to be dropped again" {
		t.Errorf("%+v", p)
	}
}
