package gui

import (
	"cmp"
	"errors"
	"net/http"
	"path/filepath"
	"strings"

	"qft"
	"qft/internal/settings"
)

func baseName(path string) string { return filepath.Base(path) }

// planOf is what a page wants to be done.
func (h *hub) planOf(n NewTransfer) (p plan, err error) {
	h.mu.Lock()
	set := h.settings
	h.mu.Unlock()
	if p.cfg, err = set.Config(); err != nil {
		return p, err
	}
	code, helper := settings.Invited(n.Code)
	n.Code, n.Helper = code, cmp.Or(n.Helper, helper)
	if err := meeting(&p.cfg, n); err != nil {
		return p, err
	}
	if n.Name != "" {
		if err := checkName(n.Name); err != nil {
			return p, err
		}
	}
	switch n.Kind {
	case "send":
		err = h.planSend(&p, n)
	case "receive":
		err = h.planReceive(&p, n, set)
	default:
		err = refuse(http.StatusBadRequest, "", "%q is neither send nor receive", n.Kind)
	}
	return p, err
}

// meeting takes over how the other side is met.
func meeting(cfg *qft.Config, n NewTransfer) error {
	switch {
	case n.Helper == settings.NoHelper:
		cfg.Helper = ""
	case n.Helper != "":
		if err := qft.CheckHelper(n.Helper); err != nil {
			return err
		}
		cfg.Helper, cfg.Stun = n.Helper, nil
	}
	if len(n.Stun) > 0 {
		if err := settings.Check(settings.Stun, strings.Join(n.Stun, " ")); err != nil {
			return refuse(http.StatusBadRequest, "", "%v", err)
		}
		cfg.Stun = n.Stun
	}
	if n.Limit != "" {
		rate, err := qft.ParseRate(n.Limit)
		if err != nil {
			return refuse(http.StatusBadRequest, "", "%v", err)
		}
		cfg.Limit = rate
	}
	cfg.Background = cfg.Background || n.Background
	cfg.Phrase = strings.TrimSpace(n.Phrase)
	return nil
}

func (h *hub) planSend(p *plan, n NewTransfer) error {
	s := &qft.Source{Name: n.Name, Exclude: n.Exclude, GitIgnore: n.GitIgnore, Archive: n.Archive, Receivers: n.Receivers, Text: n.Text}
	ways := 0
	if n.Text != "" {
		ways++
		if len(n.Text) > qft.MaxText {
			return refuse(http.StatusBadRequest, "Send it as a file.", "the text has more than %d bytes", qft.MaxText)
		}
	}
	if len(n.Paths) > 0 {
		ways++
		for _, path := range n.Paths {
			if _, err := h.places().within(path); err != nil {
				return err
			}
		}
		s.Paths = n.Paths
	}
	if n.Drop != nil {
		ways++
		d, err := newDrop(h, *n.Drop)
		if err != nil {
			return err
		}
		s.FS, s.Paths, p.close = d, d.items(), d.close
	}
	if ways != 1 {
		return refuse(http.StatusBadRequest, "Choose files, folders, or a text.", "there is nothing to send, or too many kinds of things")
	}
	p.source = s
	return nil
}

func (h *hub) planReceive(p *plan, n NewTransfer, set *settings.Settings) error {
	if err := h.planCode(p, n); err != nil {
		return err
	}
	h.mu.Lock()
	seen := h.seen
	h.mu.Unlock()
	dir, err := seen.places.folder(cmp.Or(n.Folder, seen.folder), answerTime)
	if err != nil {
		return err
	}
	p.target = qft.Target{Dir: dir, Name: n.Name, Archive: n.Archive}
	how := n.Existing
	if how == "" {
		if how, err = set.Text(settings.Existing); err != nil {
			return err
		}
	}
	if p.target.Existing, err = existingOf(how); err != nil {
		return err
	}
	p.ask = p.target.Existing == qft.ExistingAsk
	if p.target.MaxBytes, err = set.MaxBytes(); err != nil {
		return err
	}
	p.target.MaxFiles, err = set.MaxCount()
	return err
}

// planCode takes over what a receiver was told.
func (h *hub) planCode(p *plan, n NewTransfer) error {
	if len(p.cfg.Stun) > 0 && n.Code == "" {
		return nil // the token takes its place
	}
	if n.Code != "" {
		code, host, err := qft.SplitCode(n.Code)
		if err != nil {
			return refuse(http.StatusBadRequest, "Ask the sender for the code.", "%v", err)
		}
		p.cfg.Host = host
		p.cfg.Phrase = cmp.Or(code, p.cfg.Phrase)
	}
	if p.cfg.Phrase == "" {
		return refuse(http.StatusBadRequest, "Ask the sender for it.", "the code is missing")
	}
	return nil
}

func existingOf(how string) (qft.Existing, error) {
	what, err := settings.ParseExisting(how)
	if err != nil {
		return 0, refuse(http.StatusBadRequest, "", "%v", err)
	}
	return what, nil
}

// continued is how a record goes on.
func (h *hub) continued(id, code, phrase string) (plan, error) {
	r, err := h.record(id)
	if err != nil {
		return plan{}, err
	}
	h.mu.Lock()
	set := h.settings
	h.mu.Unlock()
	p := plan{record: id}
	if p.cfg, err = set.Config(); err != nil {
		return p, err
	}
	code, helper := settings.Invited(code)
	n := NewTransfer{Helper: cmp.Or(helper, r.Helper), Code: code, Phrase: phrase}
	if err := meeting(&p.cfg, n); err != nil {
		return p, err
	}
	if r.Role == "send" {
		if r.Own && p.cfg.Phrase == "" {
			return p, refuse(http.StatusBadRequest, "", "the phrase of this transfer is missing")
		}
		s := r.Source()
		for _, path := range s.Paths {
			if _, err := h.places().within(path); err != nil {
				return p, err
			}
		}
		p.source = &s
		return p, nil
	}
	if err := h.planCode(&p, n); err != nil {
		return p, err
	}
	p.target = r.Target()
	if _, err := h.places().folder(p.target.Dir, answerTime); err != nil {
		return p, err
	}
	p.ask = p.target.Existing == qft.ExistingFail || p.target.Existing == qft.ExistingAsk
	return p, nil
}

// errStopping: it is too late.
var errStopping = errors.New("the program is ending")
