package transfer

import (
	"encoding/hex"
	"fmt"
	"strconv"

	"qft/internal/digest"
)

// Progress is what can be shown of a transfer.
type Progress struct {
	Name      string // of what is sent, safe to print; empty while it is not known
	File      string // what is being worked on, safe to print
	Files     int64  // as far as they were counted
	FilesDone int64  // of these: whole, here or at the receiver
	Size      int64  // bytes of all files, as far as they were counted
	Counted   bool   // Files and Size are final
	Looking   bool   // what there is of an earlier run is about to be known
	Safe      int64  // of Size: verified and written at the receiver, as far as known here
	Resumed   int64  // of Safe: there from the start, and not sent again
	Kept      int64  // of Size: not sent because identical, unwanted, or failed
	Hashed    int64  // bytes that were hashed here
	Sent      int64  // sender: bytes given to the connection, compressed
	Resent    int64  // bytes of content that were asked for again
	Phase     Phase
	Limit     Limit
	Failures  []Failure  // the first of them
	Failed    int64      // how many there are
	Skipped   []Failure  // sender: the first of what is no file, directory or link, and is left out
	Renamed   []Renaming // receiver: the first of what has another name here than at the sender
	Sum       string     // root over all, once it is known: hexadecimal
	FileSum   string     // BLAKE3 of a single file, once it is known: hexadecimal, as b3sum prints
}

// Failure is a file that was not sent, or is not kept.
type Failure struct {
	Path string // safe to print
	Why  string
}

// Renaming is something that has another name here than at the sender.
type Renaming struct {
	Path string // at the sender, safe to print
	Name string // here, the last element of its path, safe to print
}

// maxFailures is how many failures are remembered by name.
const maxFailures = 100

type failures struct {
	list  []Failure
	count int64
}

func (f *failures) add(path, why string) {
	f.count++
	if len(f.list) < maxFailures {
		f.list = append(f.list, Failure{printable(path, 4*maxName), printable(why, maxText)})
	}
}

// Limit is what holds the transfer up, as far as it can be seen from here.
type Limit byte

const (
	// ByNetwork: the disk here is waiting for the network.
	ByNetwork Limit = iota
	// ByDisk: the network is waiting for the disk here, or for the hashing.
	ByDisk
)

// title is what a transfer is called.
func title(names []string, items int) string {
	if len(names) == 0 {
		return "text"
	}
	name := printable(names[0], maxName)
	if items > 1 {
		return fmt.Sprintf("%s and %d more", name, items-1)
	}
	return name
}

func sumText(s digest.Sum) string { return hex.EncodeToString(s[:]) }

// quoted is a foreign path in a message.
func quoted(path string) string { return strconv.Quote(printable(path, 4*maxName)) }

// Proposal is what a receiver is offered.
type Proposal struct {
	Files, Bytes int64
	Counted      bool     // these are final; else there may be more
	Items        int      // things that were named
	Names        []string // of the first of them, safe to print
	Text, Stream bool     // a text, or something of unknown length
}

// Proposal is the offer that waits for Accept or Refuse.
func (r *Receiver) Proposal() (p Proposal, waits bool) {
	if r.phase != Deciding {
		return Proposal{}, false
	}
	o := &r.offer
	p = Proposal{Files: r.count.files, Bytes: r.count.bytes, Counted: r.count.final, Items: o.items,
		Text: o.flags&offersText != 0, Stream: o.flags&offersStream != 0}
	for _, n := range o.names {
		p.Names = append(p.Names, printable(n, maxName))
	}
	return p, true
}

// Text is the text that was sent instead of files: any bytes, not to be
// trusted.
func (r *Receiver) Text() string { return r.offer.text }

// Paths are where the first items are, or will be: safe to print.
func (r *Receiver) Paths() []string { return r.paths }

// looks reports whether an earlier run has left something, and what that is worth
// is still to be found out of the first entries. Nothing has come meanwhile.
func (r *Receiver) looks() bool {
	return r.opened && r.bed != nil && r.bed.Resumed() && r.judges.waiting == "" && r.safe.bytes+r.safe.kept == 0 &&
		(r.line.next() == 0 || r.line.judge < len(r.line.items))
}

// Progress is what can be shown now.
func (r *Receiver) Progress() Progress {
	p := Progress{
		Files: max(r.count.files, r.line.files), Size: max(r.count.bytes, r.line.bytes, r.safe.bytes), Counted: r.count.final,
		FilesDone: r.line.placed,
		Safe:      r.safe.bytes, Resumed: r.safe.resumed, Kept: r.safe.kept,
		Hashed: r.safe.bytes - r.safe.resumed,
		Phase:  r.phase, Failures: r.failures.list, Failed: r.failures.count,
		Renamed: r.renamed, Looking: r.looks(),
	}
	if r.phase >= Deciding && r.phase != Stopping {
		p.Name = title(r.offer.names, r.offer.items)
	}
	if len(r.line.items) > 0 {
		p.File = printable(r.line.items[0].path(), 4*maxName)
	}
	if r.phase == Moving && r.asm.behind() || r.phase == Finishing {
		p.Limit = ByDisk
	}
	if r.end != nil && len(r.line.items) == 0 {
		p.Sum = sumText(r.end.root)
		if r.place.Checksum && r.offer.items == 1 && r.end.entries == 1 {
			p.FileSum = r.line.first
		}
	}
	return p
}
