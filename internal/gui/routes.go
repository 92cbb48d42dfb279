package gui

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"rsc.io/qr"

	"qft/internal/settings"
)

const (
	// beat is how often a silent stream of events shows that it lives.
	beat = 15 * time.Second

	mostQR = 1000 // bytes
)

// letIn is what a page gets for its key, beside the cookie.
type letIn struct {
	Token string `json:"token"`
}

// openRoutes are those that need no token.
func (s *server) openRoutes() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("POST "+loginPath, func(w http.ResponseWriter, r *http.Request) {
		answer(func(*http.Request) (any, error) {
			var in struct{ Key string }
			if err := body(w, r, 4<<10, &in); err != nil {
				return nil, err
			}
			if !s.door.enter(time.Now(), in.Key) {
				return nil, refuse(http.StatusForbidden, "Run qft gui again: it opens a new page.", "this page's key has been used, or is too old")
			}
			s.door.give(w)
			return letIn{s.door.token}, nil
		})(w, r)
	})
	m.HandleFunc("POST "+invitePath, func(w http.ResponseWriter, r *http.Request) {
		answer(func(*http.Request) (any, error) { return s.invited(w, r) })(w, r)
	})
	return m
}

// routes are those for pages that were let in.
func (s *server) routes() http.Handler {
	m := http.NewServeMux()
	h := s.hub
	get := func(path string, f func(r *http.Request) (any, error)) { m.HandleFunc("GET "+path, answer(f)) }
	get("/api/state", func(*http.Request) (any, error) { return h.State(), nil })
	get("/api/folder", func(r *http.Request) (any, error) {
		return h.places().list(r.URL.Query().Get("path"), r.URL.Query().Get("hidden") == "1")
	})
	m.HandleFunc("GET /api/events", s.events)

	post(m, "/api/folder", bodyLimit, func(r *http.Request, in struct{ Path string }) (any, error) {
		made, err := h.places().makeFolder(in.Path)
		return struct {
			Path string `json:"path"`
		}{made}, err
	})
	post(m, "/api/code", bodyLimit, func(_ *http.Request, in struct{ Text string }) (any, error) { return checkCode(in.Text), nil })
	post(m, "/api/qr", bodyLimit, func(_ *http.Request, in struct{ Text string }) (any, error) { return qrOf(in.Text) })
	post(m, "/api/settings", bodyLimit, func(_ *http.Request, in struct{ Key, Value string }) (any, error) {
		return nil, h.set(in.Key, in.Value)
	})
	post(m, "/api/doctor", bodyLimit, func(_ *http.Request, in struct{ Long bool }) (any, error) { return nil, h.diagnose(in.Long) })
	post(m, "/api/history/clear", bodyLimit, func(*http.Request, struct{}) (any, error) {
		h.forget()
		return nil, nil
	})
	m.HandleFunc("POST /api/reads/{id}", s.takeRead)
	s.transferRoutes(m)
	return m
}

// takeRead takes bytes of a dropped file.
func (s *server) takeRead(w http.ResponseWriter, r *http.Request) {
	answer(func(r *http.Request) (any, error) {
		id, err := number(r)
		switch {
		case err != nil:
			return nil, err
		case r.Header.Get("Content-Type") != "application/octet-stream":
			return nil, refuse(http.StatusUnsupportedMediaType, "", "these are no bytes of a file")
		}
		var problem *unread
		if q := r.URL.Query(); q.Has("error") {
			problem = &unread{plainText(q.Get("error")), plainText(q.Get("advice"))}
		}
		return nil, s.hub.takeRead(int64(id), problem, r.Body)
	})(w, r)
}

// transferRoutes are what is done with transfers.
func (s *server) transferRoutes(m *http.ServeMux) {
	h := s.hub
	post(m, "/api/transfers", dropLimit, func(_ *http.Request, in NewTransfer) (any, error) {
		p, err := h.planOf(in)
		if err != nil {
			return nil, err
		}
		return h.add(newTransfer(p), in.Queue)
	})
	post(m, "/api/transfers/{id}/again", bodyLimit, func(r *http.Request, _ struct{}) (any, error) {
		var p plan
		err := h.with(r, func(t *transfer) (err error) {
			p, err = t.againLocked()
			return err
		})
		if err != nil {
			return nil, err
		}
		return h.add(newTransfer(p), false)
	})
	post(m, "/api/unfinished/{id}/continue", bodyLimit, func(r *http.Request, in struct{ Code, Phrase string }) (any, error) {
		p, err := h.continued(r.PathValue("id"), in.Code, in.Phrase)
		if err != nil {
			return nil, err
		}
		return h.add(newTransfer(p), false)
	})
	post(m, "/api/unfinished/{id}/discard", bodyLimit, func(r *http.Request, _ struct{}) (any, error) {
		return nil, h.discard(r.PathValue("id"))
	})
	on := func(verb string, f func(t *transfer) error) {
		post(m, "/api/transfers/{id}/"+verb, bodyLimit, func(r *http.Request, _ struct{}) (any, error) { return nil, h.with(r, f) })
	}
	on("stop", func(t *transfer) error {
		t.stopLocked()
		return nil
	})
	on("start", func(t *transfer) error {
		if t.shown.Phase == PhaseQueued {
			t.startLocked()
			t.changed(true)
		}
		return nil
	})
	post(m, "/api/transfers/{id}/show", bodyLimit, func(r *http.Request, _ struct{}) (any, error) {
		folder := ""
		err := h.with(r, func(t *transfer) error {
			folder = t.shown.Folder
			return nil
		})
		if err != nil {
			return nil, err
		}
		return nil, h.showFolder(folder)
	})
	post(m, "/api/transfers/{id}/change", bodyLimit, func(r *http.Request, in Change) (any, error) {
		return nil, h.with(r, func(t *transfer) error {
			t.steer(in)
			return nil
		})
	})
	post(m, "/api/transfers/{id}/answer", bodyLimit, func(r *http.Request, in Answer) (any, error) {
		return nil, h.with(r, func(t *transfer) error { return t.answerLocked(in) })
	})
	post(m, "/api/transfers/{id}/move", bodyLimit, func(r *http.Request, in struct{ Up bool }) (any, error) {
		id, err := number(r)
		if err != nil {
			return nil, err
		}
		return nil, h.move(id, in.Up)
	})
	post(m, "/api/transfers/{id}/remove", bodyLimit, func(r *http.Request, _ struct{}) (any, error) {
		id, err := number(r)
		if err != nil {
			return nil, err
		}
		return nil, h.remove(id)
	})
}

// post routes requests that change something, whose body is an In.
func post[In any](m *http.ServeMux, path string, limit int64, f func(r *http.Request, in In) (any, error)) {
	m.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		answer(func(r *http.Request) (any, error) {
			var in In
			if err := body(w, r, limit, &in); err != nil {
				return nil, err
			}
			return f(r, in)
		})(w, r)
	})
}

// with does something with the transfer that a request names.
func (h *hub) with(r *http.Request, f func(t *transfer) error) error {
	id, err := number(r)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	t, err := h.find(id)
	if err != nil {
		return err
	}
	return f(t)
}

func number(r *http.Request) (int, error) {
	n, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		return 0, refuse(http.StatusNotFound, "", "%q is no number", r.PathValue("id"))
	}
	return n, nil
}

// showFolder opens the folder of what was received in the system's own way.
func (h *hub) showFolder(folder string) error {
	if h.show == nil || folder == "" {
		return refuse(http.StatusConflict, "", "there is no folder to show, or nothing to show it with")
	}
	if err := h.show(folder); err != nil {
		return refuse(http.StatusConflict, "Look for it yourself: "+folder, "the folder cannot be shown: %v", err)
	}
	return nil
}

// events streams to a page what happens, as server-sent events.
func (s *server) events(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("page")
	if !isName(id) {
		http.Error(w, "the page has no proper name", http.StatusBadRequest)
		return
	}
	s.hub.look()
	p, state := s.hub.enter(id)
	if p == nil {
		http.Error(w, "too many pages are open", http.StatusTooManyRequests)
		return
	}
	defer s.hub.leave(p)
	w.Header().Set("Content-Type", "text/event-stream")
	send := s.sender(w)
	if send(Message{State: &state}) != nil {
		return
	}
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		select {
		case m, ok := <-p.messages:
			if !ok || send(m) != nil {
				return
			}
		case <-tick.C:
			if send(Message{}) != nil {
				return
			}
		case <-r.Context().Done():
			return
		case <-s.ending:
			s.hub.tellLast(p)
			for m := range p.messages {
				if send(m) != nil {
					return
				}
			}
			return
		}
	}
}

// sender writes messages to a page; an empty one shows that the stream lives.
func (s *server) sender(w http.ResponseWriter) func(Message) error {
	rc := http.NewResponseController(w)
	return func(m Message) error {
		text := []byte(":\n\n")
		if m != (Message{}) {
			b, err := json.Marshal(m)
			if err != nil {
				return err
			}
			text = fmt.Appendf(nil, "data: %s\n\n", b)
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
		return rc.Flush()
	}
}

// qrOf draws a QR as SVG: dark on light whatever the page's colours are, as
// scanners want it.
func qrOf(text string) (any, error) {
	c, err := qr.Encode(settings.QRText(text[:min(len(text), mostQR+1)]), qr.M)
	if err != nil || len(text) > mostQR {
		return nil, refuse(http.StatusBadRequest, "", "this is too much text for a QR")
	}
	const quiet = 4
	n := c.Size + 2*quiet
	path := make([]byte, 0, 16<<10)
	for y := range c.Size {
		for x := range c.Size {
			if c.Black(x, y) {
				path = fmt.Appendf(path, "M%d %dh1v1h-1z", x+quiet, y+quiet)
			}
		}
	}
	return struct {
		SVG string `json:"svg"`
	}{fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%dv%dH0z"/><path d="%s"/></svg>`,
		n, n, n, n, path)}, nil
}
