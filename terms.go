package qft

import (
	"cmp"
	"errors"
	"strings"
)

// Terms are how a program calls what its user can do about an error. The engine
// advises without knowing whether there are flags, arguments or buttons: Hint and
// Alone put these in. What is empty is said as it holds for every program, and
// so is Error.Hint. A field is a part of a sentence, in lower case and without a
// full stop unless its comment has one.
type Terms struct {
	Code      string // what both sides say: "code", "phrase"
	Again     string // the same transfer is begun once more: "run the same command again on both sides to continue"
	Name      string // what comes gets another name: "choose another name with -o NAME"
	Existing  string // something is in the way of what comes: "move it away, or say --overwrite"
	Folder    string // another folder is taken: "choose a folder where you may write, with -o DIR"
	Most      string // more bytes or files are let in: "allow more with --max-size"
	Stream    string // a pipe or a device is sent: "send what comes out of it as a stream: qft send - <IT"
	Discard   string // what has arrived is thrown away: "discard it with qft resume --discard"
	NoHelper  string // there is to be no helper: "On one network, --helper none does without it."
	Helper    string // how a helper is named, if that has to be said: " (qft config helper)"
	Secret    string // the same for its secret: " (--helper-secret-file)"
	Elsewhere string // the other side is on another network: "from elsewhere: --helper on both sides"
	Forever   string // Config.Wait is to be none: "--wait none waits for ever"
}

// Hint is what can be done about an error, in these terms: Error.Hint otherwise.
// It may have several lines and is empty when there is nothing to say.
func (t Terms) Hint(err error) string {
	var e *Error
	switch {
	case !errors.As(err, &e):
		return ""
	case e.Hint != (Terms{}).in(e.advice): // the caller knows better
		return e.Hint
	}
	return t.in(e.advice)
}

// Event is the event with the Hint of its error in these terms.
func (t Terms) Event(e Event) Event {
	switch x := e.(type) {
	case Session:
		x.Event = t.Event(x.Event)
		return x
	case Interrupted:
		x.Err = t.hinted(x.Err)
		return x
	case Finished:
		x.Err = t.hinted(x.Err)
		return x
	}
	return e
}

func (t Terms) hinted(err error) error {
	if e, ok := err.(*Error); ok {
		again := *e
		again.Hint = t.Hint(e)
		return &again
	}
	return err
}

// Alone says why nobody may have come, and where to look, in sentences of which
// the first one begins in lower case.
func (t Terms) Alone(e Alone) string {
	if !e.Helper && !e.Host {
		return t.in("nobody on this network has answered so far; does the sender still wait, is the {code} right, and are " +
			"both on the same network (guests are often kept apart)? {elsewhere}.")
	}
	text := "nobody has come so far; does the sender still wait, and is the {code} the sender's?"
	if e.Helper {
		text += " Do both sides name the same helper{helper}?"
	}
	return t.in(text)
}

// in puts the terms in the place of the names in braces.
func (t Terms) in(text string) string {
	return strings.NewReplacer(
		"{code}", cmp.Or(t.Code, "code or phrase"),
		"{again}", cmp.Or(t.Again, "begin the same transfer again on both sides to continue"),
		"{name}", cmp.Or(t.Name, "choose another name"),
		"{existing}", cmp.Or(t.Existing, "move it away, choose another name, or say what is to be done with it"),
		"{folder}", cmp.Or(t.Folder, "choose a folder where you may write"),
		"{most}", cmp.Or(t.Most, "allow more"),
		"{stream}", cmp.Or(t.Stream, "send what comes out of it as a stream"),
		"{discard}", cmp.Or(t.Discard, "discard what has arrived of it"),
		"{no helper}", cmp.Or(t.NoHelper, "On one network none is needed."),
		"{helper}", t.Helper,
		"{secret}", t.Secret,
		"{elsewhere}", cmp.Or(t.Elsewhere, "across networks both sides need a helper"),
		"{forever}", cmp.Or(t.Forever, "without a limit it is waited for ever"),
	).Replace(text)
}

// advise is the error with advice, which may have the names of Terms in braces.
func (e *Error) advise(text string) *Error {
	e.advice, e.Hint = text, Terms{}.in(text)
	return e
}
