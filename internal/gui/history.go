package gui

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"qft"
	"qft/internal/statefile"
)

// mostPast is how many ended transfers are remembered.
const mostPast = 200

// past is what is remembered of an ended transfer: no code and no phrase.
func (t *transfer) past(r qft.Result) Past {
	s := &t.shown
	p := Past{Kind: s.Kind, Name: s.Name, Where: s.Folder, Size: r.Size, Files: r.Files, Ended: s.Ended, Took: s.Ended - s.Began, OK: s.Phase == PhaseDone}
	if t.plan.source != nil && len(t.plan.source.Paths) > 0 && t.plan.source.FS == nil {
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

// rememberLocked adds to the history. Who calls it has to call keepPast too.
func (h *hub) rememberLocked(p Past) {
	h.past = append([]Past{p}, h.past...) // a new one: pages are being told of the old one
	if len(h.past) > mostPast {
		h.past = h.past[:mostPast]
	}
}

// keepPast writes the history to the disk. One that does not take it only costs
// the history.
func (h *hub) keepPast() {
	h.saving.Lock()
	defer h.saving.Unlock()
	h.mu.Lock()
	past := h.past
	h.mu.Unlock()
	text, err := json.Marshal(past)
	if err == nil {
		err = statefile.Replace(h.historyPath(), text)
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
	h.past = nil
	h.tellState()
	h.mu.Unlock()
	h.keepPast()
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

// record finds a transfer that can be continued, and does not go on already.
func (h *hub) record(id string) (qft.Record, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.seen.records {
		if recordID(&r) == id && !slices.ContainsFunc(h.transfers, func(t *transfer) bool { return t.continues(id) }) {
			return r, nil
		}
	}
	return qft.Record{}, refuse(http.StatusNotFound, "", "there is nothing like this to be continued")
}

// discard forgets a transfer that could be continued, and removes what has
// arrived of it.
func (h *hub) discard(id string) error {
	r, err := h.record(id)
	if err != nil {
		return err
	}
	_, err = visitDisk(h.disks, cmp.Or(r.Dir, h.state), answerTime, func() (struct{}, error) { return struct{}{}, r.Discard() })
	if err != nil {
		return err
	}
	h.look()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tellState()
	return nil
}
