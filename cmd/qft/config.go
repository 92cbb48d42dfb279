package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
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
	keyHelper     = "helper"     // HOST:PORT, or none
	keyLimit      = "limit"      // see qft.ParseRate
	keyBackground = "background" // yes or no
	keySecretFile = "helper-secret-file"
	keyPortmap    = "portmap" // yes or no; the flag is --no-portmap
	keyLAN        = "lan"     // yes or no; the flag is --no-lan
)

var keys = []string{keyHelper, keyLimit, keyBackground, keySecretFile, keyPortmap, keyLAN}

// configPath is the file with settings: lines of KEY = VALUE, with # for
// comments.
func configPath() string { return filepath.Join(xdg.ConfigHome, "qft", "config") }

// statePath is where unfinished transfers are remembered.
func statePath() string { return filepath.Join(xdg.StateHome, "qft") }

// noHelper in the place of a helper's address means that there is none, whatever
// the configuration file says.
const noHelper = "none"

// setting is a value with where it was said, for errors.
type setting struct{ value, from string }

// settings returns the settings by key. The file is not read when it could not
// add anything: an error in it is then nobody's concern.
func settings(o options) (map[string]setting, error) {
	said := map[string]string{
		keyHelper: o.helper, keyLimit: o.limit, keyBackground: o.background, keySecretFile: o.secretFile, keyPortmap: o.portmap,
		keyLAN: o.lan,
	}
	s := make(map[string]setting)
	for _, key := range keys {
		variable := "QFT_" + strings.ReplaceAll(strings.ToUpper(key), "-", "_")
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
	s := make(map[string]string)
	err := readSettings(configPath(), func(key, value string) error {
		if !slices.Contains(keys, key) {
			return errors.New("the settings are helper = HOST:PORT, limit = RATE, background = yes, portmap = no, lan = no and helper-secret-file = FILE")
		}
		s[key] = value
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return s, err
}

// readSettings reads a file of settings.
func readSettings(path string, f func(key, value string) error) error {
	file, err := os.Open(path)
	if err != nil {
		return usageError{fmt.Errorf("reading the configuration: %w", err)}
	}
	defer file.Close()
	return parseSettings(file, path, f)
}

// parseSettings reads lines KEY = VALUE, with # for comments, and calls f for
// each. An error of f is told with the file and the line. A line that is
// something else has an empty key.
func parseSettings(r io.Reader, path string, f func(key, value string) error) error {
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			key = ""
		}
		if err := f(strings.TrimSpace(key), strings.TrimSpace(value)); err != nil {
			return usageError{fmt.Errorf("%s:%d: %w", path, n, err)}
		}
	}
	if err := lines.Err(); err != nil {
		return usageError{fmt.Errorf("reading %s: %w", path, err)}
	}
	return nil
}

// config joins flags, environment and configuration file, in this order. The
// helper is the one given, if there is one.
func (t *terminal) config(o options, helper string) (qft.Config, error) {
	cfg := qft.Config{Port: o.port, NoOffload: noOffload(), Events: t.event, State: statePath()}
	if cfg.Stun = o.stun; len(o.stun) > 0 {
		cfg.Paste, t.tokens = t.askToken, true
	}
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
	if cfg.NoNearby, err = s[keyLAN].no(); err != nil {
		return cfg, err
	}
	if cfg.NoPortMapping, err = s[keyPortmap].no(); err != nil {
		return cfg, err
	}
	if cfg.HelperSecret, err = helperSecret(s[keySecretFile]); err != nil {
		return cfg, err
	}
	if cfg.Helper = helper; helper != "" {
		return cfg, nil
	}
	h := s[keyHelper]
	if h.value == "" || h.value == noHelper {
		return cfg, nil
	}
	cfg.Helper = h.value
	if err := qft.CheckHelper(h.value); err != nil {
		return cfg, usageError{fmt.Errorf("%s: %w", h.from, err)}
	}
	return cfg, nil
}

// helperSecret is what a private helper lets in by: never from a flag, where
// everybody on the machine could read it.
func helperSecret(file setting) ([]byte, error) {
	if secret := os.Getenv("QFT_HELPER_SECRET"); secret != "" && !strings.HasPrefix(file.from, "--") {
		secret = strings.TrimSpace(secret)
		if len(secret) < leastSecret {
			return nil, usageError{fmt.Errorf("QFT_HELPER_SECRET: a secret has at least %d characters", leastSecret)}
		}
		return []byte(secret), nil
	}
	if file.value == "" {
		return nil, nil
	}
	all, err := readSecrets(file.value)
	if err != nil {
		return nil, usageError{fmt.Errorf("%s: %w", file.from, err)}
	}
	return all[0], nil
}

// leastSecret is how many characters a helper's secret has at least: what is
// shown of it to the helper allows guessing at leisure to whoever sees that.
const leastSecret = 16

// readSecrets reads the secrets of a helper, one a line, with # for comments.
func readSecrets(path string) (all [][]byte, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the secret: %w", err)
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if len(line) < leastSecret {
			return nil, fmt.Errorf("%s:%d: a secret has at least %d characters; a good one comes from: openssl rand -base64 24", path, n, leastSecret)
		}
		all = append(all, []byte(line))
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s holds no secret", path)
	}
	return all, nil
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
	on, err := parseYes(s.value)
	if err != nil && s.value != "" {
		return false, usageError{fmt.Errorf("%s is yes or no, not %q", s.from, s.value)}
	}
	return on, nil
}

func parseYes(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "yes", "true", "on", "1":
		return true, nil
	case "no", "false", "off", "0":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither yes nor no", text)
}

// no reads a setting that is on or off; empty is on.
func (s setting) no() (bool, error) {
	if s.value == "" {
		return false, nil
	}
	on, err := s.yes()
	return !on, err
}
