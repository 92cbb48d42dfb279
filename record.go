package qft

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"qft/internal/secret"
)

const (
	// recordEvery is how often the record of a running transfer is written at
	// least.
	recordEvery = 10 * time.Second
	// recordOften is how often while bytes flow: what a list of interrupted
	// transfers says of one that was killed is as old.
	recordOften = 2 * time.Second
)

// recorder keeps the record of a running transfer. It learns from the events
// what there is to record, and writes nothing before there is an offer: who has
// met nobody has nothing to continue. Records are a convenience, so a disk that
// refuses them is no reason to disturb a transfer.
type recorder struct {
	record Record
	dir    string // empty: nothing is kept
	path   string // once it is written
	done   map[int]int64
	mute   bool // there is nothing that could be continued
}

func startRecord(cfg Config, r Record) *recorder {
	k := &recorder{record: r, done: make(map[int]int64)}
	if cfg.State == "" || r.Role == "send" && len(r.Paths) == 0 || r.Role == "receive" && r.Dir == "" {
		return k // a stream or a text
	}
	k.dir = filepath.Join(cfg.State, "transfers")
	k.record.Version, k.record.Helper = recordVersion, cfg.Helper
	k.record.Began, k.record.Process = time.Now().UTC(), os.Getpid()
	if cfg.Phrase != "" {
		_, err := secret.ParseCode(cfg.Phrase)
		k.record.Own = err != nil
	}
	return k
}

// watch returns a receiver of events that records and passes on.
func (k *recorder) watch(next func(Event)) func(Event) {
	if k.dir == "" {
		return next
	}
	return func(e Event) {
		k.see(0, e)
		if next != nil {
			next(e)
		}
	}
}

func (k *recorder) see(session int, e Event) {
	r := &k.record
	switch e := e.(type) {
	case Session:
		k.see(e.Number, e.Event)
	case Proposal:
		r.Names = e.Names
		k.mute = e.Text || e.Stream // which cannot be sent again
	case Offer:
		r.What, r.Size, r.Files = e.Name, e.Size, e.Files
		k.write(time.Now())
	case Progress:
		r.Size, r.Files = e.Size, e.Files
		k.done[session] = e.Done
		r.Done = 0
		for _, n := range k.done {
			r.Done = max(r.Done, n)
		}
		if now := time.Now(); now.Sub(r.Seen) >= recordOften {
			k.write(now)
		}
	}
}

func (k *recorder) write(now time.Time) {
	r := &k.record
	r.Seen = now.UTC()
	b, err := json.MarshalIndent(r, "", "\t")
	if k.mute || err != nil || os.MkdirAll(k.dir, 0o700) != nil {
		return
	}
	if k.path == "" {
		k.path = filepath.Join(k.dir, r.id()+".json")
	}
	// Renamed into place, so that nobody reads a half.
	f, err := os.CreateTemp(k.dir, "new-*") // mode 0600
	if err != nil {
		return
	}
	_, err = f.Write(append(b, '\n'))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), k.path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
}

// finish removes the record of a transfer that is done, or of which nothing has
// arrived, and else notes where it has ended.
func (k *recorder) finish(err error) {
	switch {
	case k.path == "":
	case err == nil || KindOf(err) == KindRefused || k.record.Done == 0:
		os.Remove(k.path)
	default:
		k.record.Process = 0
		k.write(time.Now())
	}
}
