package e2e

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReceiverKilledAndStartedAgain: nobody is at the sender's keyboard. The
// same command at the receiver, with the same code, continues.
func TestReceiverKilledAndStartedAgain(t *testing.T) {
	p := newPaused(t)
	dir := p.folder()
	s := p.a.qft("send", p.file.path, "--helper", pairHelper)
	code := p.learn(s)
	before := p.b.traffic("eth0").in
	for _, percent := range []int64{20, 40} {
		r := p.b.qft("receive", code, "-o", dir, "--helper", pairHelper)
		p.kept(dir, percent)
		r.signal(syscall.SIGKILL)
		<-r.done
	}
	p.hurry()
	x := &transfer{t: t, file: p.file, target: dir + "/film.mkv", sender: s}
	x.receiver = p.b.qft("receive", code, "-o", dir, "--helper", pairHelper)
	x.wantDelivered(bigTime)
	x.receiver.wantSaid("of it were there already")
	s.wantSaid("contact lost since", "waiting at the helper as well", "takes the place of the one without contact")
	if carried := p.b.traffic("eth0").in - before; carried > p.file.size*3/2 {
		t.Errorf("%d bytes travelled for a file of %d", carried, p.file.size)
	}
}

// TestSenderKilledAndStartedAgain: the receiver stays as well, and a phrase of
// their own brings the sender back to it.
func TestSenderKilledAndStartedAgain(t *testing.T) {
	p := newPaused(t)
	x := p.until(40)
	x.sender.signal(syscall.SIGKILL)
	<-x.sender.done
	x.receiver.wantSay(patience, "waiting at the helper as well")
	p.hurry()
	x.sender = p.a.qft("sender", pairHelper, phrase, p.file.path)
	x.wantDelivered(bigTime)
	x.receiver.wantSaid("of it were there already")
}

// TestBothKilledAndResumed: what is left is listed on both sides, and goes on
// from the list.
func TestBothKilledAndResumed(t *testing.T) {
	p := newPaused(t)
	dir := p.folder()
	env := func(side string) []string {
		return []string{"QFT_HELPER=" + pairHelper, "XDG_STATE_HOME=" + filepath.Join(p.dir, side)}
	}
	s := p.a.launch(launch{args: []string{"send", p.file.path}, env: env("a")})
	r := p.b.launch(launch{args: []string{"receive", p.learn(s), "-o", dir}, env: env("b")})
	p.kept(dir, 50)
	for _, x := range []*proc{s, r} {
		x.signal(syscall.SIGKILL)
		<-x.done
	}
	for _, c := range []struct {
		h    *host
		side string
		want string
	}{{p.a, "a", "send film.mkv (" + p.file.path + ")"}, {p.b, "b", "receive film.mkv into " + dir}} {
		l := c.h.launch(launch{args: []string{"resume"}, env: env(c.side)})
		l.wantEnd(patience, 0)
		if out := l.out.text(); !strings.Contains(out, "  1  "+c.want) || strings.Contains(out, "  2  ") {
			t.Errorf("%s lists %q, want %q", l.title, out, c.want)
		}
	}
	t.Log("# who knows nothing of it finds it in its folder")
	l := p.b.launch(launch{args: []string{"resume"}, wrap: []string{"sh", "-c", `cd "$0" && exec "$@"`, dir}, env: env("c")})
	l.wantEnd(patience, 0)
	if out := l.out.text(); !strings.Contains(out, "  1  receive film.mkv into "+dir) {
		t.Errorf("%s lists %q", l.title, out)
	}

	t.Log("# nothing that is vouched for is sent or hashed again, on either side")
	p.hurry()
	x := &transfer{t: t, file: p.file, target: dir + "/film.mkv"}
	x.sender = p.a.launch(launch{args: []string{"resume", "1", "--json"}, env: env("a")})
	x.receiver = p.b.launch(launch{args: []string{"resume", "1", "--json", p.learnEvent(x.sender)}, env: env("b")})
	x.receiver.wantEnd(bigTime, 0)
	x.sender.wantEnd(patience, 0)
	x.wantIntact()
	for _, side := range []*proc{x.sender, x.receiver} {
		e := side.lastEvent()
		t.Logf("RESUMED: %s: %+v", side.title, e)
		if e.Event != "finished" || e.Size != p.file.size || e.Reused < p.file.size/3 || e.Reused+e.Hashed > e.Size ||
			e.Reused+e.Sent > e.Size || e.Resent != 0 {
			t.Errorf("%s ended with %+v", side.title, e)
		}
	}
	for side, h := range map[string]*host{"a": p.a, "b": p.b} {
		l := h.launch(launch{args: []string{"resume"}, env: env(side)})
		l.wantEnd(patience, 0)
		l.wantSaid("nothing was interrupted")
	}
}

// TestSeveralReceivers: one code, and all are served at the same time, each
// with a line of its own.
func TestSeveralReceivers(t *testing.T) {
	t.Parallel()
	for n, flag := range map[int]string{2: "--to=2", 3: "--keep"} {
		t.Run(flag, func(t *testing.T) {
			t.Parallel()
			w := newPair(t)
			w.a.limit("eth0", "100mbit")
			w.a.startHelper()
			f := w.file("film", 24<<20)
			s := w.a.qft("send", f.path, flag, "--helper", pairHelper)
			code := w.learn(s)
			var all []*transfer
			for range n {
				x := &transfer{t: t, file: f, target: w.folder() + "/film", sender: s}
				x.receiver = w.b.qft("receive", code, "-o", x.target, "--helper", pairHelper)
				all = append(all, x)
			}
			for _, x := range all {
				x.receiver.wantEnd(60*time.Second, 0)
				x.wantIntact()
			}
			first, last := all[0].receiver.ended, all[0].receiver.ended
			for i, x := range all {
				s.wantSay(patience, "receiver "+string(rune('1'+i))+": sent film")
				if x.receiver.ended.Before(first) {
					first = x.receiver.ended
				}
				if x.receiver.ended.After(last) {
					last = x.receiver.ended
				}
			}
			// One after the other they would end seconds apart.
			t.Logf("SEVERAL: the last of %d ended %v after the first", n, last.Sub(first))
			if flag == "--keep" {
				if !s.running() {
					t.Fatal("it does not keep")
				}
				s.signal(syscall.SIGINT)
			}
			s.wantEnd(patience, 0)
			s.wantSaid("sent to " + string(rune('0'+n)) + " receivers")
		})
	}
}

// TestOneOfSeveralReceiversKilled does not disturb the others, and its place is
// there for it.
func TestOneOfSeveralReceiversKilled(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	w.a.limit("eth0", "20mbit") // until one is killed
	w.a.startHelper()
	f := w.file("film", 32<<20)
	s := w.a.qft("send", f.path, "--to", "2", "--helper", pairHelper)
	code := w.learn(s)
	receive := func(target string) *transfer {
		x := &transfer{t: t, file: f, target: target, sender: s}
		x.receiver = w.b.qft("receive", code, "-o", target, "--helper", pairHelper)
		return x
	}
	one, two := receive(w.folder()+"/film"), receive(w.folder()+"/film")
	for _, x := range []*transfer{one, two} {
		untilVouched(t, filepath.Dir(x.target), 2)
	}
	one.receiver.signal(syscall.SIGKILL)
	<-one.receiver.done
	w.hurry()
	again := receive(one.target)
	two.receiver.wantEnd(60*time.Second, 0)
	two.wantIntact()
	again.receiver.wantEnd(60*time.Second, 0)
	again.wantIntact()
	s.wantEnd(patience, 0)
	s.wantSaid("sent to 2 receivers")
}

// event is what tests look at of a line of --json.
type event struct {
	Time                                     time.Time
	Event, Code, Path                        string
	Done, Size, Reused, Hashed, Sent, Resent int64
}

func (p *proc) events() (all []event) {
	p.t.Helper()
	running := p.running()
	for line := range strings.Lines(p.out.text()) {
		if !strings.HasSuffix(line, "\n") && running {
			break // the rest of it comes
		}
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			p.t.Fatalf("%s printed %q: %v", p.title, line, err)
		}
		all = append(all, e)
	}
	return all
}

// lastEvent is that of a program that has ended.
func (p *proc) lastEvent() event {
	p.t.Helper()
	all := p.events()
	if len(all) == 0 {
		p.t.Fatalf("%s printed no event", p.title)
	}
	return all[len(all)-1]
}

// learnEvent is learn for a sender with --json.
func (w *world) learnEvent(sender *proc) string {
	w.t.Helper()
	if !sender.out.wait(sender.done, patience, func(s string) bool { return strings.Contains(s, `"event":"waiting"`) }) {
		w.t.Fatalf("%s does not wait", sender.title)
	}
	for _, e := range sender.events() {
		if e.Event == "code" {
			w.secrets = append(w.secrets, e.Code)
			return e.Code
		}
	}
	w.t.Fatalf("%s printed no code", sender.title)
	return ""
}
