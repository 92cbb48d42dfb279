package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"qft"
)

const (
	// plainWidth is enough for all of a progress line, where it is not a
	// terminal's.
	plainWidth = 240
	// wordyWidth is how wide a line must be to say what each of its parts is.
	wordyWidth = 100
)

// summary is a progress line of at most so many columns: what matters least is
// left out first, and nothing is cut in the middle if it can be helped.
func (v *view) summary(most int) string {
	p := v.progress
	share := 100.0
	if p.Size > 0 {
		share = 100 * float64(p.Done) / float64(p.Size)
	}
	l := line{}
	if v.number > 0 {
		l = append(l, part{fmt.Sprintf("receiver %d:", v.number), 0})
	}
	all := size(p.Size)
	if !p.Counted {
		all += " or more"
	}
	l = append(l, part{fmt.Sprintf("%3.0f %%", share), 0}, part{size(p.Done) + " of " + all, 4})
	if v.lost {
		return append(l, part{"no contact", 1}).fit(most)
	}
	if v.paused() {
		return append(l, part{v.pausedText(), 1}).fit(most)
	}
	if p.Rate > 0 || p.Done < p.Size {
		l = append(l, part{size(int64(p.Rate)) + "/s", 1})
	}
	if p.Left > 0 && p.Counted {
		l = append(l, part{clock(p.Left) + " left", 2})
	}
	if p.Files > 1 {
		l = append(l, part{fmt.Sprintf("%d of %d files", p.FilesDone, p.Files), 5})
	}
	if b := p.Bottleneck.String(); b != "" {
		if most >= wordyWidth {
			b = "bottleneck: " + b
		}
		l = append(l, part{b, 3})
	}
	return append(l, v.pathParts()...).fit(most)
}

func (v *view) paused() bool { return v.pause.Here || v.pause.There }

// pausedText says who has paused.
func (v *view) pausedText() string {
	switch {
	case v.pause.Here && v.pause.There:
		return "paused on both sides"
	case v.pause.There:
		return "paused by the other side"
	}
	return "paused here: p goes on"
}

// pathParts is what there is to say of the path.
func (v *view) pathParts() line {
	p := v.progress
	var l line
	if v.path != "" {
		l = append(l, part{clean(v.path), 6})
	}
	if p.RTT > 0 {
		l = append(l, part{"RTT " + round(p.RTT), 7})
	}
	if p.Loss >= 0.001 {
		l = append(l, part{fmt.Sprintf("loss %.1f %%", 100*p.Loss), 8})
	}
	if p.PathRate > 0 {
		l = append(l, part{"path " + size(int64(p.PathRate)) + "/s", 9})
	}
	return l
}

// line is a progress line in parts; part says in which order they are given up
// where they do not fit, the highest first.
type line []part

type part struct {
	text string
	rank int
}

func (l line) fit(most int) string {
	const gap = 2
	n := -gap
	for _, p := range l {
		n += gap + columns(p.text)
	}
	for n > most && len(l) > 1 {
		worst := 0
		for i := range l {
			if l[i].rank > l[worst].rank {
				worst = i
			}
		}
		n -= gap + columns(l[worst].text)
		l = slices.Delete(l, worst, worst+1)
	}
	texts := make([]string, len(l))
	for i := range l {
		texts[i] = l[i].text
	}
	return fit(strings.Join(texts, strings.Repeat(" ", gap)), most)
}

// nameText is what a transfer is called.
func nameText(o qft.Offer) string { return clean(o.Name) }

// sizeText is how large it is.
func sizeText(o qft.Offer) string {
	s := size(o.Size)
	if o.Files > 1 {
		s = fmt.Sprintf("%d files, %s", o.Files, s)
	}
	if !o.Counted {
		s += " or more"
	}
	return s
}

// doneText says how a session has ended well.
func (v *view) doneText(verb string, r qft.Result) string {
	if v.text {
		return verb + " a text"
	}
	d := time.Since(v.started)
	n := r.Size - r.Resumed
	what := size(r.Size)
	if r.Files > 1 {
		what = fmt.Sprintf("%d files, %s", r.Files, what)
	}
	if n <= 0 && r.Size > 0 {
		why := "it is here already"
		switch {
		case verb == "sent":
			why = "the other side has it, or keeps what it has"
		case v.kept:
			why = "what exists was kept" // and may be something else
		}
		return fmt.Sprintf("nothing of %s, %s, had to travel: %s", clean(v.offer.Name), what, why)
	}
	return fmt.Sprintf("%s %s, %s in %s (%s/s), verified", verb, clean(v.offer.Name), what, round(d),
		size(int64(float64(n)/max(d.Seconds(), 1e-3))))
}
