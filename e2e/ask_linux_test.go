package e2e

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// keyboard is a terminal at which somebody sits: what is typed goes to the
// program's stdin, and its story is what the terminal shows.
type keyboard struct {
	*proc
	master *os.File
}

// openTerminal returns both ends of a pseudo terminal.
func openTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("needs pseudo terminals: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		t.Skipf("needs pseudo terminals: %v", err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

// atTerminal starts the program on the host with somebody at its terminal;
// stdout is a file.
func (h *host) atTerminal(args ...string) *keyboard {
	h.w.t.Helper()
	master, slave := openTerminal(h.w.t)
	k := &keyboard{master: master}
	k.proc = h.launch(launch{args: args, terminal: slave})
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := master.Read(b)
			k.err.Write(b[:n])
			if err != nil {
				return // both ends are closed
			}
		}
	}()
	return k
}

func (k *keyboard) types(text string) {
	k.t.Helper()
	if _, err := k.master.WriteString(text); err != nil {
		k.t.Fatal(err)
	}
}

// TestPersonIsAsked: what is coming is shown before anything is written, and
// what exists is nobody's to decide but the person's.
func TestPersonIsAsked(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	w.a.startHelper()
	f := w.file("letter", 1<<20)

	t.Log("# no: both sides end")
	dir := w.folder()
	s := w.a.qft("send", f.path, "--helper", pairHelper)
	r := w.b.atTerminal("receive", w.learn(s), "-o", dir, "--helper", pairHelper)
	r.wantSay(patience, "The sender offers 1 file, 1.05 MB: letter")
	r.wantSay(patience, "[Y/n] ")
	x := &transfer{t: t, file: f, target: dir + "/letter", sender: s, receiver: r.proc}
	if len(x.remains()) > 0 {
		t.Errorf("%v was written before the answer", x.remains())
	}
	r.types("n\n")
	r.wantEnd(patience, 15)
	s.wantEnd(patience, 10)
	s.wantSaid("refused")

	t.Log("# yes, and another name for what is in the way")
	if err := os.WriteFile(x.target, []byte("three years of work"), 0o644); err != nil {
		t.Fatal(err)
	}
	x.sender = w.a.qft("send", f.path, "--helper", pairHelper)
	r = w.b.atTerminal("receive", w.learn(x.sender), "-o", dir, "--helper", pairHelper)
	x.receiver = r.proc
	r.wantSay(patience, "[Y/n] ")
	r.types("\n")
	r.wantSay(patience, "[o/r/s/c")
	if said := strings.Join(strings.Fields(r.err.text()), " "); !strings.Contains(said, "letter exists. ") { // wherever the line is broken
		t.Errorf("the question does not name what is in the way: %s", said)
	}
	r.types("R\n")
	r.wantEnd(patience, 0)
	x.sender.wantEnd(patience, 0)
	x.target = strings.TrimSpace(r.out.text())
	if x.target == dir+"/letter" {
		t.Errorf("the new name is %q", x.target)
	}
	x.wantIntact()
	if old, err := os.ReadFile(dir + "/letter"); err != nil || string(old) != "three years of work" {
		t.Errorf("what was there is %q, %v", old, err)
	}

	t.Log("# a code is typed, and Ctrl-C at the question ends at once")
	x.sender = w.a.qft("send", f.path, "--helper", pairHelper)
	r = w.b.atTerminal("receive", "-o", w.folder(), "--helper", pairHelper)
	r.wantSay(patience, "Code: ")
	r.types(w.learn(x.sender) + "\n")
	r.wantSay(patience, "[Y/n] ")
	r.signal(syscall.SIGINT)
	r.wantEndSoon(5*time.Second, 130)
	x.sender.wantStays()
}
