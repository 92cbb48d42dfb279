package gui

import (
	"context"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"time"

	"qft"
	"qft/internal/settings"
)

const (
	// often is how often a page is told of a transfer's progress.
	often = 250 * time.Millisecond

	// mostTransfers is how many are kept in one run, ended ones included: the
	// oldest of those go first.
	mostTransfers = 200

	// backlog is how many messages may wait for a page. One that does not take
	// them is cut off, and begins anew with a whole State.
	backlog = 256

	// mostPages may be open.
	mostPages = 32
)

// hub owns all that pages see.
type hub struct {
	ctx     context.Context // of the program
	state   string          // directory for what outlasts it
	machine string
	more    []string // places, as the caller named them
	log     *slog.Logger
	show    func(path string) error // opens a folder for the person; nil: cannot
	disks   *disks

	working sync.WaitGroup // transfers and the doctor
	saving  sync.Mutex     // of whoever writes the history; before mu

	// mu guards what follows. Events of transfers wait for it, so nobody may hold
	// it while a disk is asked.
	mu        sync.Mutex
	closed    bool // nothing begins any more
	settings  *settings.Settings
	seen      sight
	transfers []*transfer
	lastID    int
	pages     map[*page]struct{}
	reads     map[int64]*pendingRead
	lastRead  int64
	awaited   time.Time // until when one may come, or when the last one went
	past      []Past
	doctor    Doctor
}

// sight is what the disk says.
type sight struct {
	places  places
	helper  string // in force
	folder  string // where received things go, if nothing else is chosen
	records []qft.Record
}

// page is an open one.
type page struct {
	id       string
	messages chan Message // closed when it is cut off
}

// look asks the disks anew, without the lock.
func (h *hub) look() { h.lookFor(lookTime) }

func (h *hub) lookFor(limit time.Duration) {
	h.mu.Lock()
	set, records := h.settings, h.seen.records
	h.mu.Unlock()
	s := sight{places: h.disks.findPlaces(h.more, limit)}
	if cfg, err := set.Config(); err == nil {
		s.helper = cfg.Helper
	}
	s.folder = s.places.standard(set, limit)
	var err error
	s.records, err = visitDisk(h.disks, s.folder, limit, func() ([]qft.Record, error) { return qft.Unfinished(h.state, s.folder) })
	if err != nil {
		h.log.Warn("what was interrupted cannot be listed", "error", err)
		s.records = records
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen = s
}

// lookAgain looks because a disk has answered that nobody waited for any more.
// Nobody waits for this either, so a slow one gets more time.
func (h *hub) lookAgain() {
	h.mu.Lock()
	was := h.seen
	h.mu.Unlock()
	h.lookFor(answerTime)
	h.mu.Lock()
	defer h.mu.Unlock()
	if !reflect.DeepEqual(was, h.seen) {
		h.tellState()
	}
}

// places are those of now.
func (h *hub) places() places {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seen.places
}

// State is all that a page shows.
func (h *hub) State() State {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stateLocked()
}

func (h *hub) stateLocked() State {
	s := State{
		Version: qft.Version, Machine: h.machine, Helper: h.seen.helper, Folder: h.seen.folder,
		Places: slices.Concat([]Place{}, h.seen.places.all), Transfers: []Transfer{},
		Unfinished: []Unfinished{}, History: slices.Clone(h.past), Settings: []Setting{}, Doctor: h.doctor,
		Pages: len(h.pages), Directories: h.show != nil,
	}
	for _, t := range h.transfers {
		s.Transfers = append(s.Transfers, t.picture(true))
	}
	for i := range h.seen.records {
		if u := unfinishedOf(&h.seen.records[i]); !slices.ContainsFunc(h.transfers, func(t *transfer) bool { return t.continues(u.ID) }) {
			s.Unfinished = append(s.Unfinished, u)
		}
	}
	for _, v := range h.settings.All() {
		s.Settings = append(s.Settings, Setting{Key: v.Name, Value: v.Value, From: v.From, Fixed: v.Fixed, Default: v.Default, Usage: v.Usage,
			Choices: append([]string{}, v.Choices...)})
	}
	if s.History == nil {
		s.History = []Past{}
	}
	return s
}

// tell sends a message to every page.
func (h *hub) tell(m Message) {
	for p := range h.pages {
		h.tellPage(p, m)
	}
}

// tellPage sends a message to a page, if it has not been cut off.
func (h *hub) tellPage(p *page, m Message) {
	if _, there := h.pages[p]; !there {
		return
	}
	select {
	case p.messages <- m:
	default:
		h.leaveLocked(p)
	}
}

// tellState sends all there is to every page, after something other than a
// transfer's progress has changed.
func (h *hub) tellState() {
	if len(h.pages) == 0 {
		return
	}
	s := h.stateLocked()
	h.tell(Message{State: &s})
}

// isName reports whether a page can have chosen text as a name.
func isName(text string) bool {
	for _, c := range text {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return len(text) >= 16 && len(text) <= 64
}

// enter adds a page; nil: there are too many.
func (h *hub) enter(id string) (*page, State) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.pages) >= mostPages {
		return nil, State{}
	}
	p := &page{id: id, messages: make(chan Message, backlog)}
	h.pages[p] = struct{}{}
	s := h.stateLocked()
	for o := range h.pages {
		if o != p {
			h.tellPage(o, Message{State: &s})
		}
	}
	h.awaited = time.Time{}
	h.askAgainLocked(p)
	return p, s
}

func (h *hub) leave(p *page) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leaveLocked(p)
}

// tellLast has a page hear that the program ends, behind what else there is.
func (h *hub) tellLast(p *page) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, there := h.pages[p]; there {
		h.tellPage(p, Message{Bye: true})
		h.leaveLocked(p)
	}
}

func (h *hub) leaveLocked(p *page) {
	if _, there := h.pages[p]; !there {
		return
	}
	delete(h.pages, p)
	close(p.messages)
	h.awaited = time.Now()
	h.tellState()
}

// await expects a page within so long.
func (h *hub) await(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if until := time.Now().Add(d); len(h.pages) == 0 && until.After(h.awaited) {
		h.awaited = until
	}
}

// idleSince is since when nobody needs the program: no page is open or awaited,
// and nothing runs or is about to; zero: somebody does.
func (h *hub) idleSince() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.pages) > 0 || h.doctor.Running || slices.ContainsFunc(h.transfers, func(t *transfer) bool { return !t.ended() }) {
		return time.Time{}
	}
	last := h.awaited
	for _, t := range h.transfers {
		if ended := time.UnixMilli(t.shown.Ended); ended.After(last) {
			last = ended
		}
	}
	return last
}

// add takes a transfer in, and starts it, or has it wait for its turn.
func (h *hub) add(t *transfer, queue bool) (Transfer, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		t.drop()
		return Transfer{}, errStopping
	}
	if h.unended() >= mostTransfers {
		t.drop()
		return Transfer{}, refuse(http.StatusConflict, "Wait until some have ended, or stop some.", "%d transfers run or wait already", mostTransfers)
	}
	h.lastID++
	t.hub, t.shown.ID = h, h.lastID
	t.shown.Began = time.Now().UnixMilli()
	h.transfers = append(h.transfers, t)
	if len(h.transfers) > mostTransfers {
		if i := slices.IndexFunc(h.transfers, (*transfer).ended); i >= 0 {
			h.transfers = slices.Delete(h.transfers, i, i+1)
		}
	}
	t.shown.Phase = PhaseQueued
	if !queue || !h.activeLocked() {
		t.startLocked()
	}
	h.tellState()
	return t.picture(false), nil
}

// unended is how many transfers run or are queued.
func (h *hub) unended() (n int) {
	for _, t := range h.transfers {
		if !t.ended() {
			n++
		}
	}
	return n
}

// activeLocked reports whether a transfer runs.
func (h *hub) activeLocked() bool {
	return slices.ContainsFunc(h.transfers, func(t *transfer) bool { return !t.ended() && t.shown.Phase != PhaseQueued })
}

// advanceLocked starts the next queued transfer, if none runs.
func (h *hub) advanceLocked() {
	if h.activeLocked() || h.closed {
		return
	}
	if i := slices.IndexFunc(h.transfers, func(t *transfer) bool { return t.shown.Phase == PhaseQueued }); i >= 0 {
		h.transfers[i].startLocked()
	}
}

// find returns a transfer.
func (h *hub) find(id int) (*transfer, error) {
	i := slices.IndexFunc(h.transfers, func(t *transfer) bool { return t.shown.ID == id })
	if i < 0 {
		return nil, refuse(http.StatusNotFound, "", "there is no transfer %d", id)
	}
	return h.transfers[i], nil
}

// move moves a queued transfer among the queued ones.
func (h *hub) move(id int, up bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	t, err := h.find(id)
	if err != nil {
		return err
	}
	step := 1
	if up {
		step = -1
	}
	from := slices.Index(h.transfers, t)
	for i := from + step; t.shown.Phase == PhaseQueued && i >= 0 && i < len(h.transfers); i += step {
		if h.transfers[i].shown.Phase == PhaseQueued {
			h.transfers[from], h.transfers[i] = h.transfers[i], h.transfers[from]
			break
		}
	}
	h.tellState()
	return nil
}

// remove takes an ended transfer off the list.
func (h *hub) remove(id int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	t, err := h.find(id)
	if err != nil {
		return err
	}
	if !t.ended() {
		return refuse(http.StatusConflict, "Stop it first.", "transfer %d is not over", id)
	}
	h.transfers = slices.DeleteFunc(h.transfers, func(o *transfer) bool { return o == t })
	h.tellState()
	return nil
}

// set writes a setting into the file, and takes it up.
func (h *hub) set(key, value string) error {
	if err := settings.Set(key, value); err != nil {
		return err
	}
	h.mu.Lock()
	s := h.settings
	h.mu.Unlock()
	s, err := s.Reload()
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.settings = s
	h.mu.Unlock()
	h.look()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tellState()
	return nil
}
