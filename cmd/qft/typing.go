package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"unicode"
)

// typing is what a person types: lines where something is asked, and else keys
// that act at once. It is read in a goroutine of its own, since a read from a
// terminal cannot be interrupted. The fields are guarded by the terminal's lock.
//
// At a terminal every key is read as it is pressed, and lines are edited here,
// so that words can be completed and questions and keys get along. From
// elsewhere whole lines come, and wait for somebody to ask.
type typing struct {
	started bool
	wanted  *sync.Cond // something is asked, or keys act
	err     error      // nothing more can be read
	restore func()     // gives the terminal back as it was; nil: it is
	unwatch func()     // ends the watch for being suspended; nil: there is none
	closed  bool       // no keys are taken any more
	asked   *question
	keys    func(rune) // what keys do while nothing is asked; nil: they wait
	escape  bool       // within a sequence that a special key sends
}

// question is what is asked now.
type question struct {
	lead     string // what it is about: on the same line where it fits, else above
	above    int    // rows above that it takes
	across   int    // columns that these were broken for
	text     string // what stands before the answer
	secret   bool
	complete func(line string) []string // what a line may go on as; may be nil
	line     []rune
	answered chan answer // has room for the one
}

type answer struct {
	text string
	err  error
}

// edits reports whether keys are read one by one.
func (t *terminal) edits() bool { return t.typing.restore != nil }

// takeKeys has the terminal hand over each key, where there is one and it is
// ours.
func (t *terminal) takeKeys() {
	f, ok := t.in.(*os.File)
	if t.edits() || t.typing.closed || !ok || !t.attended() {
		return
	}
	if restore, err := keysMode(f); err == nil {
		t.typing.restore = restore
		if t.typing.unwatch == nil {
			t.typing.unwatch = watchSuspend(t.suspend, t.comeBack)
		}
	}
}

// giveBack gives the terminal back as it was.
func (t *terminal) giveBack() {
	if !t.edits() {
		return
	}
	// In the background the terminal is somebody else's already, and who changes
	// it from there is stopped.
	if f, ok := t.in.(*os.File); ok && foreground(f) {
		t.typing.restore()
	}
	t.typing.restore = nil
}

// read starts to read, once.
func (t *terminal) read() {
	if t.typing.started {
		return
	}
	t.typing.started = true
	t.typing.wanted = sync.NewCond(&t.mu)
	go t.readRunes()
}

func (t *terminal) readRunes() {
	in := bufio.NewReader(t.in)
	for {
		r, _, err := in.ReadRune()
		if err != nil && !t.endOfKeys(err) {
			continue // in the background nothing can be read; it may come back
		}
		t.mu.Lock()
		for t.typing.asked == nil && t.typing.keys == nil {
			t.typing.wanted.Wait()
		}
		switch q := t.typing.asked; {
		case err != nil && q != nil:
			if len(q.line) > 0 && errors.Is(err, io.EOF) {
				err = nil
			}
			t.answerLocked(err)
			t.typing.err = cmpErr(err)
		case err != nil:
			t.typing.err = err
		case q != nil:
			t.edit(q, r)
		default:
			t.key(r)
		}
		done := err != nil || t.typing.err != nil
		t.mu.Unlock()
		if done {
			return
		}
	}
}

// cmpErr is what further questions get: the end that a last line without a line
// end has put off.
func cmpErr(err error) error {
	if err == nil {
		return io.EOF
	}
	return err
}

// endOfKeys reports whether an error of reading is for good. A program that was
// put into the background waits until it is in the foreground again.
func (t *terminal) endOfKeys(err error) bool {
	f, ok := t.in.(*os.File)
	if errors.Is(err, io.EOF) || !ok || !isTerminal(f) || foreground(f) {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for !foreground(f) {
		t.typing.wanted.Wait() // woken when the program goes on
	}
	return false
}

// key has a key act.
func (t *terminal) key(r rune) {
	if t.skipEscape(r) {
		return
	}
	t.typing.keys(r)
}

// skipEscape swallows what special keys send: ESC, [ or O, and what follows up
// to a letter or ~.
func (t *terminal) skipEscape(r rune) bool {
	switch {
	case r == 0x1b:
		t.typing.escape = true
	case !t.typing.escape:
		return false
	case r == '[' || r == 'O' || r == ';' || unicode.IsDigit(r):
	default:
		t.typing.escape = false
	}
	return true
}

// edit takes a key into the line that is being typed.
func (t *terminal) edit(q *question, r rune) {
	if t.edits() && t.skipEscape(r) {
		return
	}
	switch {
	case r == '\n' || r == '\r' && t.edits():
		if t.edits() {
			t.showLine(q, false)
			fmt.Fprintln(t.err)
		}
		t.answerLocked(nil)
	case !t.edits():
		q.line = append(q.line, r)
	case r == 4 && len(q.line) == 0: // Ctrl-D
		t.answerLocked(io.EOF)
	case r == 8 || r == 127:
		q.line = q.line[:max(len(q.line)-1, 0)]
		t.showLine(q, true)
	case r == 21: // Ctrl-U
		q.line = nil
		t.showLine(q, true)
	case r == 23: // Ctrl-W
		q.line = []rune(strings.TrimRightFunc(string(q.line), func(r rune) bool { return r != '-' && r != ' ' }))
		q.line = q.line[:max(len(q.line)-1, 0)]
		t.showLine(q, true)
	case r == '\t':
		t.completeLine(q)
	case unicode.IsPrint(r):
		q.line = append(q.line, r)
		t.showLine(q, true)
	}
}

// completeLine makes the line as long as all that it may go on as agree, and
// shows these if there are several.
func (t *terminal) completeLine(q *question) {
	if q.complete == nil {
		return
	}
	all := q.complete(string(q.line))
	if len(all) == 0 {
		fmt.Fprint(t.err, "\a")
		return
	}
	common := all[0]
	for _, s := range all[1:] {
		for !strings.HasPrefix(s, common) {
			common = common[:len(common)-1]
		}
	}
	switch {
	case len(all) == 1 && strings.Count(common, "-") < 3:
		common += "-"
	case len(all) > 1 && len(common) <= len(string(q.line)):
		t.eraseLine()
		fmt.Fprintln(t.err, fit(strings.Join(lastWords(all), "  "), width(t.err)-1))
	}
	if len(common) > len(string(q.line)) {
		q.line = []rune(common)
	}
	t.showLine(q, true)
}

// lastWords are the words at the ends of codes.
func lastWords(codes []string) (words []string) {
	for _, c := range codes {
		words = append(words, c[strings.LastIndex(c, "-")+1:])
	}
	return words
}

func (t *terminal) eraseLine() { fmt.Fprint(t.err, "\r\x1b[K") }

// eraseQuestion takes a question away, so that nothing is printed between what
// it is about and the answer. How a terminal has broken those rows anew that is
// as wide no more is not known: they stay, and are repeated.
func (t *terminal) eraseQuestion() {
	if q := t.typing.asked; q.above > 0 && q.across == width(t.err) {
		fmt.Fprintf(t.err, "\r\x1b[%dA\x1b[J", q.above)
		return
	}
	t.eraseLine()
}

// showLine shows question and line anew; where only one word fits, its rest
// too, faintly. What does not fit on one row is shown by its end.
func (t *terminal) showLine(q *question, hint bool) {
	t.eraseLine()
	line := string(q.line)
	if q.secret {
		line = ""
	}
	room := width(t.err) - 1 - columns(q.text)
	if room > 1 {
		line = tail(line, room)
	}
	fmt.Fprint(t.err, q.text+line)
	if !hint || q.complete == nil || !t.styled || len(q.line) == 0 {
		return
	}
	all := q.complete(string(q.line))
	if len(all) != 1 {
		return
	}
	rest := strings.TrimPrefix(all[0], string(q.line))
	if rest != "" && columns(rest+line) <= room {
		fmt.Fprintf(t.err, "\x1b[2m%s\x1b[0m\x1b[%dD", rest, columns(rest))
	}
}

// answerLocked ends the question.
func (t *terminal) answerLocked(err error) {
	q := t.typing.asked
	t.typing.asked = nil
	q.answered <- answer{strings.TrimSpace(string(q.line)), err}
}

// ask asks for a line.
func (t *terminal) ask(ctx context.Context, text string) (string, error) {
	return t.put(ctx, &question{text: text})
}

// askSecret asks for a line that is not shown.
func (t *terminal) askSecret(ctx context.Context, text string) (string, error) {
	return t.put(ctx, &question{text: text, secret: true})
}

// put puts a question to the person.
func (t *terminal) put(ctx context.Context, q *question) (string, error) {
	q.answered = make(chan answer, 1)
	t.mu.Lock()
	t.wipe()
	t.takeKeys()
	t.read()
	t.typing.asked = q
	t.lead(q)
	fmt.Fprint(t.err, q.text)
	if t.typing.err != nil {
		t.answerLocked(t.typing.err)
	}
	t.typing.wanted.Broadcast()
	t.mu.Unlock()
	select {
	case a := <-q.answered:
		if a.err != nil {
			t.mu.Lock()
			defer t.mu.Unlock()
			fmt.Fprintln(t.err) // nobody has ended that line
			return "", noAnswer(a.err)
		}
		return a.text, nil
	case <-ctx.Done():
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.typing.asked == q {
			t.typing.asked = nil
		}
		fmt.Fprintln(t.err)
		return "", errInterrupted()
	}
}

// lead puts what a question is about before it, or above where that is too long:
// a line that is edited has to fit.
func (t *terminal) lead(q *question) {
	const room = 12 // for the answer
	switch most := width(t.err); {
	case q.lead == "":
	case t.redraws && columns(q.lead+q.text)+room > most:
		text := wrap(q.lead, most-1, "  ")
		q.above, q.across = 1+strings.Count(text, "\n"), most
		fmt.Fprintln(t.err, text)
	default:
		q.text = q.lead + " " + q.text
		q.lead, q.above = "", 0
	}
}

// prompt shows the question, again where something was printed meanwhile.
func (t *terminal) prompt() {
	q := t.typing.asked
	if q == nil {
		return
	}
	if q.above > 0 {
		t.lead(q)
	}
	if t.edits() {
		t.showLine(q, true)
		return
	}
	fmt.Fprint(t.err, q.text)
}
