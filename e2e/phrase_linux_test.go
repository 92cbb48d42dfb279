package e2e

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// wrongCodes are codes of the same number and other words of the list: the
// same three in other orders.
func wrongCodes(code string) []string {
	f := strings.Split(code, "-")
	var all []string
	for _, p := range [][3]int{{1, 3, 2}, {2, 1, 3}, {2, 3, 1}, {3, 1, 2}, {3, 2, 1}} {
		c := fmt.Sprintf("%s-%s-%s-%s", f[0], f[p[0]], f[p[1]], f[p[2]])
		if c != code && !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	return all
}

func TestWrongCodeIsRefusedAndTheRightOneStillWorks(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	w.a.startHelper()
	f := w.file("letter", 1<<20)
	dir := w.folder()
	s := w.a.qft("send", f.path, "--helper", pairHelper)
	code := w.learn(s)

	r := w.b.qft("receive", wrongCodes(code)[0], "-o", dir, "--helper", pairHelper)
	r.wantEnd(patience, 6)
	r.wantSaid("does not match", "receive again")
	s.wantSay(patience, "somebody came with a wrong phrase and was refused (4 more")

	x := &transfer{t: t, file: f, target: dir + "/letter", sender: s}
	x.receiver = w.b.qft("receive", code, "-o", dir, "--helper", pairHelper)
	x.wantDelivered(bigTime)
}

// TestTypingErrorsAreRepaired: one slip in each word costs no attempt.
func TestTypingErrorsAreRepaired(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	w.a.startHelper()
	f := w.file("letter", 1000)
	s := w.a.qft("send", f.path, "--helper", pairHelper)
	words := strings.Split(w.learn(s), "-")
	for i := 1; i <= 3; i++ {
		words[i] = strings.ToUpper(words[i][:1]) + words[i][2:] // the second letter is missing
	}
	x := &transfer{t: t, file: f, target: w.folder() + "/letter", sender: s}
	x.receiver = w.b.qft("receive", strings.Join(words, " "), "-o", x.target, "--helper", pairHelper)
	x.wantDelivered(bigTime)
	if strings.Contains(s.err.text(), "wrong phrase") {
		t.Errorf("the slip was counted as a guess")
	}
}

func TestFiveWrongGuessesBurnACode(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	w.a.startHelper()
	s := w.a.qft("send", w.file("letter", 1000).path, "--helper", pairHelper)
	wrong := wrongCodes(w.learn(s))
	for i := range 5 {
		// On this network and at the helper a wrong code would count twice.
		r := w.b.qft("receive", wrong[i%len(wrong)], "-o", w.folder(), "--helper", pairHelper, "--no-lan")
		r.wantEnd(patience, 6)
		if i < 4 {
			s.wantSay(patience, fmt.Sprintf("refused (%d more", 4-i))
		}
	}
	s.wantEnd(patience, 7)
	s.wantSaid("too many", "again") // a new code comes from sending again
}

func TestTwoSendersOnOnePhraseOfTheirOwn(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	w.racing = false // two slow handshakes may not overlap, and then the faster sender has won
	w.secrets = append(w.secrets, phrase)
	w.a.startHelper()
	// So it may be as well where one of them gets no processor for a moment, and then
	// it is tried once more.
	for range 5 {
		one := w.a.qft("sender", pairHelper, phrase, w.file("one", 1000).path)
		two := w.b.qft("sender", pairHelper, phrase, w.file("two", 1000).path)
		one.wantSay(patience, "waiting")
		two.wantSay(patience, "waiting")
		r := w.b.qft("receiver", pairHelper, phrase, w.folder()+"/which")
		select {
		case <-r.done:
		case <-time.After(patience):
		}
		if !r.running() && r.cmd.ProcessState.Success() {
			for _, p := range []*proc{one, two} {
				p.signal(syscall.SIGKILL)
				<-p.done
			}
			continue
		}
		for _, p := range []*proc{r, one, two} {
			p.wantEnd(patience, 7)
			p.wantSaid("phrase at the same time", "another phrase")
		}
		return
	}
	t.Fatal("one sender was always faster than the other")
}

func TestSecondSenderOnATakenNumberIsToldAtOnce(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	w.a.startHelper()
	s := w.a.qft("send", w.file("one", 1000).path, "--helper", pairHelper)
	code := w.learn(s)
	other := w.b.qft("sender", pairHelper, wrongCodes(code)[0], w.file("two", 1000).path)
	other.wantEndSoon(5*time.Second, 7)
	other.wantSaid("somebody else", "send again with another phrase")
	if !s.running() {
		t.Errorf("the first sender must go on waiting")
	}
}

// TestPhraseFromTheEnvironment: not in the list of processes.
func TestPhraseFromTheEnvironment(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	w.secrets = append(w.secrets, phrase)
	w.a.startHelper()
	f := w.file("letter", 1000)
	env := []string{"QFT_PHRASE=" + phrase, "QFT_HELPER=" + pairHelper}
	x := &transfer{t: t, file: f, target: w.folder() + "/letter"}
	x.sender = w.a.launch(launch{args: []string{"send", f.path}, env: env})
	x.receiver = w.b.launch(launch{args: []string{"receiver", pairHelper, "-", x.target}, env: env})
	x.wantDelivered(bigTime)
	if x.sender.out.text() != "" {
		t.Errorf("a sender with a phrase of its own has no code to print: %q", x.sender.out.text())
	}
}

// TestAHelperWithoutItsPort: the usual one is meant, wherever a helper or a
// STUN server is named, also by an IPv6 address without brackets.
func TestAHelperWithoutItsPort(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	w.a.ip("addr add 2001:db8::1/64 dev eth0 nodad")
	w.b.ip("addr add 2001:db8::2/64 dev eth0 nodad")
	p := w.a.qft("helper", "4277", "3478")
	p.wantSay(patience, "listening")
	t.Cleanup(func() { stopHelper(p) })
	f := w.file("letter", 1000)
	for _, helper := range []string{"192.0.2.1", "2001:db8::1", "[2001:db8::1]"} {
		x := &transfer{t: t, file: f, target: w.folder() + "/letter"}
		x.sender = w.a.launch(launch{args: []string{"send", "--no-lan", f.path}, env: []string{"QFT_HELPER=" + helper}})
		x.receiver = w.b.qft("receive", "--no-lan", w.learn(x.sender), "--helper", helper, "-o", x.target)
		x.wantDelivered(20 * time.Second)
	}
	x := &transfer{t: t, file: f, target: w.folder() + "/letter"}
	x.sender = w.a.qft("sender", "192.0.2.1", phrase, f.path)
	x.receiver = w.b.qft("receiver", "2001:db8::1", phrase, x.target)
	x.wantDelivered(20 * time.Second)
	for _, stun := range []string{"192.0.2.1", "2001:db8::1"} {
		w.b.paster("send", f.path, "--stun", stun).token()
	}
	d := w.b.qft("doctor", "--no-portmap", "2001:db8::1")
	d.wantEnd(doctorTime, 16) // no IPv4 has answered
	if text := d.out.text(); !strings.Contains(text, "[2001:db8::1]:4277") {
		t.Errorf("the doctor asked somebody else:\n%s", text)
	}
}
