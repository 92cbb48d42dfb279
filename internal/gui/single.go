package gui

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"qft/internal/statefile"
)

const (
	// lockName is locked while a program serves pages, and callName says how
	// another one of the same user reaches it. Both lie in the state directory.
	lockName = "gui.lock"
	callName = "gui.json"

	// secretHeader shows what is in callName.
	secretHeader = "Qft-Secret"

	// callTime is how long another one may take to answer, one that is just
	// about to begin included.
	callTime  = 5 * time.Second
	callAgain = 100 * time.Millisecond
)

// single is the only program of this user that serves pages: with two, each
// would show only half of what goes on.
type single struct {
	lock   *os.File
	path   string
	secret string
}

// call is how the only one is reached.
type call struct {
	Port    uint16 `json:"port"`
	Secret  string `json:"secret"`
	Process int    `json:"process"`
}

// beSingle makes this program the only one; nil: there is one already. The
// system lets the lock go when the program ends, however it ends.
func beSingle(dir string) (*single, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder %s: %w", dir, plainError(err))
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", filepath.Join(dir, lockName), plainError(err))
	}
	free, err := statefile.TryLock(f)
	if err != nil || !free {
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("locking %s: %w", filepath.Join(dir, lockName), err)
		}
		return nil, nil
	}
	s := &single{lock: f, path: filepath.Join(dir, callName), secret: rand.Text()}
	if err := os.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) { // of one that was killed
		f.Close()
		return nil, fmt.Errorf("removing %s: %w", s.path, plainError(err))
	}
	return s, nil
}

// publish tells others of this user where we listen.
func (s *single) publish(port uint16) error {
	text, err := json.Marshal(call{port, s.secret, os.Getpid()})
	if err == nil {
		err = statefile.Replace(s.path, text)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", s.path, plainError(err))
	}
	return nil
}

// knows reports whether a request comes from a program that has read the file.
func (s *single) knows(r *http.Request) bool {
	return subtle.ConstantTimeCompare([]byte(r.Header.Get(secretHeader)), []byte(s.secret)) == 1
}

func (s *single) close() {
	os.Remove(s.path) // one that stays is known by the lock to be of nobody
	s.lock.Close()
}

// invitation is what the only one has for another: a page's key.
type invitation struct {
	Key string `json:"key"`
}

// askIn asks the only one for a page's address.
func askIn(ctx context.Context, dir string) (url string, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	var c call
	for {
		if c, err = readCall(dir); err == nil {
			if url, err = c.askIn(ctx); err == nil {
				return url, nil
			}
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("another qft gui of yours runs%s, and does not answer: %w; end it, and begin again", c.process(), err)
		case <-time.After(callAgain):
		}
	}
}

// process names it for people, if it is known.
func (c call) process() string {
	if c.Process == 0 {
		return ""
	}
	return " as process " + strconv.Itoa(c.Process)
}

func readCall(dir string) (c call, err error) {
	text, err := os.ReadFile(filepath.Join(dir, callName))
	if err != nil {
		return c, fmt.Errorf("it does not say where it is: %w", plainError(err))
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return c, errors.New("it does not say where it is")
	}
	return c, nil
}

func (c call) askIn(ctx context.Context) (url string, err error) {
	host := "127.0.0.1:" + strconv.Itoa(int(c.Port))
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+host+invitePath, bytes.NewReader([]byte("{}")))
	if err != nil {
		return "", err
	}
	r.Header.Set(secretHeader, c.Secret)
	r.Header.Set("Content-Type", "application/json")
	// No proxy: it is this machine's own.
	reply, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		return "", errors.New("it does not listen")
	}
	defer reply.Body.Close()
	var in invitation
	err = json.NewDecoder(io.LimitReader(reply.Body, 1<<10)).Decode(&in)
	if reply.StatusCode != http.StatusOK || err != nil || !isKey(in.Key) {
		return "", fmt.Errorf("it says %s", reply.Status)
	}
	return pageURL(host, in.Key), nil
}

// isKey reports whether it can be a key: nothing else goes into an address.
func isKey(key string) bool {
	for _, c := range key {
		if (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return false
		}
	}
	return len(key) >= 16 && len(key) <= 64
}
