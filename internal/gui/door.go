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

	// mostKeys bounds those that wait, and mostTries the wrong ones shown
	// before no further is looked at.
	mostKeys  = 16
	mostTries = 100

	cookieName  = "qft"
	tokenHeader = "Qft-Token"
)

// door lets pages in: see the package comment.
type door struct {
	cookie, token string

	mu    sync.Mutex
	keys  map[string]time.Time // until when each works
	tries int
}

func newDoor() *door {
	return &door{cookie: rand.Text(), token: rand.Text(), keys: make(map[string]time.Time)}
}

var errTooManyKeys = errors.New("too many pages are about to be opened")

// key makes one that works once within so long.
func (d *door) key(now time.Time, lives time.Duration) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for k, until := range d.keys {
		if now.After(until) {
			delete(d.keys, k)
		}
	}
	if len(d.keys) >= mostKeys {
		return "", errTooManyKeys
	}
	k := rand.Text()
	d.keys[k] = now.Add(lives)
	return k, nil
}

// enter takes a key, and reports whether it was one.
func (d *door) enter(now time.Time, key string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.tries >= mostTries {
		return false
	}
	until, ok := d.keys[key] // 130 random bits: there is nothing to learn from how long this takes
	if !ok || now.After(until) {
		d.tries++
		return false
	}
	delete(d.keys, key)
	return true
}

// knows reports whether a request shows cookie and token.
func (d *door) knows(r *http.Request) bool {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return false
	}
	cookie := subtle.ConstantTimeCompare([]byte(c.Value), []byte(d.cookie))
	token := subtle.ConstantTimeCompare([]byte(r.Header.Get(tokenHeader)), []byte(d.token))
	return cookie&token == 1
}

// give sets the cookie. The browser keeps it until it is closed.
func (d *door) give(w http.ResponseWriter) {
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: d.cookie, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
}

// porch writes a file that leads a browser in, to be opened by its path.
func porch(dir, url string) (path string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("making the window's folder: %w", err)
	}
	path = filepath.Join(dir, porchName(rand.Text()))
	text := "<!doctype html>\n<meta charset=\"utf-8\">\n<meta name=\"referrer\" content=\"no-referrer\">\n<title>qft</title>\n" +
		"<meta http-equiv=\"refresh\" content=\"0;url=" + url + "\">\n<a href=\"" + url + "\">qft</a>\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("writing the page's address: %w", err)
	}
	return path, nil
}

func porchName(unique string) string { return "open-" + unique + ".html" }
