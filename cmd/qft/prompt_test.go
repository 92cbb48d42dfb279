package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"qft"
)

// typed is a terminal at which somebody types these lines.
func typed(lines ...string) (*terminal, *bytes.Buffer) {
	var out bytes.Buffer
	return newTerminal(strings.NewReader(strings.Join(lines, "\n")+"\n"), &out, &out), &out
}

func TestProposalIsAnswered(t *testing.T) {
	p := qft.Proposal{Files: 12, Bytes: 3_400_000_000, Counted: true, Items: 6, Names: []string{"photos", "b", "c", "d", "e", "f"}}
	for _, c := range []struct {
		typed []string
		want  bool
	}{
		{[]string{""}, true}, {[]string{"Y"}, true}, {[]string{"yes"}, true}, {[]string{"n"}, false}, {[]string{"No"}, false},
		{[]string{"perhaps", "what?", "n"}, false}, {[]string{"perhaps", "y"}, true},
	} {
		tm, out := typed(c.typed...)
		if got := tm.askProposal(t.Context(), qft.Target{Dir: "films", Name: "x"}, p); got != c.want {
			t.Errorf("%q is %v", c.typed, got)
		}
		if strings.Count(out.String(), "Receive it? [Y/n] ") != len(c.typed) {
			t.Errorf("asked was %q", out)
		}
		if want := "The sender offers 12 files, 3.40 GB: photos, b, c, d and 2 more\ninto films, as x"; !strings.HasPrefix(out.String(), want) {
			t.Errorf("asked was %q", out)
		}
	}
	tm := newTerminal(strings.NewReader(""), io.Discard, io.Discard)
	if tm.askProposal(t.Context(), qft.Target{}, p) {
		t.Error("the end of the input is no yes")
	}
	if !tm.askProposal(t.Context(), qft.Target{}, qft.Proposal{Text: true}) {
		t.Error("a text is only shown")
	}
}

func TestProposalsReadAsWhatTheyAre(t *testing.T) {
	for want, p := range map[string]qft.Proposal{
		"1 file, 8 B: a":                         {Files: 1, Bytes: 8, Counted: true, Items: 1, Names: []string{"a"}},
		"0 files, 0 B: empty":                    {Counted: true, Items: 1, Names: []string{"empty"}},
		"40 files, 1.00 MB or more: a":           {Files: 40, Bytes: 1e6, Items: 1, Names: []string{"a"}},
		"a stream that ends when it ends: stdin": {Stream: true, Items: 1, Names: []string{"stdin"}},
		"a text":                                 {Text: true, Bytes: 12},
		"2 files, 8 B: ?[2J?":                    {Files: 2, Bytes: 8, Counted: true, Items: 1, Names: []string{"\x1b[2J\u202e"}},
	} {
		if got := proposalText(p); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestConflictsAreAnswered(t *testing.T) {
	for answer, want := range map[string]struct {
		what qft.Existing
		all  bool
	}{
		"o": {qft.ExistingOverwrite, false}, "O": {qft.ExistingOverwrite, true},
		"r": {qft.ExistingRename, false}, "R": {qft.ExistingRename, true},
		"s": {qft.ExistingSkip, false}, "S": {qft.ExistingSkip, true},
		"c": {qft.ExistingFail, true}, "cancel": {qft.ExistingFail, true},
	} {
		tm, out := typed("huh", answer)
		what, all := tm.askConflict(t.Context(), "to/\x1bfile")
		if what != want.what || all != want.all {
			t.Errorf("%q is %d, %v", answer, what, all)
		}
		if strings.Count(out.String(), "to/?file exists. ") != 2 {
			t.Errorf("asked was %q", out)
		}
	}
	tm := newTerminal(strings.NewReader(""), io.Discard, io.Discard)
	if what, all := tm.askConflict(t.Context(), "x"); what != qft.ExistingFail || !all {
		t.Error("the end of the input overwrites nothing")
	}
}

// TestQuestionsFollowEachOther: what was typed too early answers the next one.
func TestQuestionsFollowEachOther(t *testing.T) {
	tm, _ := typed("one", "two", "three")
	for _, want := range []string{"one", "two", "three"} {
		if got, err := tm.ask(t.Context(), "? "); err != nil || got != want {
			t.Errorf("%q, %v", got, err)
		}
	}
	if _, err := tm.ask(t.Context(), "? "); err == nil {
		t.Error("there is no fourth answer")
	}
}

// TestEventsLeaveTheQuestionLegible: it is shown again below what was said.
func TestEventsLeaveTheQuestionLegible(t *testing.T) {
	in, typing := io.Pipe()
	defer in.Close()
	var out bytes.Buffer
	tm := newTerminal(in, &out, &out)
	tm.redraws = true
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan string)
	go func() {
		a, _ := tm.ask(ctx, "well? ")
		answered <- a
	}()
	io.WriteString(typing, "y") // the reader runs: the question has been asked
	tm.event(qft.HelperSilent{})
	tm.event(qft.Progress{Done: 1, Size: 2})
	io.WriteString(typing, "es\n")
	if a := <-answered; a != "yes" {
		t.Errorf("the answer is %q", a)
	}
	cancel()
	if s := out.String(); !strings.HasSuffix(s, "still trying\nwell? ") {
		t.Errorf("shown was %q", s)
	}
}

func TestEachReceiverHasItsLine(t *testing.T) {
	var out bytes.Buffer
	tm := newTerminal(nil, io.Discard, &out)
	tm.redraws, tm.many = true, true
	event := func(n int, e qft.Event) {
		tm.calm = time.Time{} // a while later
		tm.event(qft.Session{Number: n, Event: e})
	}
	for n := range 3 {
		event(n+1, qft.Progress{Done: 50, Size: 100, Rate: 1000, Counted: true})
	}
	out.Reset()
	event(2, qft.Progress{Done: 75, Size: 100, Rate: 1000, Counted: true})
	want := "\x1b[?7l\rreceiver 1:   50 %  50 B of 100 B  1.00 kB/s\x1b[K\n\rreceiver 2:   75 %  75 B of 100 B  1.00 kB/s\x1b[K\n" +
		"\rreceiver 3:   50 %  50 B of 100 B  1.00 kB/s\x1b[K\x1b[?7h\x1b[2A\r"
	if got := out.String(); got != want {
		t.Errorf("drawn is\n%q, want\n%q", got, want)
	}
	out.Reset()
	tm.event(qft.Session{Number: 2, Event: qft.Progress{Done: 76, Size: 100, Rate: 1000, Counted: true}})
	if out.Len() > 0 {
		t.Errorf("drawn again at once: %q", &out)
	}
	event(2, qft.Finished{Result: qft.Result{Size: 100}})
	if got := out.String(); !strings.Contains(got, "receiver 2: sent") || tm.drawn != 0 {
		t.Errorf("printed is %q", got)
	}
	event(1, qft.Progress{Done: 80, Size: 100, Counted: true})
	if tm.drawn != 2 {
		t.Errorf("%d lines stand there", tm.drawn)
	}
	for n := range 30 {
		event(n+10, qft.Progress{Done: 50, Size: 100})
	}
	if tm.drawn != maxLines {
		t.Errorf("%d lines stand there", tm.drawn)
	}
}

func TestResultsArePrinted(t *testing.T) {
	var out, story bytes.Buffer
	tm := newTerminal(nil, &out, &story)
	tm.checksum = true
	tm.event(qft.Connected{})
	tm.event(qft.Offer{Name: "photos and 1 more", Size: 100, Files: 7, Counted: true})
	incomplete := &qft.Error{Kind: qft.KindIncomplete, Err: fmt.Errorf("x")}
	tm.finish("received", qft.Result{Paths: []string{"to/photos", "to/b"}, Size: 100, Files: 7, FailedCount: 102,
		Failed: []qft.Failure{{Path: "photos/a", Why: "permission denied"}}, Checksum: "abcd"}, incomplete)
	if got := out.String(); got != "to/photos\nto/b\n" {
		t.Errorf("stdout is %q", got)
	}
	for _, want := range []string{"received photos and 1 more, 7 files, 100 B in", "checksum, as b3sum prints it: abcd\n",
		"not transferred:\n    photos/a: permission denied\n    and 101 more\n"} {
		if !strings.Contains(story.String(), want) {
			t.Errorf("told is %q, not %q", story.String(), want)
		}
	}
	out.Reset()
	tm.finish("received", qft.Result{Paths: []string{"x"}}, &qft.Error{Kind: qft.KindDisk, Err: fmt.Errorf("x")})
	if out.Len() > 0 {
		t.Errorf("a failure has the result %q", out.String())
	}
}

func TestWithJSONStdoutHasLinesOnly(t *testing.T) {
	var out, story bytes.Buffer
	tm := newTerminal(nil, &out, &story)
	tm.json = true
	for _, e := range []qft.Event{qft.Code{Code: "7-a-b-c"}, qft.Waiting{}, qft.Session{Number: 1, Event: qft.Met{}}} {
		tm.event(e)
	}
	tm.finish("sent", qft.Result{Text: "a\nb"}, nil)
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 4 || story.Len() != 0 {
		t.Errorf("%d lines, %q", len(lines), story.String())
	}
	for _, l := range lines {
		if !strings.HasPrefix(l, `{"v":1,`) || !strings.HasSuffix(l, "}") {
			t.Errorf("%q", l)
		}
	}
}

// TestEventsStayOutOfAQuestion: what is printed while a question is open whose
// subject stands on rows of its own comes above both.
func TestEventsStayOutOfAQuestion(t *testing.T) {
	in, typing := io.Pipe()
	defer in.Close()
	var out bytes.Buffer
	tm := newTerminal(in, &out, &out)
	tm.redraws = true
	answered := make(chan struct{})
	go func() {
		tm.askConflict(t.Context(), strings.Repeat("long", 30))
		close(answered)
	}()
	io.WriteString(typing, "s") // the reader runs: the question is being asked
	tm.mu.Lock()                // and has been
	before := out.String()
	tm.mu.Unlock()
	tm.event(qft.HelperSilent{})
	io.WriteString(typing, "\n")
	<-answered
	if rows := strings.Count(before, "\n"); !strings.HasPrefix(out.String(), fmt.Sprintf("%s\r\x1b[%dA\x1b[J", before, rows)) ||
		!strings.HasSuffix(out.String(), "still trying\n"+before) {
		t.Errorf("shown was %q, and then %q", before, strings.TrimPrefix(out.String(), before))
	}
}

// TestSenderStaysOnce: that a sender waits for its receiver to come back is said
// once, however often it finds new ways to be found.
func TestSenderStaysOnce(t *testing.T) {
	tm, out := typed()
	tm.redraws = true
	for range 2 {
		tm.event(qft.Interrupted{Err: errors.New("stopped")})
		tm.event(qft.Waiting{Again: true, Nearby: true})
		tm.event(qft.Waiting{Again: true, Helper: true})
		tm.event(qft.Waiting{Again: true, Helper: true})
		if s := out.String(); strings.Count(s, "continues") != 1 || strings.Count(s, "as well") != 1 {
			t.Errorf("shown was\n%s", s)
		}
		tm.event(qft.Connected{Path: "LAN"})
		out.Reset()
	}
	tm.event(qft.ContactLost{})
	tm.event(qft.Waiting{Again: true, Nearby: true})
	tm.event(qft.Waiting{Again: true, Nearby: true, Port: 5})
	if n := strings.Count(out.String(), "continues"); n != 1 {
		t.Errorf("after contact was lost it is said %d times:\n%s", n, out)
	}
}

// TestNothingIsDoneWhereNothingCame: of a transfer whose only file has failed
// nobody reads that it was received and verified.
func TestNothingIsDoneWhereNothingCame(t *testing.T) {
	tm, out := typed()
	tm.event(qft.Offer{Name: "log", Size: 9, Files: 1})
	tm.finish("received", qft.Result{}, &qft.Error{Kind: qft.KindIncomplete, Err: errors.New("it changed")})
	if strings.Contains(out.String(), "verified") {
		t.Errorf("shown was\n%s", out)
	}
}

// TestWhatIsKeptWasNotReceived: nobody reads that a file has come in whose place
// another one was kept.
func TestWhatIsKeptWasNotReceived(t *testing.T) {
	all := qft.Result{Size: 9, Resumed: 9, Files: 1}
	for _, c := range []struct {
		verb, answer, want string
	}{
		{"received", "s", "what exists was kept"},
		{"received", "", "it is here already"},
		{"sent", "", "the other side has it, or keeps what it has"},
	} {
		tm, out := typed(c.answer)
		tm.event(qft.Offer{Name: "log", Size: 9, Files: 1})
		if c.answer != "" {
			tm.askConflict(t.Context(), "log")
		}
		tm.finish(c.verb, all, nil)
		if s := out.String(); strings.Contains(s, "received") || strings.Contains(s, "sent") || !strings.Contains(s, "nothing of log, 9 B, had to travel: "+c.want) {
			t.Errorf("%+v: shown was\n%s", c, s)
		}
	}
}

// TestSenderIsToldWhatItWaitsFor: between a connection and the first byte the
// other person thinks.
func TestSenderIsToldWhatItWaitsFor(t *testing.T) {
	for _, c := range []struct {
		task
		told bool
	}{{task{}, true}, {task{receives: true}, false}, {task{text: true}, false}} {
		tm, out := typed()
		tm.redraws, tm.task = true, c.task
		tm.event(qft.Connected{Path: "LAN"})
		if told := strings.Contains(out.String(), "accepts"); told != c.told {
			t.Errorf("%+v: %s", c.task, out)
		}
	}
}

// TestWrongPhraseIsToldToBoth: a receiver is not told that somebody came to it.
func TestWrongPhraseIsToldToBoth(t *testing.T) {
	for receives, want := range map[bool]string{false: "somebody came with a wrong phrase", true: "a sender is there with another phrase"} {
		tm, out := typed()
		tm.receives = receives
		tm.event(qft.WrongPhrase{Left: 4})
		if s := out.String(); !strings.Contains(s, want) || !strings.Contains(s, "4 more") {
			t.Errorf("shown was %q, not %q", s, want)
		}
	}
}

// TestPastedCommandIsACode: who pastes the sender's whole line where its code is
// asked for is understood.
func TestPastedCommandIsACode(t *testing.T) {
	tm, out := typed("qft receive 7-acid-robot-zebra@10.0.0.1")
	code, host, err := tm.askCode(t.Context(), "")
	if code != "7-acid-robot-zebra" || host != "10.0.0.1:4277" || err != nil {
		t.Errorf("it is %q at %q, %v\n%s", code, host, err, out)
	}
}
