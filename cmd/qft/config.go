package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/adrg/xdg"
)

// configPath is the file that may name the helper: lines of KEY = VALUE, with
// # for comments. "helper" is the only key.
func configPath() string { return filepath.Join(xdg.ConfigHome, "qft", "config") }

func configuredHelper() (string, error) {
	f, err := os.Open(configPath())
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", usageError{fmt.Errorf("reading the configuration: %w", err)}
	}
	defer f.Close()
	helper := ""
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if strings.TrimSpace(key) != "helper" || !ok {
			return "", usageError{fmt.Errorf("%s:%d: the only setting is helper = HOST:PORT", configPath(), n)}
		}
		helper = strings.TrimSpace(value)
	}
	if err := lines.Err(); err != nil {
		return "", usageError{fmt.Errorf("reading %s: %w", configPath(), err)}
	}
	return helper, nil
}
