package transfer

import (
	"cmp"
	"errors"
	"io/fs"
	"strings"
	"syscall"

	"qft/internal/plant"
)

// Kind says what sort of failure ended a transfer. The numbers are codes of
// the protocol (REJECT, ABORT) and never change their meaning.
type Kind byte

const (
	Canceled   Kind = 1  // stopped on purpose, by a person or the program around
	Refused    Kind = 2  // the receiver does not want it
	NotFound   Kind = 3  // file or directory does not exist
	Directory  Kind = 4  // a directory where a file is needed
	NotRegular Kind = 5  // a device, pipe or socket where a file is needed
	Unreadable Kind = 6  // the sender's disk failed
	BadName    Kind = 7  // the name cannot be a file name at the receiver
	Exists     Kind = 8  // the target exists and is never overwritten
	NoSpace    Kind = 9  // the receiver's disk is full, or a quota is used up
	Permission Kind = 10 // not allowed, or a read-only file system
	Changed    Kind = 11 // the file was changed while it was being sent
	Protocol   Kind = 12 // the peer broke the protocol
	Corrupt    Kind = 13 // bytes do not match their hashes, again and again
	Busy       Kind = 14 // another receiver is writing the same partial file
	BadSkip    Kind = 15 // the two sides' skips, or a skip and a file, do not fit
	Lost       Kind = 16 // the connection ended first
	Disk       Kind = 17 // the receiver's disk failed otherwise
	Version    Kind = 18 // the peer speaks another version of the protocol
	Broken     Kind = 19 // whoever was to take the stream does not any more
	TooMuch    Kind = 20 // more files or bytes than the receiver allows
	Foreign    Kind = 21 // the peer has come for a stream, or this side has and the peer for files
)

// texts says what happened and what to do about it: if it happened here, and
// if it happened at the peer. It is the one place with such advice. What is in
// braces depends on the program: qft.Terms.
func (k Kind) texts() (what, here, there string) {
	switch k {
	case Canceled:
		return "stopped", "{again}", "{again}"
	case Refused:
		return "refused", "", "ask the other side why"
	case NotFound:
		return "no such file or directory", "check the name", ""
	case Directory:
		return "is a directory", "name a file", ""
	case NotRegular:
		return "is no file and no directory", "{stream}", ""
	case Unreadable:
		return "cannot be read", "check the disk and the file's permissions", "{again}"
	case BadName:
		return "the file's name cannot be used", "{name}", "the receiver can choose another name"
	case Exists:
		return "already exists and is not overwritten unasked",
			"{existing}", "the receiver can move it away, choose another name, or have it replaced"
	case NoSpace:
		return "not enough space", "free some space, then {again}", "when there is space, {again}"
	case Permission:
		return "permission denied", "{folder}", ""
	case Changed:
		return "the file changed while it was being sent", "wait until nothing writes to it, then send it again",
			"the sender has to send it again when nothing writes to it"
	case Protocol:
		return "the protocol was broken", "check that both sides run the same version of qft", "check that both sides run the same version of qft"
	case Corrupt:
		return "data does not match its hash", "{again}", "{again}"
	case Busy:
		return "another qft is receiving this file", "wait for it, or {name}", ""
	case BadSkip:
		return "skip does not fit", "give both sides the same skip, or none: qft continues by itself", "give both sides the same skip, or none: qft continues by itself"
	case Lost:
		return "the connection was lost", "{again}", "{again}"
	case Disk:
		return "the disk failed", "check the disk, then {again}", "{again}"
	case Broken:
		return "whoever was to read the stream has stopped reading", "", "the receiver has to look why"
	case TooMuch:
		return "is more than is allowed here", "{most}", "the receiver can allow more"
	case Foreign:
		const pairs = "files need qft.Send here and qft.Receive there, a stream needs qft.Accept and qft.Dial"
		return "one side is there for files and the other for a stream", pairs, pairs
	case Version:
		return "the other side speaks another version of the protocol", "update qft on both sides", "update qft on both sides"
	}
	return "failed", "", ""
}

// Error is why a transfer did not succeed.
type Error struct {
	Kind Kind
	Op   string // what was being done: "open", "write"; may be empty
	Path string // the file concerned, as it can be named here; may be empty
	Peer bool   // it happened at the peer, which told us
	Err  error  // the cause; nil if Kind says it all
	Do   string // what to do about it; if empty, Kind says it
}

// Advice is what to do about it, if there is something to say. What is in braces
// depends on the program: qft.Terms.
func (e *Error) Advice() string {
	_, here, there := e.Kind.texts()
	if e.Peer {
		here = there
	}
	return cmp.Or(e.Do, here)
}

// Error is what happened, on one line in lower case.
func (e *Error) Error() string {
	var parts []string
	if e.Peer {
		parts = append(parts, "the other side reports")
	}
	path := e.Path
	switch {
	case path == "." && e.Peer:
		path = "its folder"
	case path == ".":
		path = "this folder"
	}
	if subject := strings.TrimSpace(e.Op + " " + path); subject != "" {
		parts = append(parts, subject)
	}
	return strings.Join(append(parts, e.what()), ": ")
}

// what says what happened, without naming a file.
func (e *Error) what() string {
	what, _, _ := e.Kind.texts()
	switch {
	case e.Err == nil:
		return what
	case !e.Peer && (e.Kind == Canceled || e.Kind == Lost):
		return what + ": " + plant.Cause(e.Err).Error() // the cause alone says little
	}
	return plant.Cause(e.Err).Error()
}

func (e *Error) Unwrap() error { return e.Err }

// wireText is what the peer is told: without this machine's directories.
func (e *Error) wireText() string {
	if e.Path == "" {
		return e.what()
	}
	return e.Path[strings.LastIndexAny(e.Path, `/\`)+1:] + ": " + e.what()
}

// diskError makes an Error of what the bed, or the ground for it, returned for
// an operation on a path.
func (r *Receiver) diskError(op, path string, err error) *Error {
	e := &Error{Kind: diskKind(err), Op: op, Path: path, Err: err}
	if path != "" {
		e.Path = r.finalPath(path)
	}
	var already *Error
	var p *plant.Error
	switch {
	case errors.As(err, &already):
		return already
	case errors.As(err, &p):
		e.Op, e.Path, e.Err = p.Op, p.Path, p.Err
	case e.Path == "":
		e.Path = r.place.Dir
	}
	if e.Kind == NoSpace && r.bed != nil {
		if free, known := r.bed.Free(); known && free < r.missing() {
			e.Err = r.noSpace(r.missing(), free).Err
		}
	}
	return e
}

func diskKind(err error) Kind {
	switch {
	case errors.Is(err, plant.ErrBusy):
		return Busy
	case errors.Is(err, plant.ErrName):
		return BadName
	case errors.Is(err, fs.ErrExist), errors.Is(err, plant.ErrForeign):
		return Exists
	case errors.Is(err, syscall.ENOSPC):
		return NoSpace
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return Permission
	case errors.Is(err, fs.ErrNotExist):
		return NotFound
	}
	return Disk
}

// missing is how many bytes are still to come.
func (r *Receiver) missing() int64 {
	return max(r.count.bytes, r.line.bytes) - r.safe.bytes - r.safe.kept
}

// finalPath is the path of something in the bed, as it will be.
func (r *Receiver) finalPath(path string) string {
	if r.bed == nil {
		return printable(path, 4*maxName)
	}
	return printable(r.bed.Final(path), 4*maxName)
}

// violation is the error for a peer that broke the protocol.
func violation(what string) *Error {
	return &Error{Kind: Protocol, Err: errors.New("the protocol was broken: " + what)}
}
