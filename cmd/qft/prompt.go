package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"qft"
)

// answers are the lines that a person types. They are read in a goroutine of
// their own, since a read from a terminal cannot be interrupted; what is read
// after the question is over is left for the next one.
type answers struct {
	lines   chan answer
	started bool
	text    string // of the question that is being asked
}

type answer struct {
	text string
	err  error
}

// attended reports whether there is somebody to ask.
func (t *terminal) attended() bool { return !t.json && isTerminal(t.in) && isTerminal(t.err) }

// ask reads one line.
func (t *terminal) ask(ctx context.Context, prompt string) (string, error) {
	t.mu.Lock()
	t.wipe()
	t.answers.text, t.asking = prompt, true
	t.prompt()
	if !t.answers.started {
		t.answers.started = true
		t.answers.lines = make(chan answer)
		go t.readLines()
	}
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		t.asking = false
		t.mu.Unlock()
	}()
	select {
	case a, ok := <-t.answers.lines:
		if !ok {
			a.err = io.EOF
		}
		if a.err != nil {
			return "", usageError{fmt.Errorf("reading the answer: %w", a.err)}
		}
		return strings.TrimSpace(a.text), nil
	case <-ctx.Done():
		fmt.Fprintln(t.err)
		return "", errInterrupted()
	}
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

// prompt shows the question, again where something was printed meanwhile.
func (t *terminal) prompt() { fmt.Fprint(t.err, t.answers.text) }

func (t *terminal) readLines() {
	defer close(t.answers.lines)
	in := bufio.NewReader(t.in)
	for {
		text, err := in.ReadString('\n')
		if errors.Is(err, io.EOF) && text != "" {
			err = nil
		}
		t.answers.lines <- answer{text, err}
		if err != nil {
			return
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
			return "", usageError{fmt.Errorf("reading the answer: %w", a.err)}
		}
		return a.text, nil
	case <-ctx.Done():
		fmt.Fprintln(t.err)
		return "", errInterrupted()
	}
}

// askSecret reads a line without showing it.
func (t *terminal) askSecret(ctx context.Context, prompt string) (string, error) {
	f, ok := t.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return t.ask(ctx, prompt)
	}
	was, err := term.GetState(int(f.Fd()))
	if err != nil {
		return "", usageError{fmt.Errorf("asking for the phrase: %w", err)}
	}
	fmt.Fprint(t.err, prompt)
	answer, err := t.await(ctx, func() (string, error) {
		b, err := term.ReadPassword(int(f.Fd()))
		return strings.TrimSpace(string(b)), err
	})
	// An interrupted read has left the terminal without echo.
	if rerr := term.Restore(int(f.Fd()), was); rerr == nil && ctx.Err() == nil {
		fmt.Fprintln(t.err)
	}
	return answer, err
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

// askProposal asks whether somebody wants what is coming. A text is just shown.
func (t *terminal) askProposal(ctx context.Context, p qft.Proposal) bool {
	if p.Text {
		return true
	}
	for {
		a, err := t.ask(ctx, fmt.Sprintf("receive %s? [Y/n] ", proposalText(p)))
		switch strings.ToLower(a) {
		case "", "y", "yes":
			return err == nil
		case "n", "no":
			return false
		}
	}
}

// askConflict asks what to do about something that exists.
func (t *terminal) askConflict(ctx context.Context, path string) (what qft.Existing, all bool) {
	question := fmt.Sprintf("%s exists. Overwrite, rename the new one, skip it, or cancel? [o/r/s/c, O/R/S for all] ", clean(path))
	for {
		a, err := t.ask(ctx, question)
		if err != nil {
			return qft.ExistingFail, true
		}
		switch a {
		case "o", "O", "overwrite":
			return qft.ExistingOverwrite, a == "O"
		case "r", "R", "rename":
			return qft.ExistingRename, a == "R"
		case "s", "S", "skip":
			return qft.ExistingSkip, a == "S"
		case "c", "C", "cancel":
			return qft.ExistingFail, true
		}
	}
}
