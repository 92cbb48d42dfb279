package faulty

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"path"
	"strings"
	"sync"
	"time"

	"qft/internal/plant"
)

// ErrPower is what every call returns between a power failure and Crash.
var ErrPower = errors.New("the power has failed")

// Options is what a file system is like. The zero value is one like ext4 with
// endless space.
type Options struct {
	Capacity    int64         // bytes; 0: endless
	Fold        bool          // "A" and "a" are one name, and so are é and e with an accent
	Strict      bool          // names with characters that Windows does not allow are invalid
	Grain       time.Duration // unit of times; 0: a nanosecond
	NoSyncAll   bool          // FS.SyncAll is not supported
	NoRenameNew bool          // FS.RenameNew is not supported
	NoLinks     bool          // there are no hard links
	NoPunch     bool          // there are no holes in what was written
}

// Fault is a failure of the n-th call, counted from 1.
type Fault struct {
	At    int
	Err   error // nil: the power fails
	Short bool  // a write does half of its work before it fails
}

// Disk is a simulated disk. It may be used by several goroutines at once.
type Disk struct {
	opt Options

	mu    sync.Mutex
	rng   *rand.Rand
	root  *node
	log   []change // of names, that are not durable
	used  int64
	calls int
	fault Fault
	dead  bool // the power has failed
	life  int  // handles of an earlier one are dead
	clock int64
}

// New makes an empty disk whose chances come from a seed.
func New(seed uint64, opt Options) *Disk {
	d := &Disk{opt: opt, rng: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))}
	d.root = d.newNode(fs.ModeDir | 0o755)
	return d
}

// FS is the disk's top directory, in its present life.
func (d *Disk) FS() plant.FS {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &dir{d, d.root, d.life}
}

// Fail plans a fault and counts calls anew.
func (d *Disk) Fail(f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault, d.calls = f, 0
}

// Settle makes everything durable, for what a test begins with.
func (d *Disk) Settle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.syncAll()
}

// Calls is how many calls there were since New or Fail.
func (d *Disk) Calls() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls
}

// Failed reports whether the planned fault has happened.
func (d *Disk) Failed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fault.At > 0 && d.calls >= d.fault.At
}

// SetCapacity changes Options.Capacity.
func (d *Disk) SetCapacity(n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opt.Capacity = n
}

// call counts a call of a handle of a life. It returns the error with which
// the call has to fail; half says that half of the work should be done before.
func (d *Disk) call(op, name string, life int) (half bool, err error) {
	d.calls++
	switch {
	case life != d.life || d.dead:
		err = ErrPower
	case d.calls == d.fault.At && d.fault.Err == nil:
		d.dead = true
		half, err = d.fault.Short, ErrPower
	case d.calls == d.fault.At:
		half, err = d.fault.Short, d.fault.Err
	}
	if err != nil {
		err = &fs.PathError{Op: op, Path: name, Err: err}
	}
	return half, err
}

// Each calls do for everything on the disk as it is now, in the order of
// paths. content is a file's bytes or a symbolic link's text.
func (d *Disk) Each(do func(p string, mode fs.FileMode, mtime time.Time, content []byte)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.each(d.root, "", do)
}

func (d *Disk) each(n *node, at string, do func(string, fs.FileMode, time.Time, []byte)) {
	for _, key := range sortedKeys(n.names) {
		e := n.names[key]
		p := path.Join(at, e.name)
		content := []byte(e.text)
		if e.mode.IsRegular() {
			content = make([]byte, e.size)
			e.readAt(content, 0)
		}
		do(p, e.mode, e.mtime, content)
		if e.mode.IsDir() {
			d.each(e.node, p, do)
		}
	}
}

// key is what the file system knows a name by.
func (d *Disk) key(name string) string {
	if !d.opt.Fold {
		return name
	}
	return strings.ToLower(strings.ReplaceAll(name, "e\u0301", "\u00e9"))
}

// now is a time that nobody looks at but to see that it is another.
func (d *Disk) now() time.Time {
	d.clock++
	return time.Unix(2_000_000_000+d.clock, 0)
}
