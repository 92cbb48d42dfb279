package qft

import "errors"

// Kind says what went wrong, coarsely enough to act on.
type Kind int

const (
	// KindInternal: something that should not happen.
	KindInternal Kind = iota
	// KindFile: the file to send cannot be sent as it is, or its name cannot be
	// used here.
	KindFile
	// KindExists: the target exists, and nobody said what to do about it.
	KindExists
	// KindDisk: the target cannot be written: full, read-only, forbidden.
	KindDisk
	// KindPhrase: the phrase is not the other side's.
	KindPhrase
	// KindTaken: the phrase is in use by somebody else, or was tried too often.
	KindTaken
	// KindHelper: the helper cannot be reached or used.
	KindHelper
	// KindNoPath: no direct path between the two machines was found.
	KindNoPath
	// KindPeer: the other side stopped, refused, or failed.
	KindPeer
	// KindIncomplete: not everything has arrived: a file changed while it was
	// sent, could not be read, or arrived damaged.
	KindIncomplete
	// KindProtocol: the other side, or the helper, speaks another language.
	KindProtocol
	// KindPort: the UDP port of this machine cannot be used.
	KindPort
	// KindUsage: the call makes no sense.
	KindUsage
	// KindRefused: the person here did not want it.
	KindRefused
	// KindTooMuch: it is more than Target.MaxBytes or Target.MaxFiles allow.
	KindTooMuch
	// KindNobody: the other side has not come, or not come back, within
	// Config.Wait.
	KindNobody
	// KindCanceled: the caller stopped it.
	KindCanceled
)

// String is a word for programs; docs/events.md lists them.
func (k Kind) String() string {
	names := [...]string{
		KindInternal: "internal", KindFile: "file", KindExists: "exists", KindDisk: "disk", KindPhrase: "phrase",
		KindTaken: "taken", KindHelper: "helper", KindNoPath: "no_path", KindPeer: "peer", KindIncomplete: "incomplete",
		KindProtocol: "protocol", KindPort: "port", KindUsage: "usage", KindRefused: "refused",
		KindTooMuch: "too_much", KindNobody: "nobody", KindCanceled: "canceled",
	}
	if k < 0 || int(k) >= len(names) {
		return names[KindInternal]
	}
	return names[k]
}

// Error is what the functions of this package return, and the methods of a
// Stream.
type Error struct {
	Op   string // what was being done: "send", "receive", "helper", "doctor", "accept", "dial", "stream"
	Kind Kind
	Err  error
	Hint string // what to do next, when there is something to say; Terms.Hint says it in a program's own terms

	advice string // Hint with names of Terms in it; empty: there are none
}

// Error is one line in lower case that says what happened and, as a rule, why.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns Err, for errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of an error of this package, KindInternal for others.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return KindInternal
}
