package gui

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// two are a sender's and a receiver's page, with a folder each.
type two struct {
	t        *testing.T
	from, to *tab
	out, in  string
	programs [2]*running
}

func newTwo(t *testing.T) *two {
	at, dir := helper(t), t.TempDir()
	p := &two{t: t, out: filepath.Join(dir, "out"), in: filepath.Join(dir, "in")}
	for _, d := range []string{p.out, p.in} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	p.programs[0] = start(t, at, filepath.Join(dir, "state-out"), p.out)
	p.programs[1] = start(t, at, filepath.Join(dir, "state-in"), p.in)
	p.from, p.to = p.programs[0].open("page-of-the-sender-0").has(p.out), p.programs[1].open("page-of-the-receiver").has(p.in)
	return p
}

// begin begins a transfer on both sides.
func (p *two) begin(send, receive NewTransfer) (sent, received int) {
	p.t.Helper()
	var a, b Transfer
	send.Kind = "send"
	p.from.must("/api/transfers", send, &a)
	receive.Kind, receive.Code, receive.Folder = "receive", p.from.code(a.ID), p.in
	p.to.must("/api/transfers", receive, &b)
	return a.ID, b.ID
}

// accept waits for the question, and says yes.
func (p *two) accept(id int) Proposal {
	p.t.Helper()
	ask := p.to.phase(id, PhaseAsking, PhaseFailed).Ask
	if ask == nil || ask.Kind != "accept" || ask.Proposal == nil {
		p.t.Fatalf("asked is %+v", ask)
	}
	p.to.answer(id, Answer{Accept: true})
	return *ask.Proposal
}

// answer answers what is asked.
func (b *tab) answer(id int, a Answer) {
	b.t.Helper()
	for _, t := range b.state.Transfers {
		if t.ID == id && t.Ask != nil {
			a.Number = t.Ask.Number
		}
	}
	b.must(idPath(id, "answer"), a, nil)
}

// slowly is a limit under which content is on its way for longer than a test
// waits for anything: what is done in the middle is done before the end.
func slowly(content []byte) string {
	return fmt.Sprintf("%dkB/s", len(content)/1000/int((patience+10*time.Second)/time.Second))
}

func TestFilesFromPageToPage(t *testing.T) {
	p := newTwo(t)
	content := make([]byte, 3<<20)
	rand.Read(content)
	write(t, filepath.Join(p.out, "tree", "large"), content)
	write(t, filepath.Join(p.out, "tree", "deep", "small"), []byte("small"))
	sent, received := p.begin(NewTransfer{Paths: []string{filepath.Join(p.out, "tree")}}, NewTransfer{})
	prop := p.accept(received)
	if prop.Items != 1 || len(prop.Names) != 1 || prop.Names[0] != "tree" {
		t.Errorf("%+v", prop)
	}
	got := p.to.phase(received, PhaseDone, PhaseFailed)
	if want := filepath.Join(p.in, "tree"); got.Phase != PhaseDone || len(got.Outcome.Paths) != 1 || got.Outcome.Paths[0] != want {
		t.Fatalf("%+v", got)
	}
	for name, want := range map[string][]byte{"large": content, "deep/small": []byte("small")} {
		if b, err := os.ReadFile(filepath.Join(p.in, "tree", name)); err != nil || !bytes.Equal(b, want) {
			t.Errorf("%s has %d bytes, %v", name, len(b), err)
		}
	}
	for _, x := range []Transfer{got, p.from.phase(sent, PhaseDone, PhaseFailed)} {
		v := x.Sessions[0]
		if x.Phase != PhaseDone || x.Complete != 1 || v.Done != int64(len(content)+5) || v.Done != v.Size || !v.Ended || v.Link.Path == "" || x.Name != "tree" {
			t.Errorf("%+v", x)
		}
	}
	p.to.until("the history has it", func(s *State) bool { return len(s.History) == 1 })
	if h := p.to.state.History[0]; !h.OK || h.Name != "tree" || h.Where != p.in || h.Size != int64(len(content)+5) {
		t.Errorf("%+v", h)
	}
}

func TestATextFromPageToPage(t *testing.T) {
	p := newTwo(t)
	sent, received := p.begin(NewTransfer{Text: "hello\nthere"}, NewTransfer{})
	if got := p.to.phase(received, PhaseDone, PhaseFailed); got.Outcome.Text != "hello\nthere" {
		t.Errorf("%+v", got)
	}
	if got := p.from.phase(sent, PhaseDone, PhaseFailed); got.Phase != PhaseDone {
		t.Errorf("%+v", got)
	}
}

func TestRefused(t *testing.T) {
	p := newTwo(t)
	write(t, filepath.Join(p.out, "a"), []byte("a"))
	sent, received := p.begin(NewTransfer{Paths: []string{filepath.Join(p.out, "a")}}, NewTransfer{})
	p.to.phase(received, PhaseAsking)
	p.to.answer(received, Answer{})
	if got := p.to.phase(received, PhaseStopped, PhaseFailed, PhaseDone); got.Phase != PhaseStopped {
		t.Errorf("here: %+v", got)
	}
	if got := p.from.phase(sent, PhaseStopped, PhaseFailed, PhaseDone); got.Phase != PhaseFailed || got.Outcome.Problem == nil {
		t.Errorf("there: %+v", got)
	}
	if _, err := os.Stat(filepath.Join(p.in, "a")); err == nil {
		t.Error("it is there nevertheless")
	}
}

func TestConflict(t *testing.T) {
	p := newTwo(t)
	write(t, filepath.Join(p.out, "a"), []byte("new"))
	write(t, filepath.Join(p.in, "a"), []byte("old one"))
	_, received := p.begin(NewTransfer{Paths: []string{filepath.Join(p.out, "a")}}, NewTransfer{})
	p.accept(received)
	p.to.until("a conflict is asked", func(s *State) bool {
		a := s.Transfers[0].Ask
		return a != nil && a.Kind == "conflict" && a.Path != ""
	})
	// What was meant for another question, or is none, changes nothing.
	p.to.refused(idPath(received, "answer"), Answer{Number: 1, Accept: true, Existing: "overwrite", All: true})
	p.to.refused(idPath(received, "answer"), Answer{Number: 2, Accept: true})
	p.to.refused(idPath(received, "answer"), Answer{Number: 2, Existing: "ask"})
	p.to.answer(received, Answer{Existing: "rename"})
	if got := p.to.phase(received, PhaseDone, PhaseFailed); got.Phase != PhaseDone {
		t.Fatalf("%+v", got)
	}
	if b, err := os.ReadFile(filepath.Join(p.in, "a")); err != nil || string(b) != "old one" {
		t.Errorf("what was there is %q, %v", b, err)
	}
	if all, _ := os.ReadDir(p.in); len(all) != 2 {
		t.Errorf("there are %v", all)
	}
}

func TestStoppedAndContinued(t *testing.T) {
	p := newTwo(t)
	content := make([]byte, 16<<20)
	rand.Read(content)
	write(t, filepath.Join(p.out, "a"), content)
	sent, received := p.begin(NewTransfer{Paths: []string{filepath.Join(p.out, "a")}, Limit: slowly(content)}, NewTransfer{})
	p.accept(received)
	p.to.until("some of it is safe", func(s *State) bool {
		return len(s.Transfers[0].Sessions) > 0 && s.Transfers[0].Sessions[0].Done > 1<<20
	})
	p.to.must(idPath(received, "stop"), struct{}{}, nil)
	p.to.phase(received, PhaseStopped)
	p.to.until("it can be continued", func(s *State) bool { return len(s.Unfinished) == 1 })
	u := p.to.state.Unfinished[0]
	if u.Kind != "receive" || u.Name != "a" || u.Where != p.in || u.Done == 0 {
		t.Errorf("%+v", u)
	}
	none := 0.0
	p.from.must(idPath(sent, "change"), Change{Limit: &none}, nil)
	var again Transfer
	p.to.must("/api/unfinished/"+u.ID+"/continue", map[string]string{"code": p.from.code(sent)}, &again)
	p.to.refused("/api/unfinished/"+u.ID+"/discard", struct{}{})
	p.accept(again.ID)
	got := p.to.phase(again.ID, PhaseDone, PhaseFailed)
	if got.Phase != PhaseDone || got.Sessions[0].Resumed == 0 {
		t.Errorf("%+v", got)
	}
	if b, err := os.ReadFile(filepath.Join(p.in, "a")); err != nil || !bytes.Equal(b, content) {
		t.Errorf("%d bytes arrived, %v", len(b), err)
	}
	p.to.until("nothing is left to be continued", func(s *State) bool { return len(s.Unfinished) == 0 })
}

func TestPausedFromTheOtherPage(t *testing.T) {
	p := newTwo(t)
	content := make([]byte, 8<<20)
	rand.Read(content)
	write(t, filepath.Join(p.out, "a"), content)
	sent, received := p.begin(NewTransfer{Paths: []string{filepath.Join(p.out, "a")}, Limit: slowly(content)}, NewTransfer{})
	p.accept(received)
	p.to.phase(received, PhaseMoving)
	on, off, none := true, false, 0.0
	p.to.must(idPath(received, "change"), Change{Paused: &on}, nil)
	p.from.until("the other side has paused", func(s *State) bool {
		return len(s.Transfers[0].Sessions) > 0 && s.Transfers[0].Sessions[0].Link.Paused
	})
	p.to.until("it is shown here", func(s *State) bool { return s.Transfers[0].Steering.Paused })
	p.to.must(idPath(received, "change"), Change{Paused: &off}, nil)
	p.from.must(idPath(sent, "change"), Change{Limit: &none}, nil)
	if got := p.from.phase(sent, PhaseDone, PhaseFailed); got.Phase != PhaseDone || got.Sessions[0].Link.Paused {
		t.Errorf("%+v", got)
	}
}

func TestQueue(t *testing.T) {
	p := newTwo(t)
	var all [3]Transfer
	for i := range all {
		p.from.must("/api/transfers", NewTransfer{Kind: "send", Text: "text", Queue: true}, &all[i])
	}
	if all[0].Phase == PhaseQueued || all[1].Phase != PhaseQueued || all[2].Phase != PhaseQueued {
		t.Errorf("%+v", all)
	}
	p.from.must(idPath(all[2].ID, "move"), map[string]bool{"up": true}, nil)
	p.from.must(idPath(all[0].ID, "stop"), struct{}{}, nil)
	p.from.phase(all[2].ID, PhaseStarting, PhaseWaiting)
	p.from.phase(all[1].ID, PhaseQueued)
	p.from.must(idPath(all[1].ID, "start"), struct{}{}, nil)
	p.from.phase(all[1].ID, PhaseStarting, PhaseWaiting)
	p.from.refused(idPath(all[1].ID, "remove"), struct{}{})
	for _, x := range all[1:] {
		p.from.must(idPath(x.ID, "stop"), struct{}{}, nil)
		p.from.phase(x.ID, PhaseStopped)
		p.from.must(idPath(x.ID, "remove"), struct{}{}, nil)
	}
	p.from.until("only one is left", func(s *State) bool { return len(s.Transfers) == 1 })
	p.from.refused(idPath(all[1].ID, "stop"), struct{}{})
}

// TestTryAgain: what has come to nothing is tried once more as it was asked for,
// and nothing else is.
func TestTryAgain(t *testing.T) {
	p := newTwo(t)
	sent, received := p.begin(NewTransfer{Text: "the door is open"}, NewTransfer{})
	p.to.phase(received, PhaseDone)
	p.from.phase(sent, PhaseDone)
	p.from.refused(idPath(sent, "again"), struct{}{})
	var first, second Transfer
	p.from.must("/api/transfers", NewTransfer{Kind: "send", Text: "the key is below the mat", Limit: "5MB/s"}, &first)
	p.from.refused(idPath(first.ID, "again"), struct{}{})
	p.from.must(idPath(first.ID, "stop"), struct{}{}, nil)
	p.from.phase(first.ID, PhaseStopped)
	p.from.must(idPath(first.ID, "again"), struct{}{}, &second)
	if second.ID == first.ID || second.Name != first.Name || second.Steering.Limit != 5e6 {
		t.Errorf("of %+v it makes %+v", first, second)
	}
	code := p.from.code(second.ID)
	p.to.must("/api/transfers", NewTransfer{Kind: "receive", Code: code}, &first)
	if got := p.to.phase(first.ID, PhaseDone); got.Outcome.Text != "the key is below the mat" {
		t.Errorf("%+v", got.Outcome)
	}
}

func TestASecondStartOpensAnotherPage(t *testing.T) {
	state := t.TempDir()
	first := start(t, "", state)
	one := first.open("page-of-the-first-one")
	second := start(t, "", state)
	url := second.next()
	second.wait()
	if second.err != nil {
		t.Fatal(second.err)
	}
	two := second.enter(url)
	if two.host != one.host {
		t.Fatalf("it leads to %s, not %s", two.host, one.host)
	}
	two.listen("page-of-the-second-1")
	one.until("there are two pages", func(s *State) bool { return s.Pages == 2 })
	first.stop()
	first.wait()
	if left, _ := filepath.Glob(filepath.Join(state, "gui", "*")); len(left) != 1 || filepath.Base(left[0]) != lockName {
		t.Errorf("%v is left", left)
	}
}

// TestWhatAKilledOneLeft: its file says where it was, and nobody is there, or
// somebody else.
func TestWhatAKilledOneLeft(t *testing.T) {
	state := t.TempDir()
	write(t, filepath.Join(state, "gui", callName), []byte(`{"port":1,"secret":"x","process":1}`))
	write(t, filepath.Join(state, "gui", lockName), nil)
	p := start(t, "", state)
	p.open("page-of-the-next-one")
}

func TestPagesHearOfTheEnd(t *testing.T) {
	p := start(t, "", t.TempDir())
	b := p.open("page-of-this-program")
	var x Transfer
	b.must("/api/transfers", NewTransfer{Kind: "send", Text: "text"}, &x)
	p.stop()
	bye := false
	for m := range b.messages {
		bye = bye || m.Bye
		b.take(m)
	}
	p.wait()
	if p.err != nil || !bye {
		t.Errorf("it ended with %v, and pages were told: %v", p.err, bye)
	}
	if got := b.phase(x.ID, PhaseStopped); got.Ended == 0 {
		t.Errorf("%+v", got)
	}
}

func TestAKeyWorksOnce(t *testing.T) {
	p := start(t, "", t.TempDir())
	url := p.next()
	b := p.enter(url)
	b.cookie = nil
	_, key, _ := bytes.Cut([]byte(url), []byte("#"))
	if reply := b.do("POST", loginPath, map[string]string{"key": string(key)}, nil); reply.StatusCode != http.StatusForbidden {
		t.Errorf("the second time it says %s", reply.Status)
	}
}

// TestDroppedFiles are read through the page, and a folder without anything
// arrives.
func TestDroppedFiles(t *testing.T) {
	p := newTwo(t)
	d, contents := dropOf("a", "folder/b", "folder/c", "none/")
	contents[1] = make([]byte, 3*readPart+5)
	rand.Read(contents[1])
	d.Page, d.Files[1].Size = p.from.id, int64(len(contents[1]))
	sent, received := p.begin(NewTransfer{Drop: &d}, NewTransfer{})
	p.from.holds = contents
	p.accept(received)
	if got := p.from.phase(sent, PhaseDone, PhaseFailed); got.Phase != PhaseDone || !got.Dropped {
		t.Errorf("%+v", got)
	}
	if got := p.to.phase(received, PhaseDone, PhaseFailed); got.Phase != PhaseDone {
		t.Fatalf("%+v", got)
	}
	for i, f := range d.Files {
		path := filepath.Join(p.in, f.Path)
		if st, err := os.Stat(path); f.Path == "none/" {
			if err != nil || !st.IsDir() {
				t.Errorf("%s: %v", path, err)
			}
			continue
		}
		if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, contents[i]) {
			t.Errorf("%s has %d bytes, %v", path, len(b), err)
		}
	}
	if len(p.from.state.Unfinished) != 0 {
		t.Error("it can be continued without its page")
	}
}

// TestADropIsRead by its page only.
func TestADropIsReadByItsPageOnly(t *testing.T) {
	p := newTwo(t)
	d, _ := dropOf("a", "b")
	d.Page = p.from.id
	p.begin(NewTransfer{Drop: &d}, NewTransfer{})
	for _, id := range []string{"0", "1", "-1", "x", "99999999999999999999"} {
		r := p.from.request("POST", "/api/reads/"+id, strings.NewReader("x"))
		r.Header.Set("Content-Type", "application/octet-stream")
		if reply, _ := p.from.send(r); reply.StatusCode != http.StatusNotFound {
			t.Errorf("read %s: %s", id, reply.Status)
		}
	}
	r := p.from.request("POST", "/api/reads/1", strings.NewReader("{}"))
	if reply, _ := p.from.send(r); reply.StatusCode != http.StatusUnsupportedMediaType {
		t.Error(reply.Status)
	}
	for _, bad := range []Drop{{}, {ID: d.ID, Page: d.Page}, {ID: "x", Page: d.Page, Files: d.Files}} {
		p.from.refused("/api/transfers", NewTransfer{Kind: "send", Drop: &bad})
	}
	p.from.refused("/api/transfers", NewTransfer{Kind: "send", Drop: &d, Text: "text"})
}

// TestTokensFromPageToPage: without a helper two people pass each other tokens.
func TestTokensFromPageToPage(t *testing.T) {
	p := newTwo(t)
	stun := []string{helper(t)}
	var a, b Transfer
	p.from.must("/api/transfers", NewTransfer{Kind: "send", Text: "hello", Stun: stun}, &a)
	p.to.must("/api/transfers", NewTransfer{Kind: "receive", Folder: p.in, Stun: stun}, &b)
	asked := func(b *tab, mayLack bool) (token string) {
		b.until("a token is asked for", func(s *State) bool {
			if len(s.Transfers) == 0 {
				return false
			}
			x := s.Transfers[0]
			token = x.Invite.Token
			return (token != "" || mayLack) && x.Ask != nil && x.Ask.Kind == "token"
		})
		return token
	}
	first := asked(p.from, false)
	asked(p.to, true)
	p.to.answer(b.ID, Answer{Token: "nonsense"})
	p.to.until("it is told why that is none", func(s *State) bool {
		n := s.Transfers[0].Notes
		return len(n) > 0 && strings.Contains(n[len(n)-1], "token")
	})
	asked(p.to, true)
	p.to.answer(b.ID, Answer{Token: first})
	p.to.until("there is one to answer with", func(s *State) bool { return s.Transfers[0].Invite.Token != "" })
	p.from.answer(a.ID, Answer{Token: p.to.state.Transfers[0].Invite.Token})
	if got := p.to.phase(b.ID, PhaseDone, PhaseFailed); got.Phase != PhaseDone || got.Outcome.Text != "hello" || got.Invite.Token != "" {
		t.Errorf("%+v", got)
	}
	p.from.phase(a.ID, PhaseDone)
}
