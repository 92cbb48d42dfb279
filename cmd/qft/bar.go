package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

const (
	// tallWidth is how wide a terminal must be for a bar and a second line.
	tallWidth = 60

	leastFile = 14 // columns for the name of the current file

	leastBar = 8
	mostBar  = 40

	// drawEvery is how often progress is drawn at most. Where writing takes
	// long, a slow line, it is drawn so seldom that it takes a tenth of the time.
	drawEvery = 250 * time.Millisecond
	drawShare = 10
)

// blocks are bars of an eighth of a column each.
var blocks = []string{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"}

// bar draws a share of 0 to 1 in so many columns.
func bar(share float64, long int, fine bool) string {
	share = min(max(share, 0), 1)
	if !fine {
		full := int(share * float64(long))
		return "[" + strings.Repeat("#", full) + strings.Repeat(".", long-full) + "]"
	}
	eighths := int(share * float64(long) * 8)
	s := strings.Repeat("█", eighths/8) + blocks[eighths%8]
	return s + strings.Repeat("░", long-columns(s))
}

// fineBars reports whether this terminal shows block characters.
func fineBars() bool {
	if runtime.GOOS == "windows" {
		return true
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToUpper(os.Getenv(name)); v != "" {
			return strings.Contains(v, "UTF-8") || strings.Contains(v, "UTF8")
		}
	}
	return false
}

// rows is what is drawn of a session that is alone: two lines where they fit.
func (v *view) rows(most int, fine bool) []string {
	if most < tallWidth {
		return []string{v.summary(most)}
	}
	p := v.progress
	share := 1.0
	if p.Size > 0 {
		share = float64(p.Done) / float64(p.Size)
	}
	all := size(p.Size)
	if !p.Counted {
		all += " or more"
	}
	rest := line{{size(p.Done) + " of " + all, 2}}
	if !v.lost && !v.paused() && (p.Rate > 0 || p.Done < p.Size) {
		rest = append(rest, part{size(int64(p.Rate)) + "/s", 0})
		if p.Left > 0 && p.Counted {
			rest = append(rest, part{clock(p.Left) + " left", 1})
		}
	}
	text := rest.fit(most - leastBar - 12)
	percent := fmt.Sprintf("%3.0f %%  ", 100*share)
	room := most - len(percent) - 2 - columns(text)
	if !fine {
		room -= 2
	}
	return []string{percent + bar(share, min(max(room, leastBar), mostBar), fine) + "  " + text, v.second(most)}
}

// second is the line below the bar: what is being worked on, and the path.
func (v *view) second(most int) string {
	const indent = "       "
	p := v.progress
	switch {
	case v.lost:
		return fit(indent+"no contact since "+v.since.Format("15:04:05")+"; it goes on by itself", most)
	case v.paused():
		return fit(indent+v.pausedText(), most)
	}
	var l line
	room := most - len(indent)
	if p.Files > 1 {
		l = append(l, part{fmt.Sprintf("%d/%d files", p.FilesDone, p.Files), 4})
		if p.File != "" {
			room -= leastFile + 2
		}
	}
	l = append(l, v.pathParts()...)
	if b := p.Bottleneck.String(); b != "" {
		if most >= wordyWidth {
			b = "waits for " + waitsFor(b)
		}
		l = append(l, part{b, 5})
	}
	text := l.fit(room)
	if room := most - len(indent) - columns(text) - 2; p.File != "" && room >= leastFile && p.Files > 1 {
		text = tail(clean(p.File), room) + "  " + text
	}
	return strings.TrimRight(indent+text, " ")
}

// waitsFor is a bottleneck in a sentence.
func waitsFor(bottleneck string) string {
	switch bottleneck {
	case "network", "limit", "CPU":
		return "the " + bottleneck
	}
	return bottleneck
}
