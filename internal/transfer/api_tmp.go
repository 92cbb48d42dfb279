package transfer

import (
	"fmt"

	"qft/internal/plant"
)

// Until the engine for trees is merged, this file gives the one for a single
// file the other's shape.

// Further kinds of the engine for trees.
const (
	Broken  Kind = 19
	TooMuch Kind = 20
)

func (c *SenderConfig) adopt() *Error {
	if c.Stream != nil || c.Text != "" || len(c.Walk.Paths) > 1 {
		return &Error{Kind: NotRegular, Err: fmt.Errorf("only one regular file can be sent")}
	}
	if len(c.Walk.Paths) == 1 {
		c.Path = c.Walk.Paths[0]
	}
	return nil
}

func (c *ReceiverConfig) adopt() {
	if c.Plant != (plant.Config{}) {
		c.Dir, c.Name = c.Plant.Dir, c.Plant.Name
	}
}

// asking is what a receiver waits for a person to say.
type asking struct {
	cfg      ReceiverConfig
	conflict bool
}

// Failure is a file that was not sent, or is not kept.
type Failure struct {
	Path string
	Why  string
}

// Proposal is what a receiver is offered.
type Proposal struct {
	Files, Bytes int64
	Counted      bool
	Items        int
	Names        []string
	Text, Stream bool
}

// Proposal is the offer that waits for Accept or Refuse.
func (r *Receiver) Proposal() (p Proposal, waits bool) {
	if r.phase != Deciding || r.asking.conflict {
		return Proposal{}, false
	}
	return Proposal{Files: 1, Bytes: r.offer.file.size, Counted: true, Items: 1,
		Names: []string{printable(r.offer.file.name, maxName)}}, true
}

// Accept answers a proposal.
func (r *Receiver) Accept() {
	if r.phase != Deciding {
		return
	}
	c := r.asking.cfg
	if c.MaxBytes > 0 && r.offer.file.size > c.MaxBytes {
		r.fail(&Error{Kind: TooMuch})
		return
	}
	if err := r.disk.checkTarget(r.skip); err != nil && err.Kind == Exists && c.Plant.Existing != plant.Fail {
		r.asking.conflict = true
		if c.Plant.Existing != plant.Ask {
			r.Resolve(c.Plant.Existing, true)
		}
		return
	}
	r.prepare()
}

// Refuse answers a proposal.
func (r *Receiver) Refuse() {
	if r.phase == Deciding {
		r.fail(&Error{Kind: Refused})
	}
}

// Conflict is the path of something that exists and differs.
func (r *Receiver) Conflict() (path string, waits bool) {
	return r.disk.path(r.disk.name), r.phase == Deciding && r.asking.conflict
}

// Resolve answers a conflict, or all that may come.
func (r *Receiver) Resolve(what plant.Existing, _ bool) {
	if r.phase != Deciding || !r.asking.conflict {
		return
	}
	r.asking.conflict = false
	switch what {
	case plant.Overwrite:
		r.disk.root.Remove(r.disk.name)
		r.prepare()
	case plant.Rename:
		r.disk.name += " (2)"
		r.prepare()
	default:
		r.fail(&Error{Kind: Exists, Path: r.disk.path(r.disk.name)})
	}
}

// Text is the text that was sent instead of files.
func (r *Receiver) Text() string { return "" }

// Paths are where the first items are or will be.
func (r *Receiver) Paths() []string { return []string{r.disk.path(r.disk.name)} }

// ItemNames reads the first bytes of a journal: what the items are called.
func ItemNames(start []byte) []string { return []string{string(start)} }
