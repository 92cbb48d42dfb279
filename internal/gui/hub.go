package gui

import (
	"context"
	"log/slog"
	"net/http"
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
)

// hub owns all that pages see.
type hub struct {
	ctx     context.Context // of the program
	state   string          // directory for what outlasts it
	machine string
	places  places
	log     *slog.Logger
	show    func(path string) error // opens a folder for the person; nil: cannot

	working sync.WaitGroup // transfers and the doctor

	mu        sync.Mutex
	settings  *settings.Settings
	transfers []*transfer
	lastID    int
	pages     map[*page]struct{}
	pageSeen  time.Time // when the last one went; zero: none has come
	past      []Past
	records   []qft.Record // what can be continued
	doctor    Doctor
}

// page is an open one.
type page struct {
	id       string
	messages chan Message // closed when it is cut off
}

// State is all that a page shows.
func (h *hub) State() State {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stateLocked()
}

func (h *hub) stateLocked() State {
	s := State{
		Version: qft.Version, Machine: h.machine, Folder: h.folderLocked(), Places: h.places, Transfers: []Transfer{},
		Unfinished: []Unfinished{}, History: slices.Clone(h.past), Settings: []Setting{}, Doctor: h.doctor,
		Pages: len(h.pages), Directories: h.show != nil,
	}
	if cfg, err := h.settings.Config(); err == nil {
		s.Helper = cfg.Helper
	}
	for _, t := range h.transfers {
		s.Transfers = append(s.Transfers, t.picture(true))
	}
	for i := range h.records {
		s.Unfinished = append(s.Unfinished, unfinishedOf(&h.records[i]))
	}
	for _, v := range h.settings.All() {
		s.Settings = append(s.Settings, Setting{Key: v.Name, Value: v.Value, From: v.From, Fixed: v.Fixed, Default: v.Default, Usage: v.Usage,
			Choices: slices.Concat([]string{}, v.Choices)})
	}
	if s.History == nil {
		s.History = []Past{}
	}
	return s
}

// folderLocked is where received things go, if nothing else is chosen.
func (h *hub) folderLocked() string {
	for _, path := range []string{h.settings.Lookup(settings.Folder).Value, settings.Downloads()} {
		if path == "" {
			continue
		}
		if real, err := h.places.folder(path); err == nil {
			return real
		}
	}
	if len(h.places) > 0 {
		return h.places[0].Path
	}
	return ""
}

// tell sends a message to every page.
func (h *hub) tell(m Message) {
	for p := range h.pages {
		h.tellPage(p, m)
	}
}

func (h *hub) tellPage(p *page, m Message) {
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

// enter adds a page.
func (h *hub) enter(id string) (*page, State) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := &page{id: id, messages: make(chan Message, backlog)}
	h.pages[p] = struct{}{}
	return p, h.stateLocked()
}

func (h *hub) leave(p *page) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leaveLocked(p)
}

func (h *hub) leaveLocked(p *page) {
	if _, there := h.pages[p]; !there {
		return
	}
	delete(h.pages, p)
	close(p.messages)
	h.pageSeen = time.Now()
}

// idleSince is since when nobody needs the program: no page is open, and nothing
// runs or is about to; zero: somebody does, or no page has come so far.
func (h *hub) idleSince() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.pages) > 0 || h.doctor.Running || slices.ContainsFunc(h.transfers, func(t *transfer) bool { return !t.ended() }) {
		return time.Time{}
	}
	last := h.pageSeen
	for _, t := range h.transfers {
		if ended := time.UnixMilli(t.shown.Ended); !last.IsZero() && ended.After(last) {
			last = ended
		}
	}
	return last
}

// busy is how many transfers run or are queued.
func (h *hub) busy() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range h.transfers {
		if !t.ended() {
			n++
		}
	}
	return n
}

// add takes a transfer in, and starts it, or has it wait for its turn.
func (h *hub) add(t *transfer, queue bool) Transfer {
	h.mu.Lock()
	defer h.mu.Unlock()
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
	return t.picture(false)
}

// activeLocked reports whether a transfer runs.
func (h *hub) activeLocked() bool {
	return slices.ContainsFunc(h.transfers, func(t *transfer) bool { return !t.ended() && t.shown.Phase != PhaseQueued })
}

// advanceLocked starts the next queued transfer, if none runs.
func (h *hub) advanceLocked() {
	if h.activeLocked() || h.ctx.Err() != nil {
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
	s, err := settings.Load(nil)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.settings = s
	h.tellState()
	return nil
}

// diagnose runs the doctor.
func (h *hub) diagnose(long bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.doctor.Running {
		return refuse(http.StatusConflict, "", "the network is being measured already")
	}
	cfg := qft.DoctorConfig{Long: long}
	set, err := h.settings.Config()
	if err != nil {
		return err
	}
	cfg.NoPortMapping = set.NoPortMapping
	if cfg.Servers = set.Stun; set.Helper != "" {
		cfg.Servers = []string{set.Helper}
	}
	cfg.Waiting = func(rest time.Duration) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.doctor.Rest = rest.Milliseconds()
		h.tellState()
	}
	h.doctor = Doctor{Running: true, Diagnosis: h.doctor.Diagnosis}
	h.tellState()
	h.working.Go(func() {
		d, err := qft.Doctor(h.ctx, cfg)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.doctor = Doctor{Diagnosis: &d}
		if err != nil {
			h.doctor = Doctor{Error: problemOf(err)}
		}
		h.tellState()
	})
	return nil
}
