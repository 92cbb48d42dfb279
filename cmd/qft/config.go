package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/adrg/xdg"

	"qft"
)

// What can be set by a flag --KEY, by QFT_KEY in the environment, and by a
// line "KEY = VALUE" of the configuration file; the first of these that says
// something counts.
const (
	keyHelper     = "helper"     // HOST:PORT
	keyLimit      = "limit"      // see qft.ParseRate
	keyBackground = "background" // yes or no
)

var keys = []string{keyHelper, keyLimit, keyBackground}

// configPath is the file with settings: lines of KEY = VALUE, with # for
// comments.
func configPath() string { return filepath.Join(xdg.ConfigHome, "qft", "config") }

// statePath is where unfinished transfers are remembered.
func statePath() string { return filepath.Join(xdg.StateHome, "qft") }

// setting is a value with where it was said, for errors.
type setting struct{ value, from string }

// settings returns the settings by key. The file is not read when it could not
// add anything: an error in it is then nobody's concern.
func settings(o options) (map[string]setting, error) {
	said := map[string]string{keyHelper: o.helper, keyLimit: o.limit, keyBackground: o.background}
	s := make(map[string]setting)
	for _, key := range keys {
		variable := "QFT_" + strings.ToUpper(key)
		switch {
		case said[key] != "":
			s[key] = setting{said[key], "--" + key}
		case os.Getenv(variable) != "":
			s[key] = setting{os.Getenv(variable), variable}
		}
	}
	if len(s) == len(keys) {
		return s, nil
	}
	file, err := readConfig()
	if err != nil {
		return nil, err
	}
	for key, value := range file {
		if s[key].value == "" {
			s[key] = setting{value, configPath() + ": " + key}
		}
	}
	return s, nil
}

func readConfig() (map[string]string, error) {
	f, err := os.Open(configPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, usageError{fmt.Errorf("reading the configuration: %w", err)}
	}
	defer f.Close()
	s := make(map[string]string)
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		key = strings.TrimSpace(key)
		if !ok || !slices.Contains(keys, key) {
			return nil, usageError{fmt.Errorf("%s:%d: the settings are helper = HOST:PORT, limit = RATE and background = yes", configPath(), n)}
		}
		s[key] = strings.TrimSpace(value)
	}
	if err := lines.Err(); err != nil {
		return nil, usageError{fmt.Errorf("reading %s: %w", configPath(), err)}
	}
	return s, nil
}

// config joins flags, environment and configuration file, in this order. The
// helper is the one given, if there is one.
func (t *terminal) config(o options, helper string) (qft.Config, error) {
	cfg := qft.Config{Port: o.port, NoOffload: noOffload(), Events: t.event, State: statePath()}
	s, err := settings(o)
	if err != nil {
		return cfg, err
	}
	if cfg.Limit, err = s[keyLimit].rate(); err != nil {
		return cfg, err
	}
	if cfg.Background, err = s[keyBackground].yes(); err != nil {
		return cfg, err
	}
	if cfg.Helper = helper; helper != "" {
		return cfg, nil
	}
	h := s[keyHelper]
	if cfg.Helper = h.value; h.value == "" {
		return cfg, usageError{fmt.Errorf(`no helper is set. Both sides need the same one:
  --helper HOST:PORT, or QFT_HELPER=HOST:PORT in the environment, or a line
  helper = HOST:PORT
  in %s
Anybody can run a helper on a machine that both reach: qft helper 4000`, configPath())}
	}
	if err := qft.CheckHelper(h.value); err != nil {
		return cfg, usageError{fmt.Errorf("%s: %w", h.from, err)}
	}
	return cfg, nil
}

// noOffload is for the rare person whose network driver loses what it is given
// in trains: not worth a flag.
func noOffload() bool { return os.Getenv("QFT_NO_OFFLOAD") == "1" }

// rate reads a rate; an empty one is no limit.
func (s setting) rate() (float64, error) {
	if s.value == "" {
		return 0, nil
	}
	rate, err := qft.ParseRate(s.value)
	if err != nil {
		return 0, usageError{fmt.Errorf("%s: %w", s.from, err)}
	}
	return rate, nil
}

// yes reads a setting that is on or off; empty is off.
func (s setting) yes() (bool, error) {
	switch strings.ToLower(s.value) {
	case "yes", "true", "on", "1":
		return true, nil
	case "", "no", "false", "off", "0":
		return false, nil
	}
	return false, usageError{fmt.Errorf("%s is yes or no, not %q", s.from, s.value)}
}
