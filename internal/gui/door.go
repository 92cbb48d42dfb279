package gui

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	// keyTime is how long a key waits in a file that the browser is told to
	// open, and typedTime how long one that a person has to paste.
	keyTime   = time.Minute
	typedTime = 10 * time.Minute

	// mostKeys bounds those that wait: further ones take the place of the oldest.
	mostKeys = 16

	// mostTries is how many wrong keys are looked at until a right one comes or
	// a new one is made. Keys are of 130 random bits: it only keeps who guesses
	// from making work.
	mostTries = 100

	tokenHeader = "Qft-Token"
)

// door lets pages in: see the package comment.
type door struct {
	name          string // of the cookie: browsers keep one of each name for all ports of a host
	cookie, token string

	mu    sync.Mutex
	keys  map[string]time.Time // until when each works
	tries int
}

func newDoor(port uint16) *door {
	return &door{name: fmt.Sprintf("qft-%d", port), cookie: rand.Text(), token: rand.Text(), keys: make(map[string]time.Time)}
}

// key makes one that works once within so long.
func (d *door) key(now time.Time, lives time.Duration) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	oldest := ""
	for k, until := range d.keys {
		if now.After(until) {
			delete(d.keys, k)
		} else if oldest == "" || until.Before(d.keys[oldest]) {
			oldest = k
		}
	}
	if len(d.keys) >= mostKeys {
		delete(d.keys, oldest)
	}
	k := rand.Text()
	d.keys[k] = now.Add(lives)
	d.tries = 0
	return k
}

// enter takes a key, and reports whether it was one.
func (d *door) enter(now time.Time, key string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.tries >= mostTries {
		return false
	}
	until, ok := d.keys[key] // there is nothing to learn from how long this takes
	if !ok || now.After(until) {
		d.tries++
		return false
	}
	delete(d.keys, key)
	d.tries = 0
	return true
}

// knows reports whether a request shows cookie and token. Another server on
// this host can have set cookies of the same name, so any of them will do.
func (d *door) knows(r *http.Request) bool {
	cookie := 0
	for _, c := range r.CookiesNamed(d.name) {
		cookie |= subtle.ConstantTimeCompare([]byte(c.Value), []byte(d.cookie))
	}
	token := subtle.ConstantTimeCompare([]byte(r.Header.Get(tokenHeader)), []byte(d.token))
	return cookie&token == 1
}

// give sets the cookie. The browser keeps it until it is closed.
func (d *door) give(w http.ResponseWriter) {
	http.SetCookie(w, &http.Cookie{Name: d.name, Value: d.cookie, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
}

// porch writes a file that leads a browser in, to be opened by its path.
func porch(dir, url string) (path string, err error) {
	path = filepath.Join(dir, porchName(rand.Text()))
	text := "<!doctype html>\n<meta charset=\"utf-8\">\n<meta name=\"referrer\" content=\"no-referrer\">\n<title>qft</title>\n" +
		"<meta http-equiv=\"refresh\" content=\"0;url=" + url + "\">\n<a href=\"" + url + "\">qft</a>\n"
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("making the window's folder: %w", plainError(err))
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", fmt.Errorf("writing the page's address: %w", plainError(err))
	}
	_, err = f.WriteString(text)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("writing the page's address: %w", plainError(err)), os.Remove(path))
	}
	return path, nil
}

func porchName(unique string) string { return "qft-open-" + unique + ".html" }
