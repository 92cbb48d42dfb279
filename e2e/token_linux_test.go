package e2e

import (
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
)

// paster is a run of the program whose person pastes what the other one got.
type paster struct {
	*proc
	hand *os.File // into its stdin
}

func (h *host) paster(args ...string) *paster {
	h.w.t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		h.w.t.Fatal(err)
	}
	p := &paster{h.launch(launch{args: args, input: read}), write}
	read.Close()
	h.w.t.Cleanup(func() { write.Close() })
	return p
}

func (p *paster) paste(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p.hand, text+"\n"); err != nil {
		p.t.Fatalf("pasting into %s: %v", p.title, err)
	}
}

var tokenText = regexp.MustCompile(`qft-(sender|receiver):[-_A-Za-z0-9\s]*\.`)

// token waits for what the program gives its person.
func (p *paster) token() string {
	p.t.Helper()
	said := &p.out // a receiver's stdout is for what it receives
	if strings.HasPrefix(p.title, "receive") {
		said = &p.err
	}
	if !said.wait(p.done, patience, tokenText.MatchString) {
		p.t.Fatalf("%s gave no token: %s", p.title, p.out.text()+p.err.text())
	}
	return tokenText.FindString(said.text())
}

// stunServer starts one that knows nothing of qft.
func (w *homes) stunServer() {
	w.t.Helper()
	needTools(w.t, "turnserver")
	p := w.helper.start("turnserver", []string{"turnserver", "-n", "-S", "-L", "203.0.113.10", "-p", "3478",
		"--no-tls", "--no-dtls", "--no-cli", "--pidfile", w.dir + "/turnserver.pid", "--log-file", "stdout"}, nil)
	p.large = true // and it may take its time: requests are repeated
}

// TestTokensAndAForeignStunServer: no helper anywhere, two NATs, coturn.
func TestTokensAndAForeignStunServer(t *testing.T) {
	t.Parallel()
	w := newHomes(t, keepsPort)
	w.racing = true
	w.onlyUDP()
	w.stunServer()
	x := &transfer{t: t, file: w.file("letter", 20<<20), target: w.folder() + "/letter"}
	s := w.a.paster("send", x.file.path, "--stun", "203.0.113.10:3478")
	r := w.b.paster("receive", "-o", x.target, "--stun", "203.0.113.10:3478")
	x.sender, x.receiver = s.proc, r.proc
	first := s.token()
	r.wantSay(patience, "paste the other side's token")
	t.Log("# what is pasted by mistake is refused, and the right one is taken afterwards")
	r.paste("hello. this is no token")
	r.wantSay(patience, "this does not help")
	r.paste(first)
	s.paste(r.token())
	x.wantDelivered(bigTime)
	x.receiver.wantSaid("connected: punched")
	t.Logf("the sender's token has %d characters, the receiver's %d", len(first), len(r.token()))
}

// TestTokensUnderPhrases: a phrase that differs ends both, and says why.
func TestTokensUnderPhrases(t *testing.T) {
	t.Parallel()
	w := newHomes(t, keepsPort)
	w.racing = true
	w.helper.startHelper() // our helper is a STUN server, too
	f := w.file("letter", 1000)
	read1, write1, _ := os.Pipe()
	read2, write2, _ := os.Pipe()
	defer write1.Close()
	defer write2.Close()
	s := &paster{w.a.launch(launch{args: []string{"send", f.path, "--stun", helperAddr4}, input: read1, env: []string{"QFT_PHRASE=ours alone"}}), write1}
	r := &paster{w.b.launch(launch{args: []string{"receive", "--stun", helperAddr4}, input: read2, env: []string{"QFT_PHRASE=something else"}}), write2}
	read1.Close()
	read2.Close()
	r.paste(s.token())
	s.paste(r.token())
	s.wantEnd(patience, 6)
	s.wantSaid("different phrase", "new tokens")
}

// TestNoStunServer: what a person is told when none answers.
func TestNoStunServer(t *testing.T) {
	t.Parallel()
	w := newHomes(t, keepsPort)
	s := w.a.qft("send", w.file("letter", 1000).path, "--stun", "203.0.113.10:3478", "--stun", "203.0.113.99:3478")
	s.wantEnd(patience, 8)
	s.wantSaid("no STUN server answers", "203.0.113.99:3478")
	u := w.a.qft("receive", "7-acid-robot-zebra", "--stun", "203.0.113.10:3478")
	u.wantEnd(patience, 2)
}
