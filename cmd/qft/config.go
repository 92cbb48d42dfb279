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

// configPath is the file with settings: lines of KEY = VALUE, with # for
// comments.
func configPath() string { return filepath.Join(xdg.ConfigHome, "qft", "config") }

// settings returns the settings by key. The file is not read when it could not
// add anything: an error in it is then nobody's concern.
func settings(o options) (map[string]string, error) {
	s := map[string]string{keyHelper: o.helper, keyLimit: o.limit, keyBackground: o.background}
	missing := false
	for key := range s {
		if s[key] == "" {
			s[key] = os.Getenv("QFT_" + strings.ToUpper(key))
		}
		missing = missing || s[key] == ""
	}
	if !missing {
		return s, nil
	}
	file, err := readConfig()
	if err != nil {
		return nil, err
	}
	for key := range s {
		if s[key] == "" {
			s[key] = file[key]
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
	keys := []string{keyHelper, keyLimit, keyBackground}
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

// limit reads a rate; an empty one is no limit.
func limit(text string) (float64, error) {
	if text == "" {
		return 0, nil
	}
	rate, err := qft.ParseRate(text)
	if err != nil {
		return 0, usageError{fmt.Errorf("the limit: %w", err)}
	}
	return rate, nil
}

// yes reads a setting that is on or off; empty is off.
func yes(key, text string) (bool, error) {
	switch strings.ToLower(text) {
	case "yes", "true", "on", "1":
		return true, nil
	case "", "no", "false", "off", "0":
		return false, nil
	}
	return false, usageError{fmt.Errorf("%s is yes or no, not %q", key, text)}
}
