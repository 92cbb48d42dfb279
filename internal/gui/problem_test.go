package gui

import (
	"errors"
	"testing"

	"qft"
)

// TestAdviceIsForTheWindow: nobody who looks at a page can run a command again.
func TestAdviceIsForTheWindow(t *testing.T) {
	p := problemOf(&qft.Error{Op: "receive", Kind: qft.KindDisk, Err: errors.New("not enough space"),
		Hint: "free some space, then run the same command again on both sides to continue"})
	if p.What != "not enough space" || p.Todo != "free some space, then continue it on both sides: under History, or with the same code" {
		t.Errorf("%+v", p)
	}
}
