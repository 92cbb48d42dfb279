package plant

import (
	"errors"
	"io/fs"
	"os"
	"sync"
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
	closed  bool

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
