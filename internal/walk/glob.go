package walk

import "strings"

// glob is the part of a pattern behind its first special character, in pieces.
// It has the meaning that git gives it, byte by byte:
//
//	?       any byte but a slash
//	[a-z]   one of these bytes, never a slash; "!" or "^" in front: none of
//	        them; [:alpha:] and the like within
//	*       any bytes but slashes
//	**/     at the start or behind a slash: any directories, or none
//	**      there, at the end or before an escaped slash: anything at all;
//	        elsewhere the same as *
//	\x      x itself
type glob []piece

type piece struct {
	op  op
	b   byte
	set *[256]bool
}

type op byte

const (
	opByte op = iota // b
	opAny            // ?
	opSet            // [...]
	opStar           // *
	opDirs           // **/
	opAll            // **
)

// compile parses a pattern. A false ok says that it matches nothing, as a
// bracket is never closed or a class not known.
func compile(p string) (g glob, ok bool) {
	for i := 0; i < len(p); i++ {
		switch c := p[i]; c {
		case '\\':
			if i++; i == len(p) {
				return nil, false
			}
			g = append(g, piece{b: p[i]})
		case '?':
			g = append(g, piece{op: opAny})
		case '[':
			set, n := parseSet(p[i:])
			if n == 0 {
				return nil, false
			}
			g = append(g, piece{op: opSet, set: set})
			i += n - 1
		case '*':
			run := len(p[i:]) - len(strings.TrimLeft(p[i:], "*"))
			rest := p[i+run:]
			whole := run > 1 && (i == 0 || p[i-1] == '/')
			i += run - 1
			switch {
			case whole && strings.HasPrefix(rest, "/"):
				g = append(g, piece{op: opDirs})
				i++
			case whole && (rest == "" || strings.HasPrefix(rest, `\/`)):
				g = append(g, piece{op: opAll})
			default:
				g = append(g, piece{op: opStar})
			}
		default:
			g = append(g, piece{b: c})
		}
	}
	return g, true
}

// match reports whether all of s is what g describes. It goes along both, and
// where they part, back to the last * or, where that would have to take a
// slash, to the last **, to let it take more. Earlier ones need no second
// look: whatever they could take, the later one can take too.
func (g glob) match(s string) bool {
	star, wide := retry{at: -1}, retry{at: -1}
	for i, j := 0, 0; i < len(g) || j < len(s); { // i in g, j in s
		if i < len(g) {
			switch p := &g[i]; p.op {
			case opStar:
				i++
				star = retry{i, j}
				continue
			case opDirs, opAll:
				i++
				star, wide = retry{at: -1}, retry{i, j}
				continue
			default:
				if j < len(s) && p.takes(s[j]) {
					i++
					j++
					continue
				}
			}
		}
		switch {
		case star.at >= 0 && star.from < len(s) && s[star.from] != '/':
			star.from++
			i, j = star.at, star.from
		case wide.at >= 0 && wide.more(g, s):
			star.at = -1
			i, j = wide.at, wide.from
		default:
			return false
		}
	}
	return true
}

// retry is where to go on when a wildcard takes more than it did.
type retry struct {
	at   int // in the glob, behind the wildcard; -1: there was none
	from int // in the text, behind what the wildcard takes
}

// more lets the wildcard take the least that it can beyond what it took.
func (r *retry) more(g glob, s string) bool {
	n := 0
	if r.from < len(s) {
		n = 1
	}
	if g[r.at-1].op == opDirs {
		n = strings.IndexByte(s[r.from:], '/') + 1
	}
	r.from += n
	return n > 0
}

func (p *piece) takes(c byte) bool {
	switch p.op {
	case opByte:
		return c == p.b
	case opAny:
		return c != '/'
	}
	return p.set[c]
}
