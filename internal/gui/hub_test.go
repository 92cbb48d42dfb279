package gui

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"qft"
)

// TestASlowPageIsCutOff, and holds nobody up.
func TestASlowPageIsCutOff(t *testing.T) {
	h := bareHub()
	slow, _ := h.enter(testPage)
	quick, _ := h.enter("page-that-is-quick-0")
	for len(slow.messages) > 0 {
		<-slow.messages // that there is another one
	}
	for range backlog + 1 {
		h.mu.Lock()
		h.tell(Message{Transfer: &Transfer{}})
		h.mu.Unlock()
		<-quick.messages
	}
	n := 0
	for range slow.messages {
		n++
	}
	if s := h.State(); n != backlog || s.Pages != 1 {
		t.Errorf("it got %d messages, and there are %d pages", n, s.Pages)
	}
}

// seen is a transfer to which something happens.
func seen(events ...qft.Event) *transfer {
	x := newTransfer(plan{source: &qft.Source{Text: "x", Receivers: -1}})
	x.hub = bareHub()
	x.hub.transfers = append(x.hub.transfers, x)
	x.shown.Phase = PhaseStarting
	for _, e := range events {
		x.event(e)
	}
	return x
}

// TestManySessions: those of a code that is open for ever do not add up.
func TestManySessions(t *testing.T) {
	x := seen()
	for i := range 10 * mostSessions {
		x.event(qft.Session{Number: i + 1, Event: qft.Connected{Path: "LAN"}})
		if i%3 > 0 {
			x.event(qft.Session{Number: i + 1, Event: qft.Progress{Done: 1}})
			x.event(qft.Session{Number: i + 1, Event: qft.Finished{}})
		}
	}
	if n := len(x.shown.Sessions); n != mostSessions || len(x.sampled) > mostSessions || x.shown.Complete != 426 {
		t.Errorf("%d sessions, %d samples, %d complete", n, len(x.sampled), x.shown.Complete)
	}
}

// TestForeignTextsAreHarmless: the other side and the helper can say anything.
func TestForeignTextsAreHarmless(t *testing.T) {
	bad := "a\x1b[2J\u202egpj.exe\x00\u2066"
	err := &qft.Error{Kind: qft.KindPeer, Err: errors.New(bad), Hint: bad}
	x := seen(qft.HelperRefuses{Reason: bad}, qft.TokenRefused{Reason: bad}, qft.Interrupted{Err: err},
		qft.FileFailed{Path: "a", Why: bad}, qft.FileSkipped{Path: "b", Why: bad}, qft.FileRenamed{Path: bad, Name: bad}, qft.Hint{Text: bad})
	x.settle(qft.Result{Failed: []qft.Failure{{Path: bad, Why: bad}}}, err)
	texts := append([]string{x.shown.Outcome.Problem.What, x.shown.Outcome.Problem.Advice, x.shown.Outcome.Failed[0].Why, x.shown.Outcome.Failed[0].Path}, x.shown.Notes...)
	if len(x.shown.Notes) != 7 {
		t.Errorf("%q", x.shown.Notes)
	}
	for _, s := range texts {
		if strings.ContainsAny(s, "\x1b\x00\u202e\u2066") {
			t.Errorf("%q", s)
		}
	}
	for range 3 * mostNotes {
		x.event(qft.Hint{Text: time.Now().String()})
		x.event(qft.HelperSilent{})
	}
	if len(x.shown.Notes) > mostNotes {
		t.Errorf("%d notes", len(x.shown.Notes))
	}
}

// TestAWeakPhraseIsTold: it is used all the same.
func TestAWeakPhraseIsTold(t *testing.T) {
	x := seen(qft.WeakPhrase{Reason: "it is short"}, qft.Waiting{})
	if len(x.shown.Notes) != 1 || !strings.Contains(x.shown.Notes[0], "it is short") || x.shown.Phase != PhaseWaiting {
		t.Errorf("%q, %s", x.shown.Notes, x.shown.Phase)
	}
}

// TestWaitingInVainIsTold: with what there is to look at.
func TestWaitingInVainIsTold(t *testing.T) {
	for want, e := range map[string]qft.Alone{"same helper (under Settings)": {Helper: true, Nearby: true}, "is the code the sender's": {Host: true}, "on this network": {Nearby: true}} {
		x := seen(qft.Waiting{}, e)
		if len(x.shown.Notes) != 1 || !strings.Contains(x.shown.Notes[0], want) || x.shown.Phase != PhaseWaiting {
			t.Errorf("%q, %s", x.shown.Notes, x.shown.Phase)
		}
	}
}

// TestPhases: what happens leads from one to the other.
func TestPhases(t *testing.T) {
	x := seen()
	x.plan.cfg.Helper = "helper-host:4277"
	lost := time.Now()
	for i, c := range []struct {
		event qft.Event
		want  Phase
	}{
		{qft.Code{Code: "7-a-b-c"}, PhaseStarting},
		{qft.Waiting{Helper: true}, PhaseWaiting},
		{qft.Met{}, PhaseMeeting},
		{qft.Connected{Path: "punched", RTT: time.Second}, PhaseMeeting},
		{qft.Offer{Name: "x", Size: 100}, PhaseMoving},
		{qft.Progress{Done: 50, Size: 100}, PhaseMoving},
		{qft.ContactLost{Since: lost}, PhaseMoving},
		{qft.ContactBack{}, PhaseMoving},
		{qft.Interrupted{Err: errors.New("x")}, PhaseWaiting},
		{qft.Waiting{Again: true}, PhaseWaiting},
		{qft.Met{}, PhaseMeeting},
		{qft.Progress{}, PhaseMoving},
	} {
		if x.event(c.event); x.shown.Phase != c.want {
			t.Errorf("%d: after %T it is %s", i, c.event, x.shown.Phase)
		}
		if _, ok := c.event.(qft.ContactLost); ok && x.shown.Sessions[0].Link.LostSince != lost.UnixMilli() {
			t.Errorf("%+v", x.shown.Sessions[0])
		}
	}
	if x.shown.Sessions[0].Link.LostSince != 0 || x.shown.Invite.Command != "qft receive 7-a-b-c --helper helper-host:4277" || x.shown.Invite.Helper != "helper-host:4277" {
		t.Errorf("%+v", x.shown)
	}
}

// TestNothingIsToldTooOften: progress comes at most so often, and the last of it
// does come.
func TestNothingIsToldTooOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := seen(qft.Met{})
		p, _ := x.hub.enter(testPage)
		for i := range 1000 {
			x.event(qft.Progress{Done: int64(i)})
			time.Sleep(time.Millisecond)
		}
		time.Sleep(often)
		var last Message
		n := 0
		for len(p.messages) > 0 {
			last = <-p.messages
			n++
		}
		if n < 4 || n > 6 || last.Transfer.Sessions[0].Done != 999 {
			t.Errorf("%d messages within a second, the last %+v", n, last.Transfer)
		}
	})
}

// TestItEndsWhenNobodyIsThere: not before the first page had its time, not while
// something runs, and soon after the last page has gone.
func TestItEndsWhenNobodyIsThere(t *testing.T) {
	for name, c := range map[string]struct {
		act  func(h *hub)
		want time.Duration
		stay bool
	}{
		"no page comes":       {func(h *hub) {}, typedTime, false},
		"a page comes, goes":  {func(h *hub) { p, _ := h.enter(testPage); time.Sleep(time.Hour); h.leave(p) }, time.Hour, false},
		"it is loaded again":  {func(h *hub) { reload(h); reload(h) }, 2*time.Minute + idleTime - time.Second, false},
		"another is awaited":  {func(h *hub) { reload(h); h.await(keyTime) }, 2*time.Minute + idleTime - time.Second, false},
		"a transfer runs":     {func(h *hub) { reload(h); ends(h, time.Hour) }, time.Minute + time.Hour, false},
		"it stays, as wanted": {func(h *hub) {}, 2 * time.Hour, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := bareHub()
			s := &server{hub: h, folder: t.TempDir(), cfg: Config{Stay: c.stay, Log: slog.New(slog.DiscardHandler)}}
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Hour)
			defer cancel()
			h.await(typedTime)
			began := time.Now()
			go c.act(h)
			if err := s.wait(ctx, nil); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took < c.want || took > c.want+2*idleTime {
				t.Errorf("%s: it ends after %s, not %s", name, took, c.want)
			}
		})
	}
}

// reload is a page that is there for a minute, and comes again a little before
// nobody waits for it any more.
func reload(h *hub) {
	p, _ := h.enter(testPage)
	time.Sleep(time.Minute)
	h.leave(p)
	time.Sleep(idleTime - 2*time.Second)
}

// ends is a transfer that ends after so long.
func ends(h *hub, after time.Duration) {
	x := newTransfer(plan{})
	h.mu.Lock()
	x.hub, x.shown.Phase = h, PhaseMoving
	h.transfers = append(h.transfers, x)
	h.mu.Unlock()
	time.Sleep(after)
	h.mu.Lock()
	defer h.mu.Unlock()
	x.shown.Phase, x.shown.Ended = PhaseDone, time.Now().UnixMilli()
}

// TestNothingSecretIsKept: neither a phrase nor a code nor what lets pages in.
func TestNothingSecretIsKept(t *testing.T) {
	p := newTwo(t)
	const phrase = "some words of our own"
	write(t, filepath.Join(p.out, "a"), []byte("content"))
	sent, received := p.begin(NewTransfer{Paths: []string{filepath.Join(p.out, "a")}}, NewTransfer{})
	p.accept(received)
	p.from.phase(sent, PhaseDone)
	code := p.from.state.Transfers[0].Invite.Code
	var own Transfer
	p.from.must("/api/transfers", NewTransfer{Kind: "send", Text: "text", Phrase: phrase}, &own)
	p.from.phase(own.ID, PhaseWaiting)
	p.to.phase(received, PhaseDone)
	for _, program := range p.programs {
		program.stop()
		program.wait()
		err := filepath.WalkDir(program.state, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			st, err := e.Info()
			if err != nil {
				return err
			}
			if path != program.state && st.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" { // which has no modes
				t.Errorf("%s is %v", path, st.Mode())
			}
			if e.IsDir() {
				return nil
			}
			b, err := os.ReadFile(path)
			for _, secret := range []string{phrase, code, p.from.token, p.to.token, p.from.cookie.Value} {
				if strings.Contains(string(b), secret) {
					t.Errorf("%s holds %q", path, secret)
				}
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		if strings.Contains(program.out.String(), program.state) {
			t.Errorf("a person is told %q", program.out)
		}
	}
	if b, err := os.ReadFile(filepath.Join(p.programs[0].state, "history.json")); err != nil || !strings.Contains(string(b), `"name":"a"`) {
		t.Errorf("the history is %s, %v", b, err)
	}
}

// TestHistory: what makes no sense is none, and there is no more of it than
// there should be.
func TestHistory(t *testing.T) {
	for _, text := range []string{"", "{", `{"a":1}`, `[1]`, "null", "\x00"} {
		h := bareHub()
		h.state, h.log = t.TempDir(), slog.New(slog.DiscardHandler)
		write(t, h.historyPath(), []byte(text))
		h.recall()
		if len(h.past) != 0 {
			t.Errorf("%q is %+v", text, h.past)
		}
	}
	h := bareHub()
	h.state, h.log = t.TempDir(), slog.New(slog.DiscardHandler)
	for i := range mostPast + 10 {
		h.rememberLocked(Past{Ended: int64(i)})
	}
	h.keepPast()
	h.past = nil
	h.recall()
	if len(h.past) != mostPast || h.past[0].Ended != mostPast+9 {
		t.Errorf("%d, the latest %+v", len(h.past), h.past[0])
	}
	h.forget()
	h.recall()
	if len(h.past) != 0 {
		t.Errorf("%d are left", len(h.past))
	}
}

func TestCheckCode(t *testing.T) {
	for text, want := range map[string]CodeCheck{
		"":                             {},
		"7":                            {},
		"7-zebra-zebra-zebra":          {Code: "7-zebra-zebra-zebra"},
		" 7 Zebra zebra zebra ":        {Code: "7-zebra-zebra-zebra"},
		"7-zebar-zebra-zebra":          {Code: "7-zebra-zebra-zebra", Repaired: []string{"zebar → zebra"}},
		"7-zebra-zebra-zebra@host:400": {Code: "7-zebra-zebra-zebra", Host: "host:400"},
		"7-zebra-zebra-qqqqq":          {},
		"qft receive 7-zebra-zebra-zebra --helper host:400": {Code: "7-zebra-zebra-zebra"},
	} {
		got := checkCode(text)
		if got.Code != want.Code || got.Host != want.Host || strings.Join(got.Repaired, ",") != strings.Join(want.Repaired, ",") || (got.Code == "") != (got.Problem != "") {
			t.Errorf("%q: %+v", text, got)
		}
	}
	if got := checkCode("7-qqqqq-zebra-zebra"); len(got.Complete) != 0 || got.Problem == "" {
		t.Errorf("what cannot go on is completed to %q, and hides that %s", got.Complete, got.Problem)
	}
	for _, text := range []string{"7-zeb", "7 zebra zeb", "7.ZEBRA.zeb"} {
		if got := checkCode(text); len(got.Complete) == 0 || len(got.Complete) > 20 || !strings.HasPrefix(got.Complete[0], "7-zeb") {
			t.Errorf("%q: %+v", text, got)
		}
	}
}
