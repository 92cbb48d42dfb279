package gui

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
)

const (
	bodyLimit = 1 << 20  // of a request
	dropLimit = 32 << 20 // of one that lists dropped files
	bodyTime  = 30 * time.Second

	loginPath  = "/api/login"
	invitePath = "/api/invite"
)

// guard refuses what does not come from our own page: see the package comment.
type guard struct {
	door  *door
	hosts []string // that a request may name: HOST:PORT
	open  http.Handler
	page  http.Handler
	api   http.Handler
}

// policy is what the page may do: nothing but what we serve.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; " +
	"font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if r.ContentLength != 0 { // whoever sends slowly may not hold us up for ever, nor what is not read
		http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
	}
	isAPI := strings.HasPrefix(r.URL.Path, "/api/")
	switch {
	case !g.ours(r, isAPI):
		turnAway(w, http.StatusForbidden)
	case !isAPI && r.Method != http.MethodGet && r.Method != http.MethodHead:
		turnAway(w, http.StatusMethodNotAllowed)
	case !isAPI:
		g.page.ServeHTTP(w, r)
	case r.URL.Path == loginPath || r.URL.Path == invitePath:
		g.open.ServeHTTP(w, r)
	case !g.door.knows(r):
		turnAway(w, http.StatusForbidden)
	default:
		welcome(r.Context())
		g.api.ServeHTTP(w, r)
	}
}

// turnAway refuses a request without a word, and its connection.
func turnAway(w http.ResponseWriter, status int) {
	w.Header().Set("Connection", "close")
	w.WriteHeader(status)
}

// ours reports whether a request can be from our page, or from the address
// bar for what is no API.
func (g *guard) ours(r *http.Request, isAPI bool) bool {
	named := false
	for _, host := range g.hosts {
		named = named || r.Host == host
	}
	if !named {
		return false
	}
	for _, o := range r.Header.Values("Origin") {
		if o != "http://"+r.Host {
			return false
		}
	}
	switch strings.Join(r.Header.Values("Sec-Fetch-Site"), ",") {
	case "", "same-origin":
		return true
	case "none":
		return !isAPI
	}
	// The file that leads to the page is of another site, and so is what a person
	// clicks elsewhere: both may see the page, which holds nothing.
	return !isAPI && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}

// refusal is an answer that tells a person why.
type refusal struct {
	status  int
	problem Problem
}

func (e *refusal) Error() string { return e.problem.What }

// refuse makes one.
func refuse(status int, advice, format string, args ...any) error {
	return &refusal{status, Problem{Kind: "usage", What: fmt.Sprintf(format, args...), Advice: advice}}
}

// answer has a function answer a request in JSON.
func answer(f func(r *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		reply, err := f(r)
		var no *refusal
		status := http.StatusOK
		switch {
		case errors.As(err, &no):
			status, reply = no.status, no.problem
		case err != nil:
			status, reply = http.StatusBadRequest, problemOf(err)
		case reply == nil:
			reply = struct{}{}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(reply) // a page that has gone needs no answer
	}
}

// body reads the JSON of a request, at most limit bytes, into v.
func body(w http.ResponseWriter, r *http.Request, limit int64, v any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return refuse(http.StatusUnsupportedMediaType, "", "the request is not in JSON")
	}
	tooLarge := refuse(http.StatusRequestEntityTooLarge, "", "the request has more than %d bytes", limit)
	if limit == dropLimit {
		tooLarge = tooManyDropped()
	}
	if r.ContentLength > limit {
		return tooLarge
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, limit))
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return tooLarge
	case err != nil:
		return refuse(http.StatusBadRequest, "", "the request makes no sense")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return refuse(http.StatusBadRequest, "", "the request has something behind its end")
	}
	return nil
}
