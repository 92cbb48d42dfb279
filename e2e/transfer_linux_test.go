package e2e

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// phrase is one of a user's own choice. No word of it may turn up in a log.
const phrase = "Xylograph pangolin 42 quixotry"

// startHelper runs a helper, perhaps with more ports, until the test ends; then it
// must end on request, without having seen a word of any phrase.
func (h *host) startHelper(more ...string) *proc {
	h.w.t.Helper()
	p := h.qft(append([]string{"helper", helperPort, "--verbose"}, more...)...)
	p.wantSay(patience, "listening")
	h.w.t.Cleanup(func() {
		stopHelper(p)
		h.w.wantSecret(p)
	})
	return p
}

func stopHelper(p *proc) {
	p.t.Helper()
	if p.running() {
		p.signal(syscall.SIGINT) // SIGTERM would wait for those who were killed
		p.wantEnd(patience, 0)
	}
}

// wantSecret wants no phrase in what a helper has written.
func (w *world) wantSecret(p *proc) {
	w.t.Helper()
	log := strings.ToLower(p.out.text() + p.err.text())
	for _, s := range w.secrets {
		words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r == ' ' || r == '-' })
		pattern := strings.Join(words[1:], "[^a-z]+") // one alone may be there by chance
		if regexp.MustCompile(pattern).MatchString(log) {
			w.t.Errorf("%s has the words of %q in its log", p.title, s)
		}
	}
}

// file makes a random file in a folder of the sender's.
func (w *world) file(name string, size int64) file {
	w.t.Helper()
	path := filepath.Join(w.dir, "from", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	f, err := makeFile(path, size)
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

// big is the file that all large transfers share.
func (w *world) big() file {
	w.t.Helper()
	f, err := kit.bigFile()
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

// folder makes a folder for the receiver.
func (w *world) folder() string {
	w.t.Helper()
	dir, err := os.MkdirTemp(w.dir, "to-")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return dir
}

// transfer is one file on its way.
type transfer struct {
	t                *testing.T
	file             file
	target           string
	sender, receiver *proc
}

// bySend starts qft send and, with its code, qft receive.
func (w *world) bySend(from, to *host, helper string, f file) *transfer {
	w.t.Helper()
	dir := w.folder()
	x := &transfer{t: w.t, file: f, target: filepath.Join(dir, filepath.Base(f.path))}
	x.sender = from.qft("send", f.path, "--helper", helper)
	code := w.learn(x.sender)
	x.receiver = to.qft("receive", code, "-o", dir, "--helper", helper)
	return x
}

// learn takes a sender's code, which must not turn up in a log.
func (w *world) learn(sender *proc) string {
	w.t.Helper()
	code := sender.code()
	w.secrets = append(w.secrets, code)
	if !regexp.MustCompile(`^[0-9]+-[a-z]+-[a-z]+-[a-z]+$`).MatchString(code) {
		w.t.Fatalf("stdout of send is not a code: %q", code)
	}
	return code
}

// bySender starts the historical commands. The target is as given.
func (w *world) bySender(from, to *host, helper string, f file, target string) *transfer {
	w.t.Helper()
	w.secrets = append(w.secrets, phrase)
	x := &transfer{t: w.t, file: f, target: target}
	x.sender = from.qft("sender", helper, phrase, f.path)
	x.receiver = to.qft("receiver", helper, phrase, target)
	return x
}

// wantDelivered waits for both sides to succeed and compares what arrived.
// within is generous: what is slow is not broken.
func (x *transfer) wantDelivered(within time.Duration) {
	x.t.Helper()
	x.receiver.wantEnd(within, 0)
	x.sender.wantEnd(patience, 0)
	if got := strings.TrimSpace(x.receiver.out.text()); got != x.target {
		x.t.Errorf("stdout of %s is %q, want the path %q", x.receiver.title, got, x.target)
	}
	x.wantIntact()
	x.receiver.wantSaid("received " + filepath.Base(x.file.path))
	x.sender.wantSaid("sent " + filepath.Base(x.file.path))
	for _, name := range x.remains() {
		x.t.Errorf("%s was left behind", name)
	}
}

// wantIntact compares the target with the file, byte for byte and in its time.
func (x *transfer) wantIntact() {
	x.t.Helper()
	sum, err := checksum(x.target)
	if err != nil {
		x.t.Fatal(err)
	}
	if sum != x.file.sum {
		x.t.Fatalf("sha256 of what arrived is %x, want %x", sum, x.file.sum)
	}
	from, err := os.Stat(x.file.path)
	if err != nil {
		x.t.Fatal(err)
	}
	to, err := os.Stat(x.target)
	if err != nil {
		x.t.Fatal(err)
	}
	if !from.ModTime().Equal(to.ModTime()) {
		x.t.Errorf("modification time is %v, want %v", to.ModTime(), from.ModTime())
	}
}

// remains are hidden files that a transfer has left beside its target.
func (x *transfer) remains() []string {
	x.t.Helper()
	all, err := filepath.Glob(filepath.Join(filepath.Dir(x.target), ".*qft*"))
	if err != nil {
		x.t.Fatal(err)
	}
	return all
}

// vouched is how many blocks of 1 MiB at most the journals vouch for that lie in a
// receiver's folder. What has passed the network, or is written, may be sent again
// when the receiver has been killed; this is not.
func vouched(t *testing.T, folder string) (blocks int) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(folder, ".*.qft-part", "journal"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		b, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		blocks += recorded(b)
	}
	return blocks
}

// recorded counts the blocks of a journal, as docs of package journal have it,
// up to a record that is not whole.
func recorded(b []byte) (blocks int) {
	const header, run, sum, check = 28, 26, 32, 8
	if len(b) < header {
		return 0
	}
	for at := header + int(binary.BigEndian.Uint32(b[8:])); at+4 <= len(b); {
		body := at + 4
		end := body + int(binary.BigEndian.Uint32(b[at:]))
		if end == body || end+check > len(b) || len(bytes.Trim(b[end:end+check], "\x00")) == 0 {
			break
		}
		for r := body; r+run <= end; {
			n := int(binary.BigEndian.Uint16(b[r+run-2:]))
			blocks += n
			r += run + n*sum
		}
		at = end + check
	}
	return blocks
}

// untilVouched waits until so many blocks are vouched for.
func untilVouched(t *testing.T, folder string, blocks int) {
	t.Helper()
	eventually(t, bigTime, fmt.Sprintf("%d blocks are vouched for", blocks), func() bool { return vouched(t, folder) >= blocks })
}

// wantPartial wants the target not to exist, and what has arrived of it kept.
func (x *transfer) wantPartial() {
	x.t.Helper()
	if _, err := os.Lstat(x.target); !errors.Is(err, fs.ErrNotExist) {
		x.t.Errorf("the target must not exist before it is complete: %v", err)
	}
	if len(x.remains()) == 0 {
		x.t.Errorf("nothing was kept of what had arrived")
	}
}

// speed is the goodput of the whole thing, from starting the receiver to its
// end: meeting and punching included.
func (x *transfer) speed() float64 {
	d := x.receiver.ended.Sub(x.receiver.began)
	return float64(x.file.size) * 8 / d.Seconds() / 1e6
}
