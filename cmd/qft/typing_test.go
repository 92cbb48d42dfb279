package main

import (
	"bytes"
	"strings"
	"testing"

	"qft"
)

// editing is a terminal at which each key is read as it is pressed, with a
// question.
func editing(q *question) (*terminal, *bytes.Buffer) {
	var out bytes.Buffer
	tm := newTerminal(nil, &out, &out)
	tm.typing.restore = func() {}
	q.answered = make(chan answer, 1)
	tm.typing.asked = q
	return tm, &out
}

func TestLinesAreEdited(t *testing.T) {
	for typed, want := range map[string]string{
		"hello\n":                      "hello",
		"helo\x7fp\r":                  "help",
		"\x7f\x7fa\n":                  "a",
		"one two\x15three\n":           "three",
		"7-acid-robot\x17zebra\n":      "7-acidzebra",
		"a\x1b[Db\x1b[1;5Cc\x1bOHd\n":  "abcd", // arrows and the like
		"gr\u00fc\u00dfe \u202e\x00\n": "gr\u00fc\u00dfe",
	} {
		q := &question{text: "? "}
		tm, _ := editing(q)
		for _, r := range typed {
			if tm.typing.asked == nil {
				t.Fatalf("%q: answered before its end", typed)
			}
			tm.edit(q, r)
		}
		if a := <-q.answered; a.err != nil || a.text != want {
			t.Errorf("%q is read as %q, %v", typed, a.text, a.err)
		}
	}
}

func TestCodesAreCompleted(t *testing.T) {
	q := &question{text: "Code: ", complete: qft.CompleteCode}
	tm, out := editing(q)
	tm.styled = true
	typed := ""
	for _, c := range qft.CompleteCode("7-a") {
		if one := qft.CompleteCode(c[:min(len(c), 5)]); len(one) == 1 && len(one[0]) > 6 {
			typed = c[:5]
			break
		}
	}
	for _, r := range typed {
		tm.edit(q, r)
	}
	whole := qft.CompleteCode(typed)[0]
	if want := "\x1b[2m" + strings.TrimPrefix(whole, typed) + "\x1b[0m"; !strings.Contains(out.String(), want) {
		t.Errorf("shown is %q, not %q", out, want)
	}
	tm.edit(q, '\t')
	if got := string(q.line); got != whole+"-" {
		t.Errorf("completed to %q", got)
	}
	out.Reset()
	tm.edit(q, 'z')
	tm.edit(q, '\t') // several
	if shown := out.String(); strings.Count(shown, "z") < 3 || strings.Contains(shown, "7-"+"z") {
		t.Errorf("shown is %q", shown)
	}
	out.Reset()
	for _, r := range "qqq\t" {
		tm.edit(q, r)
	}
	if !strings.Contains(out.String(), "\a") {
		t.Errorf("shown is %q", out)
	}
}

// TestCapitalsAreCompleted: who types a code as it is drawn large sees and gets
// the rest of a word in capitals.
func TestCapitalsAreCompleted(t *testing.T) {
	q := &question{text: "Code: ", complete: qft.CompleteCode}
	tm, out := editing(q)
	tm.styled = true
	for _, r := range "7-ACI" {
		tm.edit(q, r)
	}
	if shown := out.String(); !strings.HasSuffix(shown, "Code: 7-ACI\x1b[2mD\x1b[0m\x1b[1D") {
		t.Errorf("shown is %q", shown)
	}
	tm.edit(q, '\t')
	if got := string(q.line); got != "7-ACID-" {
		t.Errorf("completed to %q", got)
	}
	for _, r := range "ROBOT-Zebra\n" {
		tm.edit(q, r)
	}
	if code, _, err := tm.readCode((<-q.answered).text); err != nil || code != "7-acid-robot-zebra" {
		t.Errorf("read as %q, %v", code, err)
	}
	if strings.Contains(out.String(), "is read as") {
		t.Errorf("capitals are shown as a typing error: %q", out)
	}
}

// TestOnlyTypingErrorsAreShown: not how the parts of a code are set apart.
func TestOnlyTypingErrorsAreShown(t *testing.T) {
	for text, want := range map[string]string{
		"7.acid.robot.zebra": "", "7_acid_robot_zebra": "", "7 ACID-robot.Zebra": "",
		"7.acid.robto.zebra": "\"robto\" is read as \"robot\"\n",
	} {
		var out bytes.Buffer
		tm := newTerminal(nil, &out, &out)
		if code, _, err := tm.readCode(text); err != nil || code != "7-acid-robot-zebra" || out.String() != want {
			t.Errorf("%q is %q, %v, and said is %q", text, code, err, &out)
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	q := &question{text: "Phrase: ", secret: true}
	tm, out := editing(q)
	for _, r := range "quixotry\n" {
		tm.edit(q, r)
	}
	if strings.ContainsAny(strings.ReplaceAll(out.String(), "Phrase: ", ""), "quixotry") {
		t.Errorf("shown is %q", out)
	}
	if a := <-q.answered; a.text != "quixotry" {
		t.Errorf("read as %q", a.text)
	}
}

func TestKeysAct(t *testing.T) {
	var out bytes.Buffer
	tm := newTerminal(nil, &out, &out)
	tm.steering = steering{control: new(qft.Control), invite: "qft receive 7-acid-robot-zebra"}
	tm.typing.keys = tm.act
	tm.views[0] = &view{progress: qft.Progress{Rate: 8.2e6}}
	for _, c := range []struct {
		key   rune
		limit float64
	}{{'+', 12e6}, {'+', 18e6}, {'-', 12e6}, {'0', 0}, {'-', 5.5e6}} {
		tm.key(c.key)
		if got := tm.steering.limit; got != c.limit {
			t.Errorf("after %c the limit is %v, want %v", c.key, got, c.limit)
		}
	}
	tm.key('p')
	tm.key('b')
	if !tm.steering.paused || !tm.steering.background {
		t.Errorf("%+v", tm.steering)
	}
	out.Reset()
	tm.key('c')
	if !strings.Contains(out.String(), "\x1b]52;c;cWZ0IHJlY2VpdmUgNy1hY2lkLXJvYm90LXplYnJh\a") {
		t.Errorf("printed is %q", &out)
	}
	out.Reset()
	for _, r := range "\x1b[A\x1b[1;5B" { // arrows do nothing
		tm.key(r)
	}
	if out.Len() > 0 {
		t.Errorf("printed is %q", &out)
	}
}
