package gui

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	// lookTime is how long a place may take to show that it is there, entryTime
	// how long something that is listed, and answerTime how long what a person
	// asked for: a disk that has to spin up has that much.
	lookTime   = 2 * time.Second
	entryTime  = time.Second
	answerTime = 8 * time.Second

	// mostOverdue is how many visits may be stuck; each holds a thread. Beyond
	// that nothing is asked any more.
	mostOverdue = 64
)

// system is how the files of this machine are asked for.
type system struct {
	resolve func(path string) (string, error) // without symlinks
	stat    func(path string) (fs.FileInfo, error)
	read    func(path string) ([]fs.DirEntry, error) // os.ReadDir
}

// disks asks the file systems of this machine. One whose server is gone never
// answers, and a call cannot be taken back. So each path is visited in a goroutine
// of its own that is waited for no longer than a limit, and neither it nor
// what is below it is visited again before it has answered.
type disks struct {
	system
	returned func() // hears of an answer that nobody waited for any more

	mu      sync.Mutex
	visits  map[string]*visit // by path
	overdue int
}

// visit is a call that has not returned.
type visit struct {
	path    string
	overdue bool          // nobody waits for it any more
	done    chan struct{} // closed when it has returned
}

func newDisks(returned func()) *disks {
	return &disks{system: system{resolve, os.Stat, os.ReadDir}, returned: returned, visits: make(map[string]*visit)}
}

// visitDisk asks a disk about a path, and waits until the limit is over. What it
// asks then goes on by itself, for nobody.
func visitDisk[T any](d *disks, path string, limit time.Duration, ask func() (T, error)) (T, error) {
	var none, got T
	var err error
	late := time.NewTimer(limit)
	defer late.Stop()
	v, problem := d.begin(filepath.Clean(path), late.C)
	if problem != nil {
		return none, problem
	}
	go func() {
		got, err = ask()
		d.end(v)
	}()
	select {
	case <-v.done:
		return got, err
	case <-late.C:
		if d.giveUp(v) {
			return none, silent(path)
		}
		return got, err
	}
}

func silent(path string) error {
	return refuse(http.StatusGatewayTimeout, "Its disk may have been taken away, or its server cannot be reached. Choose another place, or try again when it is back.",
		"%s does not answer", path)
}

// begin waits for its turn to visit a path.
func (d *disks) begin(path string, late <-chan time.Time) (*visit, error) {
	for {
		d.mu.Lock()
		if d.deadLocked(path) {
			d.mu.Unlock()
			return nil, silent(path)
		}
		other := d.visits[path]
		if other == nil {
			v := &visit{path: path, done: make(chan struct{})}
			d.visits[path] = v
			d.mu.Unlock()
			return v, nil
		}
		d.mu.Unlock()
		select {
		case <-other.done:
		case <-late:
			return nil, silent(path)
		}
	}
}

// deadLocked reports whether what a path leads to, or through, is known not to
// answer.
func (d *disks) deadLocked(path string) bool {
	if d.overdue == 0 {
		return false
	}
	for _, v := range d.visits {
		if v.overdue && isIn(v.path, path) {
			return true
		}
	}
	return d.overdue >= mostOverdue
}

// isIn reports whether a path is a folder or below it, by their names.
func isIn(folder, path string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && (rel == "." || filepath.IsLocal(rel))
}

func (d *disks) end(v *visit) {
	d.mu.Lock()
	delete(d.visits, v.path)
	if v.overdue {
		d.overdue--
	}
	close(v.done)
	d.mu.Unlock()
	if v.overdue {
		d.returned()
	}
}

// giveUp leaves a visit to itself, unless it has just returned.
func (d *disks) giveUp(v *visit) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-v.done:
		return false
	default:
		v.overdue = true
		d.overdue++
		return true
	}
}
