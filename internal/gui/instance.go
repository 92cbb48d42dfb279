package gui

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// A second start of the program by the same user does not serve a second page:
// it finds the first by a file that only this user can read, and has it make a
// key for another page.

// instance is what that file says.
type instance struct {
	Port    int    `json:"port"`
	Secret  string `json:"secret"`
	Process int    `json:"process"`
}

const (
	instanceHeader = "Qft-Instance"
	visitTime      = 2 * time.Second
)

func (s *server) instancePath() string { return filepath.Join(s.folder, "instance.json") }

// moveIn leaves word for further starts, and returns what takes it away.
func (s *server) moveIn() (leave func(), err error) {
	if err := os.MkdirAll(s.folder, 0o700); err != nil {
		return nil, fmt.Errorf("making the window's folder: %w", err)
	}
	me := instance{Port: s.port, Secret: s.visitor, Process: os.Getpid()}
	text, err := json.Marshal(me)
	if err != nil {
		return nil, err
	}
	if err := replaceFile(s.instancePath(), text); err != nil {
		return nil, fmt.Errorf("leaving word of this window: %w", err)
	}
	return func() {
		if is, err := s.found(); err == nil && is == me {
			os.Remove(s.instancePath())
		}
	}, nil
}

func (s *server) found() (is instance, err error) {
	text, err := os.ReadFile(s.instancePath())
	if err != nil {
		return is, err
	}
	return is, json.Unmarshal(text, &is)
}

// visit asks a running instance for a key. Whatever does not answer as one is
// none: what it has left is stale.
func (s *server) visit(ctx context.Context) (key string, port int, ok bool) {
	is, err := s.found()
	if err != nil || is.Port < 1 || is.Port > 65535 || s.cfg.Port != 0 && int(s.cfg.Port) != is.Port {
		return "", 0, false
	}
	ctx, cancel := context.WithTimeout(ctx, visitTime)
	defer cancel()
	url := fmt.Sprintf("http://127.0.0.1:%d/api/invite", is.Port)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader([]byte("{}")))
	if err != nil {
		return "", 0, false
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(instanceHeader, is.Secret)
	client := http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}
	reply, err := client.Do(r)
	if err != nil {
		return "", 0, false
	}
	defer reply.Body.Close()
	var out struct{ Key string }
	if reply.StatusCode != http.StatusOK || json.NewDecoder(http.MaxBytesReader(nil, reply.Body, 4<<10)).Decode(&out) != nil {
		return "", 0, false
	}
	return out.Key, is.Port, isKey(out.Key)
}

// isKey reports whether text can be a key: it goes into a page's address.
func isKey(text string) bool {
	for _, c := range text {
		if (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return false
		}
	}
	return len(text) >= 20
}

// invited answers another start of the program.
func (s *server) invited(w http.ResponseWriter, r *http.Request) (any, error) {
	var none struct{}
	if err := body(w, r, 4<<10, &none); err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare([]byte(r.Header.Get(instanceHeader)), []byte(s.visitor)) != 1 {
		return nil, refuse(http.StatusForbidden, "", "not let in")
	}
	key, err := s.door.key(time.Now(), typedTime)
	return struct {
		Key string `json:"key"`
	}{key}, err
}

// welcome opens the first page, or says where it is.
func (s *server) welcome() error {
	lives := keyTime
	if s.cfg.Open == nil {
		lives = typedTime
	}
	key, err := s.door.key(time.Now(), lives)
	if err != nil {
		return err
	}
	if err := s.invite(key, s.port); err != nil {
		return err
	}
	fmt.Fprintln(s.cfg.Out, "qft runs until its last page is closed and nothing is left to do; Ctrl-C stops it.")
	return nil
}

// invite opens a page with a key, or says where it is.
func (s *server) invite(key string, port int) error {
	url := fmt.Sprintf("http://127.0.0.1:%d/#%s", port, key)
	if s.cfg.Open == nil {
		fmt.Fprintf(s.cfg.Out, "Open this address in a browser of this machine; it works once, within %d minutes:\n\n  %s\n\n", int(typedTime.Minutes()), url)
		return nil
	}
	path, err := porch(s.folder, url)
	if err != nil {
		return err
	}
	if err := s.cfg.Open(path); err != nil {
		os.Remove(path)
		fmt.Fprintf(s.cfg.Out, "No browser can be opened (%v). Open this address; it works once, within a minute:\n\n  %s\n\n", err, url)
		return nil
	}
	fmt.Fprintln(s.cfg.Out, "The page is open in your browser.")
	return nil
}

// sweep removes files that lead browsers in, once their keys are of no use.
func (s *server) sweep(now time.Time) {
	old, err := filepath.Glob(filepath.Join(s.folder, porchName("*")))
	if err != nil {
		return
	}
	for _, path := range old {
		if st, err := os.Stat(path); err == nil && now.Sub(st.ModTime()) > keyTime {
			os.Remove(path)
		}
	}
}
