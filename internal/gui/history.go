package gui

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"qft"
)

// mostPast is how many ended transfers are remembered.
const mostPast = 200

// past is what is remembered of an ended transfer: no code and no phrase.
func (t *transfer) past(r qft.Result) Past {
	s := &t.shown
	p := Past{Kind: s.Kind, Name: s.Name, Where: s.Folder, Size: r.Size, Files: r.Files, Ended: s.Ended, Took: s.Ended - s.Began, OK: s.Phase == PhaseDone}
	if t.plan.source != nil && len(t.plan.source.Paths) > 0 {
		p.Where = filepath.Dir(t.plan.source.Paths[0])
	}
	switch {
	case s.Phase == PhaseStopped:
		p.Detail = "stopped"
	case s.Outcome.Problem != nil:
		p.Detail = s.Outcome.Problem.What
	case len(s.Sessions) > 0:
		p.Detail = s.Sessions[0].Link.Path
	}
	return p
}

// remember adds to the history, and keeps it on the disk. A disk that does not
// take it only costs the history.
func (h *hub) remember(p Past) {
	h.past = append([]Past{p}, h.past...)
	if len(h.past) > mostPast {
		h.past = h.past[:mostPast]
	}
	h.keepPast()
}

func (h *hub) keepPast() {
	text, err := json.Marshal(h.past)
	if err == nil {
		err = os.MkdirAll(h.state, 0o700)
	}
	if err == nil {
		err = replaceFile(h.historyPath(), text)
	}
	if err != nil {
		h.log.Warn("the history is not kept", "error", err)
	}
}

func (h *hub) historyPath() string { return filepath.Join(h.state, "history.json") }

// recall reads the history. One that makes no sense is as good as none.
func (h *hub) recall() {
	text, err := os.ReadFile(h.historyPath())
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var all []Past
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		h.log.Warn("the history cannot be read", "error", err)
		return
	}
	h.past = all[:min(len(all), mostPast)]
}

// forget clears the history.
func (h *hub) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.past = nil
	h.keepPast()
	h.tellState()
}

// replaceFile writes a file whole or not at all, its owner's only.
func replaceFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // in vain once it is renamed
	_, err = f.Write(text)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// unfinishedOf is what is shown of a transfer that can be continued.
func unfinishedOf(r *qft.Record) Unfinished {
	u := Unfinished{ID: recordID(r), Kind: r.Role, Name: r.What, Where: r.Dir, Size: r.Size, Done: r.Done, Phrase: r.Own}
	if len(r.Paths) > 0 {
		u.Where = filepath.Dir(r.Paths[0])
	}
	if !r.Seen.IsZero() {
		u.Seen = r.Seen.UnixMilli()
	}
	return u
}

// recordID names a record for as long as it is the same transfer.
func recordID(r *qft.Record) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %s %d", r.Role, r.Dir, r.Paths, r.Names, r.Began.Format(time.RFC3339Nano), r.Size))
	return hex.EncodeToString(sum[:12])
}

// record finds a transfer that can be continued.
func (h *hub) record(id string) (*qft.Record, error) {
	for i := range h.records {
		if recordID(&h.records[i]) == id {
			return &h.records[i], nil
		}
	}
	return nil, refuse(http.StatusNotFound, "", "there is nothing like this to be continued")
}

// discard forgets a transfer that could be continued, and removes what has
// arrived of it.
func (h *hub) discard(id string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, err := h.record(id)
	if err != nil {
		return err
	}
	if err := r.Discard(); err != nil {
		return err
	}
	return h.refreshLocked()
}

// refreshLocked looks anew for what can be continued.
func (h *hub) refreshLocked() error {
	records, err := qft.Unfinished(h.state, "")
	if err != nil {
		return err
	}
	h.records = records
	h.tellState()
	return nil
}
