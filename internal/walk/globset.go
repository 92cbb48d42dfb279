package walk

import "strings"

// setParser parses a bracket.
type setParser struct {
	p   string
	i   int // in p
	set *[256]bool
	low int // what a range may start with: the byte before it, or -1
}

// parseSet parses the bracket at the start of p and returns its length, or 0
// if it is broken.
func parseSet(p string) (*[256]bool, int) {
	s := setParser{p: p, i: 1, set: new([256]bool), low: -1}
	negated := len(p) > 1 && (p[1] == '!' || p[1] == '^')
	if negated {
		s.i++
	}
	for first := true; first || !strings.HasPrefix(p[s.i:], "]"); first = false {
		if !s.member() {
			return nil, 0
		}
	}
	if negated {
		for c := range s.set {
			s.set[c] = !s.set[c]
		}
	}
	s.set['/'] = false
	return s.set, s.i + 1
}

// member adds a byte, a range or a class. It returns false if the bracket is
// broken.
func (s *setParser) member() bool {
	p := s.p[s.i:]
	c, n, ok := setByte(p)
	switch {
	case !ok:
		return false
	case p[0] == '-' && s.low >= 0 && len(p) > 1 && p[1] != ']':
		high, n, ok := setByte(p[1:])
		for c := s.low; c <= int(high); c++ {
			s.set[c] = true
		}
		s.low = -1
		s.i += 1 + n
		return ok
	case strings.HasPrefix(p, "[:"):
		name, _, closed := strings.Cut(p[2:], "]")
		if !closed {
			return false
		}
		if class, ok := strings.CutSuffix(name, ":"); ok {
			s.low = -1
			s.i += 2 + len(name) + 1
			return setClass(s.set, class)
		}
	}
	s.set[c] = true
	s.low = int(c)
	s.i += n
	return true
}

// setByte takes a byte that may be escaped.
func setByte(p string) (c byte, n int, ok bool) {
	switch {
	case p == "":
		return 0, 0, false
	case p[0] != '\\':
		return p[0], 1, true
	case len(p) == 1:
		return 0, 0, false
	}
	return p[1], 2, true
}

// setClass adds a class of ASCII characters, if there is one of that name.
func setClass(set *[256]bool, name string) bool {
	for c := range byte(128) {
		in, known := inClass(name, c)
		if !known {
			return false
		}
		if in {
			set[c] = true
		}
	}
	return true
}

func inClass(name string, c byte) (in, known bool) {
	digit := '0' <= c && c <= '9'
	lower := 'a' <= c && c <= 'z'
	alpha := lower || 'A' <= c && c <= 'Z'
	graph := '!' <= c && c <= '~'
	switch name {
	case "alnum":
		return alpha || digit, true
	case "alpha":
		return alpha, true
	case "blank":
		return c == ' ' || c == '\t', true
	case "cntrl":
		return c < ' ' || c == 0x7f, true
	case "digit":
		return digit, true
	case "graph":
		return graph, true
	case "lower":
		return lower, true
	case "print":
		return graph || c == ' ', true
	case "punct":
		return graph && !alpha && !digit, true
	case "space":
		return strings.IndexByte(" \t\n\r", c) >= 0, true // and no other, for git
	case "upper":
		return alpha && !lower, true
	case "xdigit":
		return digit || 'a' <= c|0x20 && c|0x20 <= 'f', true
	}
	return false, false
}
