package journal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
)

const (
	growth = 64 << 10 // the file is made longer in such steps
	spare  = 8 << 10  // and always has at least this much room left
)

// ErrForeign says that a file is not a journal of ours and was not touched.
var ErrForeign = errors.New("not a journal")

// ErrEmpty says that a file holds nothing that could be used and nothing that
// could be lost: it is new, or a crash has left it half made. Create makes it a
// journal.
var ErrEmpty = errors.New("empty journal")

// File is what a journal is written to: an *os.File, opened for both reading
// and writing, that nobody else writes to.
type File interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Sync() error
	Close() error
}

// Journal is an open journal. Its methods may be called at the same time; Find
// does not wait for an Append.
type Journal struct {
	f    File
	head []byte

	mu    sync.RWMutex // guards index
	index index

	writing sync.Mutex // guards what follows, and the file from end.at on
	end     mark       // behind the last record
	durable mark       // behind the last record that was synced
	room    int64      // length of the file: zeros from end.at on
	spare   int64      // how much room to keep: more if an Append needed more
	torn    bool       // the file could not be cut after a failure
}

// mark is a place between two records: its offset and the check before it.
type mark struct {
	at   int64
	seal check
}

// Create empties f and makes it a journal, durably. head, of at most 32 KiB, is
// the owner's.
func Create(f File, head []byte) (*Journal, error) {
	if len(head) > maxHead {
		return nil, fmt.Errorf("creating a journal: the head has %d bytes", len(head))
	}
	var salt [saltSize]byte
	rand.Read(salt[:]) // never fails
	b, seal := appendHeader(nil, salt, head)
	if err := f.Truncate(0); err != nil {
		return nil, fmt.Errorf("creating a journal: %w", err)
	}
	if _, err := f.WriteAt(b, 0); err != nil {
		return nil, fmt.Errorf("creating a journal: %w", err)
	}
	return open(f, head, mark{int64(len(b)), seal})
}

// open goes on behind the last good record.
func open(f File, head []byte, end mark) (*Journal, error) {
	j := &Journal{f: f, head: append([]byte(nil), head...), end: end, durable: end, room: end.at, spare: spare}
	j.reserve(0)
	if err := f.Sync(); err != nil {
		return nil, fmt.Errorf("opening a journal: %w", err)
	}
	return j, nil
}

// Head is what the journal was created with. It must not be changed.
func (j *Journal) Head() []byte { return j.head }

// Close closes the file. What AppendLazily has written may not be durable.
func (j *Journal) Close() error {
	j.writing.Lock()
	defer j.writing.Unlock()
	return j.f.Close()
}

// Holds reports whether there are runs of id.
func (j *Journal) Holds(id ID) bool {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return len(j.index.find(id)) > 0
}
