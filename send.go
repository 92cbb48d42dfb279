package qft

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"qft/internal/peer"
	"qft/internal/rendezvous"
	"qft/internal/transfer"
	"qft/internal/walk"
)

// MaxText is how many bytes a text may have; more is a file, or a stream.
const MaxText = 48 << 10

// Source is what is sent: Paths, or a Stream, or a Text.
type Source struct {
	// Paths are files and directories, in any mix. What is in directories is
	// sent with names, modes, times, links and holes.
	Paths []string

	// FS, if it is not nil, is where Paths lead, as names within it (fs.ValidPath).
	// If there are none, all that is at its top is sent. Its files must implement
	// io.ReaderAt, which is called from several goroutines and may block: when the
	// transfer ends it is left behind, and the file closed meanwhile. Sizes and times are those of Stat, modes as
	// well if there are any, and symlinks are sent if it is an fs.ReadLinkFS. A file
	// that is not what Stat said fails alone. Nothing of it is kept in Config.State;
	// but as long as this Send runs, a receiver that comes again goes on.
	FS fs.FS

	// Name is what a single path, or the stream, is called at the receiver. If
	// empty, the path's own name; a stream's is "stdin".
	Name string

	// Stream is sent until its end. Its reads may block. It cannot be sent a
	// second time, so it goes to one receiver, and does not survive one that is
	// started anew.
	Stream io.Reader

	// Text is sent to be shown: any bytes, at most MaxText.
	Text string

	// Exclude are patterns, in the syntax of .gitignore, of what is left out of
	// directories. GitIgnore has their own .gitignore files count, and leaves
	// out ".git".
	Exclude   []string
	GitIgnore bool

	// Archive sends owners, ACLs and extended attributes as well.
	Archive bool

	// NoCompress sends everything as it is. If false, what shrinks and gains
	// time by it is compressed on the way.
	NoCompress bool

	// Checksum has Result.Checksum computed for a single file.
	Checksum bool

	// Receivers is how many are to have it, under one code, at the same time if
	// they come together. If zero, one; if negative, any number, until ctx ends.
	Receivers int
}

// check says what makes no sense.
func (s *Source) check() error {
	kinds := 0
	for _, there := range []bool{len(s.Paths) > 0 || s.FS != nil, s.Stream != nil, s.Text != ""} {
		if there {
			kinds++
		}
	}
	switch {
	case kinds == 0:
		return errors.New("there is nothing to send")
	case kinds > 1:
		return errors.New("files, a stream and a text cannot be sent together")
	case s.Stream != nil && (s.Receivers < 0 || s.Receivers > 1):
		return errors.New("a stream can be sent to one receiver only")
	case len(s.Text) > MaxText:
		return fmt.Errorf("the text has %d bytes, more than %d: send it as a file", len(s.Text), MaxText)
	case s.Name != "" && (len(s.Paths) > 1 || s.Text != ""):
		return errors.New("a name can be given to one file, directory or stream only")
	}
	return nil
}

// several reports whether there may be more than one receiver.
func (s *Source) several() bool { return s.Receivers < 0 || s.Receivers > 1 }

// config is how the engine is asked for it.
func (s *Source) config(cfg Config, run func(work, done func()), cut <-chan struct{}) transfer.SenderConfig {
	c := transfer.SenderConfig{
		Config: transfer.Config{Go: run},
		Walk: walk.Config{Paths: s.Paths, Name: s.Name, Exclude: s.Exclude, GitIgnore: s.GitIgnore,
			Archive: s.Archive, FS: s.FS, Cut: cut},
		Stream: s.Stream, Text: s.Text, Skip: cfg.Skip, NoCompress: s.NoCompress, Checksum: s.Checksum,
	}
	if s.Stream != nil && s.Name == "" {
		c.Walk.Name = "stdin"
	}
	if s.several() {
		c.Memory = memoryOfMany
	}
	if cfg.State != "" && len(s.Paths) > 0 && s.FS == nil {
		c.Cache = filepath.Join(cfg.State, "hashes")
	}
	return c
}

// memoryOfMany is what a session may take for buffers where there are several.
const memoryOfMany = 8 << 20

// Send sends src to whoever knows the phrase, and returns when the other side
// has it whole, verified and under its name. See the package comment for what
// it outlasts. Errors are of type *Error; with one of KindIncomplete the result
// says what is missing.
func Send(ctx context.Context, src Source, cfg Config) (Result, error) {
	const op = "send"
	if err := src.check(); err != nil {
		return Result{}, &Error{Op: op, Kind: KindUsage, Err: err}
	}
	if err := cfg.checkPlaces(op); err != nil {
		return Result{}, err
	}
	if len(cfg.Stun) > 0 && src.Receivers != 0 && src.Receivers != 1 {
		return Result{}, &Error{Op: op, Kind: KindUsage, Err: errors.New("tokens are for one receiver")}
	}
	h := &host{op: op, cfg: cfg, role: rendezvous.Sender}
	if src.Stream != nil {
		r := newCutReader(src.Stream)
		src.Stream, h.cut = r, r.stop
		defer r.stop()
	}
	h.open = func(run func(work, done func()), left <-chan struct{}) (*party, error) {
		s, err := transfer.NewSender(src.config(cfg, run, left))
		if err != nil {
			return nil, transferError(op, err)
		}
		return &party{engine: s, attach: func(l peer.Link) { l.SetSource(s) }}, nil
	}
	rec := startRecord(cfg, sendRecord(src))
	h.cfg.Events = rec.watch(cfg.Events)
	results, err := h.transfer(ctx, src.Receivers, src.Stream != nil || len(cfg.Stun) > 0)
	r := sum(results)
	if len(src.Paths) > 0 && src.FS == nil {
		r.Path, r.Paths = src.Paths[0], src.Paths
	}
	rec.finish(err)
	return r, err
}

// sum is what all receivers together have got: each the same, so what is
// counted are the efforts.
func sum(results []Result) Result {
	if len(results) == 0 {
		return Result{}
	}
	all := results[0]
	all.Receivers = len(results)
	for _, r := range results[1:] {
		all.Reused += r.Reused
		all.Hashed += r.Hashed
		all.Sent += r.Sent
		all.Resent += r.Resent
	}
	return all
}
