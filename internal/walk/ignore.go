package walk

import (
	"path"
	"strings"
)

// pattern is a line of a .gitignore file. See gitignore(5).
type pattern struct {
	keep    bool   // "!": what it matches is not ignored
	dirOnly bool   // "/" at the end
	anyDir  bool   // no other "/": it matches names, in whatever directory
	start   string // what the path or name must start with, to the first special character
	rest    glob
}

// rules are the patterns that lie in one directory.
type rules []pattern

// verdict is what rules say.
type verdict byte

const (
	silent verdict = iota
	ignored
	kept
)

// parseRules parses the lines of a .gitignore file.
func parseRules(lines []string) rules {
	var r rules
	for _, line := range lines {
		if p, ok := parsePattern(line); ok {
			r = append(r, p)
		}
	}
	return r
}

// parsePattern parses a line. It returns false if that is empty, a comment, or
// can match nothing.
func parsePattern(line string) (p pattern, ok bool) {
	if strings.HasPrefix(line, "#") {
		return p, false
	}
	line = strings.TrimSuffix(line, "\r")
	line, _, _ = strings.Cut(line, "\x00")
	line = trimSpaces(line)
	line, p.keep = strings.CutPrefix(line, "!")
	line, p.dirOnly = strings.CutSuffix(line, "/")
	if line == "" {
		return p, false
	}
	p.anyDir = !strings.Contains(line, "/")
	line = strings.TrimPrefix(line, "/")
	special := strings.IndexAny(line, `*?[\`)
	if special < 0 {
		p.start = line
		return p, true
	}
	p.start = line[:special]
	p.rest, ok = compile(line[special:])
	return p, ok
}

// trimSpaces removes the spaces at the end of a line that no backslash stands
// before.
func trimSpaces(line string) string {
	end := 0
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' {
			i++
		} else if line[i] == ' ' {
			continue
		}
		end = min(i+1, len(line))
	}
	return line[:end]
}

// judge says what becomes of a path, relative to the directory of the rules.
// The last pattern that matches decides.
func (r rules) judge(rel string, isDir bool) verdict {
	for i := len(r) - 1; i >= 0; i-- {
		p := &r[i]
		if p.dirOnly && !isDir {
			continue
		}
		text := rel
		if p.anyDir {
			text = path.Base(rel)
		}
		rest, ok := strings.CutPrefix(text, p.start)
		switch {
		case !ok, !p.rest.match(rest):
		case p.keep:
			return kept
		default:
			return ignored
		}
	}
	return silent
}
