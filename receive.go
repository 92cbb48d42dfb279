package qft

import (
	"cmp"
	"context"
	"errors"
	"io"

	"qft/internal/peer"
	"qft/internal/plant"
	"qft/internal/rendezvous"
	"qft/internal/transfer"
)

// Existing says what happens when something is in the place of what is
// received. What is identical already is never sent, whatever it says.
type Existing byte

const (
	// ExistingFail: the transfer ends before anything is written.
	ExistingFail Existing = iota
	// ExistingOverwrite: it is replaced, once the new one is complete.
	ExistingOverwrite
	// ExistingRename: the new one gets another name.
	ExistingRename
	// ExistingSkip: it stays, and the new one is not sent.
	ExistingSkip
	// ExistingAsk: Target.Resolve decides.
	ExistingAsk
)

// Target is where what is received goes.
type Target struct {
	// Dir is an existing directory; if empty, the current one.
	Dir string

	// Name is what a single file or directory is called; if empty, what the
	// sender calls it.
	Name string

	// Stream takes the bytes of a single file or of a stream instead. Its
	// writes may block. It cannot be continued by another session.
	Stream io.Writer

	// Existing is what happens to what is there already.
	Existing Existing

	// Archive keeps owners, ACLs and extended attributes, as far as that is
	// permitted here.
	Archive bool

	// Checksum compares what is there already by its content where size and
	// time do not tell, and has Result.Checksum computed for a single file.
	Checksum bool

	// MaxBytes and MaxFiles bound what is taken. If zero, nothing does.
	MaxBytes, MaxFiles int64

	// Accept is asked before anything is written. It runs in a goroutine of its
	// own and may take as long as a person does; nobody waits for it when the
	// transfer ends meanwhile. After an interruption it is asked again only if
	// something else is proposed. If nil, everything is accepted.
	Accept func(Proposal) bool

	// Resolve says what happens to what exists at path, and whether that goes
	// for all that may come. It is called like Accept, one at a time. If nil,
	// ExistingAsk is ExistingFail.
	Resolve func(path string) (what Existing, all bool)
}

func (t *Target) config(cfg Config, run func(work, done func())) transfer.ReceiverConfig {
	existing := plant.Existing(t.Existing)
	if t.Existing == ExistingAsk && t.Resolve == nil {
		existing = plant.Fail
	}
	return transfer.ReceiverConfig{
		Config: transfer.Config{Go: run},
		Plant: plant.Config{Dir: cmp.Or(t.Dir, "."), Name: t.Name, Existing: existing, Archive: t.Archive,
			Checksum: t.Checksum},
		Stream: t.Stream, Skip: cfg.Skip, MaxBytes: t.MaxBytes, MaxFiles: t.MaxFiles, Ask: true,
	}
}

// Receive receives from whoever knows the phrase, and returns when everything
// is whole, verified, on the disk and under its name. Nothing that exists is
// overwritten, unless Target.Existing or Config.Skip asks for it. Errors are of
// type *Error; with one of KindIncomplete the result says what is missing.
func Receive(ctx context.Context, to Target, cfg Config) (Result, error) {
	const op = "receive"
	if cfg.Phrase == "" && len(cfg.Stun) == 0 {
		return Result{}, &Error{Op: op, Kind: KindUsage, Err: errors.New("receiving needs the sender's phrase")}
	}
	if err := cfg.checkPlaces(op); err != nil {
		return Result{}, err
	}
	h := &host{op: op, cfg: cfg, role: rendezvous.Receiver, ask: newAsker(to, func(work func()) { go work() })}
	h.ask.stopped = func() bool { return ctx.Err() != nil }
	if to.Stream != nil {
		w := newCutWriter(to.Stream)
		to.Stream, h.cut = w, w.stop
		defer w.stop()
	}
	h.open = func(run func(work, done func()), _ <-chan struct{}) (*party, error) {
		r, err := transfer.NewReceiver(to.config(cfg, run))
		if err != nil {
			return nil, transferError(op, err)
		}
		return &party{engine: r, attach: func(l peer.Link) { l.SetSink(r) }, receiver: r}, nil
	}
	rec := startRecord(cfg, receiveRecord(to))
	h.cfg.Events = rec.watch(cfg.Events)
	results, err := h.transfer(ctx, 1, to.Stream != nil || len(cfg.Stun) > 0)
	rec.finish(err)
	if len(results) == 0 {
		return Result{}, err
	}
	return results[0], err
}

// FreeSpace returns how many bytes this user may still write to the disk of a
// directory, if that is known.
func FreeSpace(dir string) (n int64, known bool) { return plant.FreeSpace(dir) }
