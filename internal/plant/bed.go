package plant

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"
)

// Bed is a hidden directory beside the target in which a transfer's files grow
// until all of them are whole. Place, Resolve, Commit, Close and Discard may
// be called by one goroutine at a time; the other methods by several at once,
// and beside Place.
type Bed struct {
	ground  *Ground
	name    string // of the bed's directory
	home    FS     // the bed's directory
	log     File   // the journal, locked
	data    *tree  // what grows
	final   *tree  // where it goes
	traits  traits
	resumed bool // data held something when the bed was opened

	placing
	later  *spool
	alias  aliases
	record record

	mu sync.Mutex
	marks
	growing map[string]string // unfinished large files: path, and the name meanwhile
	wet     wet
	outcome
	owners owners
	stray  strays
}

// placing is where Place is in the manifest.
type placing struct {
	path  []*level // from the top to the directory of the entry placed last
	known int      // names in their sets
	last  pending  // what Resolve is about
}

// marks is what is remembered of single entries.
type marks struct {
	keep    set // what is named of what may be in data/, if resumed
	same    set // files that are under their final names and stay there
	claims  set // files that perhaps are
	replace set // versions of files that may be replaced
}

// outcome is what Commit's caller may want to tell.
type outcome struct {
	notes  notes
	lost   []string // what could not be made
	losses int
}

// traits is what a file system does to names and times.
type traits struct {
	folds    bool          // names that differ may be one to it: A and a, é and e with an accent
	colons   bool          // a name may have characters that Windows does not allow
	syncsAll bool          // one call makes all that was written durable
	grain    time.Duration // times that differ by less may be one to it; 0: it keeps them as they are
}

func newBed(g *Ground, name string, home FS, log File) (*Bed, error) {
	b := &Bed{ground: g, name: name, home: home, log: log, final: newTree(g.fs), alias: newAliases(),
		marks: marks{newSet(), newSet(), newSet(), newSet()}, growing: make(map[string]string)}
	b.path = []*level{{what: Made, seen: newSet()}}
	data, err := b.openData()
	if err != nil {
		return nil, err
	}
	b.data = newTree(data)
	later, err := b.empty(laterName)
	if err != nil {
		data.Close()
		return nil, err
	}
	b.later = &spool{f: later}
	b.traits = b.probe()
	if !b.traits.colons {
		g.names.windows, g.names.unicode = true, true
	}
	if b.record, err = g.readRecord(home); err == nil {
		err = removeAll(home, probesName)
	}
	if err == nil {
		err = home.Sync()
	}
	if err != nil {
		b.later.f.Close()
		data.Close()
		return nil, err
	}
	return b, nil
}

// openData opens data/ and finds out whether an earlier run left anything.
func (b *Bed) openData() (FS, error) {
	err := b.home.Mkdir(dataName)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	data, err := b.home.Open(dataName)
	if err != nil {
		return nil, err
	}
	err = data.Names(func(string) error { return fs.ErrExist })
	b.resumed = errors.Is(err, fs.ErrExist)
	if err != nil && !b.resumed {
		data.Close()
		return nil, err
	}
	return data, nil
}

// empty makes a file of the bed's anew.
func (b *Bed) empty(name string) (File, error) {
	if err := b.home.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return b.home.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

// probe asks the file system for its traits. What it does not answer it is
// taken not to do.
func (b *Bed) probe() traits {
	t := traits{syncsAll: b.home.SyncsAll(), colons: true}
	// An odd second and a fraction that no coarser unit can hold.
	asked := time.Unix(1_000_000_001, 987_654_321)
	if b.home.SetTime(laterName, asked) == nil {
		if info, err := b.home.Lstat(laterName); err == nil {
			t.grain = grainOf(asked.Sub(info.ModTime()))
		}
	}
	const composed, apart = "\u00e9:", "e\u0301:"
	switch err := b.touch(composed); {
	case err == nil:
		_, err = b.home.Lstat(apart)
		t.folds = err == nil
		b.home.Remove(composed)
	case isBadName(err):
		t.colons = false
	}
	_, err := b.home.Lstat("LATER")
	t.folds = t.folds || !t.colons || err == nil
	return t
}

func (b *Bed) touch(name string) error {
	f, err := b.home.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	return f.Close()
}

// grainOf is the unit of time of which a fraction of that size was lost.
func grainOf(lost time.Duration) time.Duration {
	for _, unit := range []time.Duration{0, 100, time.Microsecond, time.Millisecond, 10 * time.Millisecond,
		100 * time.Millisecond, time.Second, 2 * time.Second} {
		if lost.Abs() <= unit {
			return unit
		}
	}
	return 0 // it does not keep times at all
}

// sameTime reports whether a file's time is what the file system makes of a
// sender's.
func (t traits) sameTime(stored, sent time.Time) bool {
	if stored.Equal(sent) {
		return true
	}
	return stored.Sub(sent).Abs() < t.grain
}

// Resumed reports whether an earlier run has left something in the bed.
func (b *Bed) Resumed() bool { return b.resumed }

// JournalFile is the file for the engine's journal. It holds the bed's lock:
// Commit, Close and Discard close it.
func (b *Bed) JournalFile() File { return b.log }

// Scratch opens an empty file in the bed for whatever the engine must put
// somewhere. It goes with the bed.
func (b *Bed) Scratch() (File, error) {
	f, err := b.empty(scratchName)
	return f, fail("create", b.show(join(b.name, scratchName)), err)
}

// Free is how many bytes may still be written, if that is known.
func (b *Bed) Free() (n int64, known bool) { return b.home.Free() }

// Notes says what could not be done about entries that were made all the same,
// such as to set an owner: one line for each sort, safe to print.
func (b *Bed) Notes() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.notes.lines()
}

// Final is the path under which a handle's file is in the end, for a person.
func (b *Bed) Final(p string) string { return b.show(p) }

// OpenFinal opens the file that is under a final name now, for reading.
func (b *Bed) OpenFinal(p string) (File, error) {
	var f File
	err := b.final.within(p, func(d *dir, name string) (err error) {
		f, err = d.OpenFile(name, os.O_RDONLY)
		return err
	})
	return f, fail("open", b.show(p), err)
}

func (b *Bed) show(p string) string { return b.ground.show(p) }

// Close lets go of the bed and keeps it for a later run.
func (b *Bed) Close() error {
	b.release()
	return b.unlock()
}

// release closes everything but the bed's directory and its lock.
func (b *Bed) release() {
	b.data.forget()
	b.final.forget()
	if b.later != nil {
		b.later.f.Close()
		b.later = nil
		b.data.root.Close()
	}
}

func (b *Bed) unlock() error {
	if b.log == nil {
		return nil
	}
	err := b.log.Close()
	b.log = nil
	return errors.Join(err, b.home.Close())
}

// Discard removes the bed and what is in it.
func (b *Bed) Discard() error {
	b.release()
	err := b.dissolve()
	return errors.Join(fail("remove", b.show(b.name), err), b.unlock())
}

// dissolve removes the bed's directory. The journal goes when it is durable
// that the rest is gone: without it nobody would know whose the rest is. Only
// the record outlasts it, since a run that is cut off here has put everything in
// place under the names in it.
func (b *Bed) dissolve() error {
	var rest []string
	named := false
	err := b.home.Names(func(name string) error {
		switch name {
		case journalName:
		case recordName:
			named = true
		default:
			rest = append(rest, name)
		}
		return nil
	})
	for _, name := range rest {
		err = errors.Join(err, removeAll(b.home, name))
	}
	if err == nil {
		err = b.home.Sync()
	}
	if err == nil {
		err = b.removeJournal()
	}
	if err == nil && named {
		if err = b.home.Sync(); err == nil {
			err = b.home.Remove(recordName)
		}
	}
	if err == nil {
		if err = b.ground.fs.Remove(b.name); errors.Is(err, fs.ErrExist) {
			return nil // it is not empty: somebody has begun another there
		}
	}
	if err == nil {
		b.ground.fs.Sync() // if that fails an empty bed may come back, which harms nobody
	}
	return err
}

func (b *Bed) removeJournal() error {
	err := b.home.Remove(journalName)
	if err != nil { // Windows may refuse while it is open
		b.log.Close()
		err = b.home.Remove(journalName)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
