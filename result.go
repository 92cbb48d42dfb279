package qft

import (
	"fmt"

	"qft/internal/transfer"
)

// Result is what a transfer came to.
type Result struct {
	Path        string   // of the first item here; empty for a text or a stream
	Paths       []string // of the items here, the first hundred
	Size        int64    // bytes of content
	Files       int64
	Resumed     int64     // of Size, how many had not to travel: they were at the receiver already, or stayed behind
	Text        string    // what was received instead of files: any bytes, not safe to print
	Failed      []Failure // files that did not arrive while others did, the first hundred
	FailedCount int64
	Receivers   int    // sender: how many have it all
	Root        string // hash over all that was transferred, the same on both sides; hexadecimal
	Checksum    string // of a single file, if asked for: what b3sum prints
	Counters
}

// Failure is a file that did not arrive.
type Failure struct {
	Path string // safe to print
	Why  string
}

// Counters say what work a transfer took, in bytes of content unless said
// otherwise. What an earlier transfer had left counts in none of them but
// Reused.
type Counters struct {
	Reused int64 // were at the receiver and vouched for: neither sent nor hashed
	Hashed int64 // were hashed here
	Sent   int64 // sender: were handed to the network, compressed
	Resent int64 // had to be sent once more because they arrived damaged or too late
}

func counters(p transfer.Progress) Counters {
	return Counters{Reused: p.Resumed, Hashed: p.Hashed, Sent: p.Sent, Resent: p.Resent}
}

// outcome is how a session has ended.
type outcome struct {
	err   error // a *transfer.Error, or of this package; nil: all went well
	p     transfer.Progress
	text  string
	paths []string // receiver: of what is in place

	paused bool // it was when it ended
}

func (o outcome) result() Result {
	r := Result{
		Paths: o.paths, Size: o.p.Size, Files: o.p.Files, Resumed: o.p.Resumed + o.p.Kept, Text: o.text,
		FailedCount: o.p.Failed, Root: o.p.Sum, Checksum: o.p.FileSum, Counters: counters(o.p),
	}
	if len(r.Paths) > 0 {
		r.Path = r.Paths[0]
	}
	for _, f := range o.p.Failures {
		r.Failed = append(r.Failed, Failure(f))
	}
	return r
}

// incomplete is the error of a transfer in which some files failed.
func (r Result) incomplete(op string) error {
	if r.FailedCount == 0 {
		return nil
	}
	what := "1 file was"
	if r.FailedCount != 1 {
		what = fmt.Sprintf("%d files were", r.FailedCount)
	}
	e := &Error{Op: op, Kind: KindIncomplete, Err: fmt.Errorf("%s not transferred, all others were", what)}
	return e.advise("When the cause is mended, {again}: only what is missing is sent.")
}
