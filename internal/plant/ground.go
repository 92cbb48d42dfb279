package plant

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"qft/internal/manifest"
)

// Ground is a directory in which things are received.
type Ground struct {
	cfg   Config
	fs    FS
	names system
}

// Open opens the directory and reports why nothing could be received there. A
// Config.Name that exists is such a reason if nothing may be done about it,
// unless it is a directory or an earlier run has left something to continue.
func Open(cfg Config) (*Ground, error) {
	g := &Ground{cfg: cfg, fs: cfg.FS, names: thisSystem()}
	if g.fs == nil {
		if err := g.openDir(); err != nil {
			return nil, err
		}
	}
	if cfg.Name != "" {
		if err := g.checkName(); err != nil {
			g.Close()
			return nil, err
		}
	}
	return g, nil
}

func (g *Ground) openDir() error {
	d, err := openDisk(g.cfg.Dir)
	if err != nil {
		return fail("open", printable(g.cfg.Dir), err)
	}
	f, err := d.handle()
	if err == nil {
		err = writable(f)
	}
	if err != nil {
		d.Close()
		return fail("write to", printable(g.cfg.Dir), err)
	}
	g.fs = d
	return nil
}

// checkName reports why the name that a person chose cannot be received.
func (g *Ground) checkName() error {
	name := g.cfg.Name
	if err := g.usable(name); err != nil || g.names.mapped(name) != name {
		return &Error{Op: "receive", Path: printable(name), Err: ErrName}
	}
	info, err := g.fs.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fail("look for", g.show(name), err)
	case g.cfg.Existing != Fail || g.cfg.Checksum || info.IsDir():
		return nil
	}
	if _, err := g.fs.Lstat(g.names.hiddenName(name)); err == nil {
		return nil
	}
	return &Error{Op: "receive", Path: g.show(name), Err: fs.ErrExist}
}

// usable reports why a name can be used on no system, or would meddle with our
// own files.
func (g *Ground) usable(name string) error {
	if err := manifest.CheckName(name); err != nil {
		return err
	}
	if isOurs(name) || isOurs(g.names.mapped(name)) {
		return errors.New("it looks like one of qft's own hidden files")
	}
	return nil
}

// show is a path below the directory as a message shows it.
func (g *Ground) show(p string) string {
	return printable(filepath.Join(g.cfg.Dir, filepath.FromSlash(p)))
}

// Close lets go of the directory. Beds have to be closed before.
func (g *Ground) Close() error { return g.fs.Close() }

// Prepare makes a bed for what a sender offers, or takes over what an earlier
// run has left of it. label tells offers of several items apart, of which
// items are the first names and count is their number. Errors satisfy errors.Is
// with ErrBusy, ErrForeign or ErrName.
func (g *Ground) Prepare(label [16]byte, items []string, count int) (*Bed, error) {
	if len(items) == 0 || count < 1 {
		return nil, errors.New("nothing is offered")
	}
	name := items[0]
	if g.cfg.Name != "" {
		if count > 1 {
			return nil, &Error{Op: "receive", Path: printable(g.cfg.Name),
				Err: fmt.Errorf("is one name for %d things: %w", count, ErrName)}
		}
		name = g.cfg.Name
	}
	if err := g.usable(name); err != nil {
		return nil, &Error{Op: "receive", Path: printable(name), Err: fmt.Errorf("%w: %w", ErrName, err)}
	}
	mark := ""
	if count > 1 {
		mark = fmt.Sprintf("+%d~%s", count-1, hex.EncodeToString(label[:4]))
	}
	b, err := g.open(g.names.hiddenName(g.names.mapped(name) + mark))
	if err != nil && isBadName(err) && !g.names.windows {
		// A file system that came from Windows: FAT, exFAT, NTFS.
		g.names.windows, g.names.unicode = true, true
		b, err = g.open(g.names.hiddenName(g.names.mapped(name) + mark))
	}
	return b, err
}

// lockTries is how often a bed may vanish between opening and locking.
const lockTries = 10

// open opens or makes a bed, and makes sure that nobody else uses it.
func (g *Ground) open(name string) (*Bed, error) {
	for range lockTries {
		b, err := g.try(name)
		if errors.Is(err, errReplaced) {
			continue // by one who was there before and one who is now
		}
		if err != nil {
			return nil, fail("receive into", g.show(name), err)
		}
		if b != nil {
			return b, nil
		}
	}
	return nil, &Error{Op: "receive into", Path: g.show(name), Err: ErrBusy}
}

// try is one attempt; it returns nil if the bed was removed meanwhile, by who
// had it before.
func (g *Ground) try(name string) (*Bed, error) {
	made, err := g.ensure(name)
	if err != nil {
		return nil, err
	}
	home, err := g.fs.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	log, err := lockJournal(home)
	if err != nil || log == nil {
		home.Close()
		return nil, err
	}
	if still, err := isThere(g.fs, name, home); err != nil || !still {
		log.Close()
		home.Close()
		return nil, err
	}
	b, err := newBed(g, name, home, log)
	if err == nil && made {
		err = g.fs.Sync()
	}
	if err != nil {
		log.Close()
		home.Close()
		return nil, err
	}
	return b, nil
}

// ensure makes the bed's directory, or checks that the one that is there is
// this user's.
func (g *Ground) ensure(name string) (made bool, err error) {
	info, err := g.fs.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		err = g.fs.Mkdir(name)
		if err == nil || !errors.Is(err, fs.ErrExist) {
			return err == nil, err
		}
		info, err = g.fs.Lstat(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !info.IsDir() || !g.mine(info) {
		return false, ErrForeign
	}
	return false, nil
}

// mine reports whether something belongs to this user or to whom the whole
// directory belongs (a mounted FAT has one owner for all). In /tmp another
// user could have put a bed there, to exchange what grows in it.
func (g *Ground) mine(info fs.FileInfo) bool {
	uid, known := owner(info)
	if !known || uid == os.Geteuid() {
		return true
	}
	above, err := g.fs.Lstat(".")
	if err != nil {
		return false
	}
	of, _ := owner(above)
	return uid == of
}
