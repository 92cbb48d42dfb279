package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"qft"
)

// attended reports whether there is somebody to ask.
func (t *terminal) attended() bool {
	f, ok := t.in.(*os.File)
	return !t.json && ok && isTerminal(f) && isTerminal(t.err) && foreground(f)
}

// askToken reads the other side's token, line by line until it is all there.
func (t *terminal) askToken(ctx context.Context) (string, error) {
	var text strings.Builder
	for prompt := "paste the other side's token: "; ; prompt = "" {
		line, err := t.ask(ctx, prompt)
		if err != nil {
			return "", err
		}
		text.WriteString(line + "\n")
		if line == "" && strings.TrimSpace(text.String()) == "" {
			continue
		}
		if line == "" || qft.WholeToken(text.String()) {
			return text.String(), nil
		}
	}
}

func errInterrupted() error {
	return &qft.Error{Op: "ask", Kind: qft.KindCanceled, Err: errors.New("interrupted")}
}

// await reads what an interrupt may cut short; the read is then left behind.
func (t *terminal) await(ctx context.Context, read func() (string, error)) (string, error) {
	got := make(chan answer, 1)
	go func() {
		text, err := read()
		got <- answer{text, err}
	}()
	select {
	case a := <-got:
		if a.err != nil {
			return "", noAnswer(a.err)
		}
		return a.text, nil
	case <-ctx.Done():
		fmt.Fprintln(t.err)
		return "", errInterrupted()
	}
}

// proposalText says what is coming.
func proposalText(p qft.Proposal) string {
	switch {
	case p.Text:
		return "a text"
	case p.Stream:
		return "a stream that ends when it ends: " + namesText(p)
	}
	what := "1 file"
	if p.Files != 1 {
		what = fmt.Sprintf("%d files", p.Files)
	}
	what += ", " + size(p.Bytes)
	if !p.Counted {
		what += " or more"
	}
	return what + ": " + namesText(p)
}

// namesText is the names that are told, at most four, and how many more there
// are.
func namesText(p qft.Proposal) string {
	var names []string
	for _, n := range p.Names[:min(len(p.Names), 4)] {
		names = append(names, clean(n))
	}
	s := strings.Join(names, ", ")
	if more := p.Items - len(names); more > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	return s
}

// askProposal asks whether somebody wants what is coming, and says where it goes
// and how much room there is. A text is just shown.
func (t *terminal) askProposal(ctx context.Context, to qft.Target, p qft.Proposal) bool {
	if p.Text {
		return true
	}
	t.announce("The sender offers " + proposalText(p))
	if to.Stream == nil {
		t.announce(placeText(to, p))
	}
	for {
		a, err := t.put(ctx, &question{text: "Receive it? [Y/n] "})
		switch strings.ToLower(a) {
		case "", "y", "yes":
			return err == nil
		case "n", "no":
			return false
		}
	}
}

// announce says what a question is about.
func (t *terminal) announce(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.say(nil, "%s", text)
}

// placeText says where things go, and whether there is room for them.
func placeText(to qft.Target, p qft.Proposal) string {
	text := "into this folder"
	if dir := filepath.Clean(to.Dir); dir != "." {
		text = "into " + clean(dir)
	}
	if to.Name != "" {
		text += ", as " + clean(to.Name)
	}
	switch free, known := qft.FreeSpace(cmp.Or(to.Dir, ".")); {
	case !known:
		return text
	case !p.Stream && free < p.Bytes:
		return fmt.Sprintf("%s, where only %s are free", text, size(free))
	default:
		return fmt.Sprintf("%s, where %s are free", text, size(free))
	}
}

// askConflict asks what to do about something that exists.
func (t *terminal) askConflict(ctx context.Context, path string) (what qft.Existing, all bool) {
	for {
		a, err := t.put(ctx, &question{lead: clean(path) + " exists. Overwrite, rename the new one, skip it, or cancel?", text: "[o/r/s/c, O/R/S for all] "})
		if err != nil {
			return qft.ExistingFail, true
		}
		switch a {
		case "o", "O", "overwrite":
			return qft.ExistingOverwrite, a == "O"
		case "r", "R", "rename":
			return qft.ExistingRename, a == "R"
		case "s", "S", "skip":
			t.mu.Lock()
			t.keeps = true
			t.mu.Unlock()
			return qft.ExistingSkip, a == "S"
		case "c", "C", "cancel":
			return qft.ExistingFail, true
		}
	}
}

// noAnswer is a question to which no answer can be read.
func noAnswer(err error) error {
	if errors.Is(err, io.EOF) {
		return usageError{errors.New("nobody answers: the input has ended")}
	}
	return usageError{fmt.Errorf("reading the answer: %w", err)}
}
