package gui

import (
	"errors"
	"fmt"
	"net"
	"testing"

	"qft"
)

// TestAdviceIsForTheWindow: nobody who looks at a page can run a command again.
func TestAdviceIsForTheWindow(t *testing.T) {
	p := problemOf(&qft.Error{Op: "receive", Kind: qft.KindDisk, Err: errors.New("not enough space"),
		Hint: "free some space, then run the same command again on both sides to continue"})
	if p.What != "not enough space" || p.Advice != "free some space, then continue it on both sides: under History, or with the same code" {
		t.Errorf("%+v", p)
	}
	p = problemOf(&qft.Error{Op: "receive", Kind: qft.KindNobody, Err: errors.New("nobody"), Hint: "Wait longer: --wait none waits for ever."})
	if p.Advice != "Wait longer: wait: none, under Settings, waits for ever." {
		t.Errorf("%+v", p)
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
