package settings

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/adrg/xdg"

	"qft/internal/statefile"
)

// Path is the configuration file.
func Path() string { return filepath.Join(xdg.ConfigHome, "qft", "config") }

// StatePath is where unfinished transfers are remembered.
func StatePath() string { return filepath.Join(xdg.StateHome, "qft") }

// Downloads is the folder of this user's desktop for what comes from elsewhere.
func Downloads() string { return xdg.UserDirs.Download }

// readFile reads what the configuration file says; one that does not exist says
// nothing.
func readFile(path string) (map[string]string, error) {
	s := make(map[string]string)
	err := Read(path, func(name, value string) error {
		if _, ok := find(name); !ok {
			return fmt.Errorf("%q is no setting: they are KEY = VALUE, with a KEY that qft config lists", cmp.Or(name, value))
		}
		if value == "" {
			return fmt.Errorf("%s has no value: leave the line out, or write %s = VALUE", name, name)
		}
		s[name] = value
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return s, err
}

// Read reads a file of settings: lines KEY = VALUE, with # for comments. It
// calls f for each; a line that is something else has an empty key. An error of
// f is told with the file and the line. All errors are an *Error.
func Read(path string, f func(key, value string) error) error {
	file, err := os.Open(path)
	if err != nil {
		return &Error{path, fmt.Errorf("the configuration cannot be read: %w", plain(err))}
	}
	defer file.Close()
	return Parse(file, path, f)
}

// Parse is Read of what is open; path is for errors.
func Parse(r io.Reader, path string, f func(key, value string) error) error {
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		key, value, ok := splitLine(lines.Text())
		if !ok {
			continue
		}
		if err := f(key, value); err != nil {
			return &Error{fmt.Sprintf("%s:%d", path, n), err}
		}
	}
	if err := lines.Err(); err != nil {
		return &Error{path, fmt.Errorf("the configuration cannot be read: %w", plain(err))}
	}
	return nil
}

// splitLine takes a line apart; one without content is not ok.
func splitLine(line string) (key, value string, ok bool) {
	line, _, _ = strings.Cut(line, "#")
	if line = strings.TrimSpace(line); line == "" {
		return "", "", false
	}
	key, value, found := strings.Cut(line, "=")
	if !found {
		return "", line, true
	}
	return strings.TrimSpace(key), strings.TrimSpace(value), true
}

// Set writes a setting into the configuration file; an empty value removes it.
// Comments and all other lines stay as they are. The file is replaced as a
// whole, so that nobody ever reads a half of it. A path is written as an
// absolute one, as the file is read from everywhere.
func Set(name, value string) error {
	value = strings.TrimSpace(value)
	k, ok := find(name)
	if !ok {
		return Check(name, value)
	}
	if err := Check(name, value); err != nil {
		return &Error{name, err}
	}
	if k.Place != NoPlace && value != "" && atHome(value) == value {
		var err error
		if value, err = filepath.Abs(value); err != nil {
			return &Error{name, plain(err)}
		}
	}
	if strings.ContainsAny(value, "\n\r#") {
		return &Error{name, errors.New("a value is one line without #")}
	}
	path := Path()
	if at, err := filepath.EvalSymlinks(path); err == nil {
		path = at // the file that the link leads to is what somebody keeps
	}
	was, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &Error{path, fmt.Errorf("the configuration cannot be read: %w", plain(err))}
	}
	if err := statefile.Replace(path, []byte(change(string(was), name, value))); err != nil {
		return &Error{path, fmt.Errorf("the configuration cannot be written: %w", plain(err))}
	}
	return nil
}

// change sets a key in the text of a file: in the line that said it last, or
// in a new one. Earlier lines that said it go.
func change(text, name, value string) string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimRight(line, "\r\n"))
	}
	var out []string
	done := false
	for i := len(lines) - 1; i >= 0; i-- { // from the end: the last one counts
		if key, _, ok := splitLine(lines[i]); !ok || key != name {
			out = append(out, lines[i])
			continue
		}
		if done || value == "" {
			continue
		}
		done = true
		line := name + " = " + value
		if _, comment, ok := strings.Cut(lines[i], "#"); ok {
			line += "  #" + comment
		}
		out = append(out, line)
	}
	var b strings.Builder
	for i := len(out) - 1; i >= 0; i-- {
		b.WriteString(out[i] + "\n")
	}
	if !done && value != "" {
		b.WriteString(name + " = " + value + "\n")
	}
	return b.String()
}
