package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// memoryLimit is what either side may occupy, whatever the
// file and the path.
const memoryLimit = 100 << 20

// proc is one run of a program on a host.
type proc struct {
	t     *testing.T
	title string // "send on a", as failures name it
	cmd   *exec.Cmd
	out   transcript // stdout: the result
	err   transcript // stderr: the story
	began time.Time
	ended time.Time     // valid once done is closed
	done  chan struct{} // closed when the program has ended
	peak  atomic.Int64  // bytes of memory at the highest, as last sampled
	large bool          // memory is not judged: a program of another kind
}

// launch is how a program is started.
type launch struct {
	args []string
	wrap []string // runs the program: "setpriv", …, before its arguments
	env  []string // beside PATH and an empty home

	terminal *os.File // stdin and stderr; nil: there is none
	input    *os.File // stdin where there is no terminal; nil: empty
}

// qft starts the program on the host.
func (h *host) qft(args ...string) *proc {
	h.w.t.Helper()
	return h.launch(launch{args: args})
}

func (h *host) launch(l launch) *proc {
	h.w.t.Helper()
	bin, err := kit.qft()
	if h.w.racing && raceDetector {
		bin, err = kit.racing()
	}
	if err != nil {
		h.w.t.Fatal(err)
	}
	args := append([]string{"ip", "netns", "exec", h.ns}, append(l.wrap, append([]string{bin}, l.args...)...)...)
	p := h.w.startAt(l.input, l.terminal, l.args[0]+" on "+h.role, args, l.env)
	p.large = h.w.racing && raceDetector
	return p
}

// start runs any program on the host. ip replaces itself by the program, so
// the process that is signalled and measured is the program's.
func (h *host) start(title string, args, env []string) *proc {
	h.w.t.Helper()
	return h.w.start(title, append([]string{"ip", "netns", "exec", h.ns}, args...), env)
}

// start runs a program on the machine that the tests run on.
func (w *world) start(title string, args, env []string) *proc {
	w.t.Helper()
	return w.startAt(nil, nil, title, args, env)
}

func (w *world) startAt(input, terminal *os.File, title string, args, env []string) *proc {
	w.t.Helper()
	p := &proc{t: w.t, title: title, done: make(chan struct{})}
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + w.dir, // empty: nobody's configuration
		"GORACE=exitcode=66",
	}, env...)
	p.cmd.Dir = w.dir
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	if input != nil {
		p.cmd.Stdin = input
	}
	if terminal != nil {
		p.cmd.Stdin, p.cmd.Stderr = terminal, terminal
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = 10 * time.Second // for who has inherited its output; what there is is read first
	p.began = time.Now()
	if err := p.cmd.Start(); err != nil {
		p.t.Fatalf("%s: %v", title, err)
	}
	go p.watch()
	p.t.Cleanup(p.cleanup)
	return p
}

// watch waits for the end of the program and samples its memory until then: the
// high-water mark of its address space. The figure that the kernel gives at the
// end (ru_maxrss) is no use, since it begins at the size of the process that
// started the program.
func (p *proc) watch() {
	defer close(p.done)
	waited := make(chan struct{})
	go func() {
		p.cmd.Wait() // the state says how it ended
		close(waited)
	}()
	tick := time.NewTicker(40 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.peak.Store(max(p.peak.Load(), memoryPeak(p.cmd.Process.Pid)))
			continue
		case <-waited:
		}
		break
	}
	p.ended = time.Now()
}

// memoryPeak is the most memory that a process has occupied so far, 0 if it
// is gone.
func memoryPeak(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kib int64
	fmt.Sscan(rest, &kib)
	return kib << 10
}

// cleanup ends a program that still runs, and shows what all said if the test
// has failed.
func (p *proc) cleanup() {
	select {
	case <-p.done:
	default:
		p.signal(syscall.SIGCONT) // a stopped one would not die
		p.signal(syscall.SIGKILL)
		<-p.done
	}
	said := p.err.text()
	if strings.Contains(said, "DATA RACE") || strings.Contains(said, "panic:") {
		p.t.Errorf("%s crashed or raced", p.title)
	}
	if p.t.Failed() {
		p.t.Logf("%s: %v after %v, %d MiB at most\n  args: %v\n  stdout: %s\n  stderr: %s", p.title, p.cmd.ProcessState,
			p.ended.Sub(p.began).Round(time.Millisecond), p.peak.Load()>>20, p.cmd.Args, indent(p.out.text()), indent(said))
	}
}

func indent(s string) string {
	return strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n          ")
}

// signal reaches the program and nothing else: its number may be another's once
// it has ended, which is fine.
func (p *proc) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatalf("signal to %s: %v", p.title, err)
	}
}

// running reports whether the program has not ended.
func (p *proc) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// patience is how long a test waits for what does not take long, on a machine that
// is busy with everything else: a hang, not slowness, is the failure.
const patience = 30 * time.Second

// wantEnd waits for the program to end with an exit code. One that hangs is
// made to show where.
func (p *proc) wantEnd(within time.Duration, code int) {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(within):
		p.showStacks()
		p.t.Fatalf("%s did not end within %v", p.title, within)
	}
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		p.t.Fatalf("%s ended with %v, want exit code %d", p.title, p.cmd.ProcessState, code)
	}
	peak := p.peak.Load()
	if p.t.Logf("%s: exit %d after %.1f s, RSS %d MiB", p.title, code, p.ended.Sub(p.began).Seconds(), peak>>20); !p.large && peak > memoryLimit {
		p.t.Errorf("%s occupied %d MiB, more than %d", p.title, peak>>20, memoryLimit>>20)
	}
}

// showStacks has a program that hangs write where, and end.
func (p *proc) showStacks() {
	p.signal(syscall.SIGCONT)
	p.signal(syscall.SIGQUIT)
	select {
	case <-p.done:
	case <-time.After(2 * time.Second): // it is killed later
	}
}

// wantEndSoon wants the program to end within a time, if the machine had time for
// it.
func (p *proc) wantEndSoon(within time.Duration, code int) {
	p.t.Helper()
	late, began := watchLateness(p.t), time.Now()
	p.wantEnd(within+patience, code)
	if took := p.ended.Sub(began); took > within && late() < lateTime {
		p.t.Errorf("%s ended after %v, want at most %v", p.title, took, within)
	}
}

// wantSaySoon wants the story to contain text within a time, if the machine had
// time for it.
func (p *proc) wantSaySoon(within time.Duration, text string) {
	p.t.Helper()
	late, began := watchLateness(p.t), time.Now()
	p.wantSay(within+patience, text)
	if took := time.Since(began); took > within && late() < lateTime {
		p.t.Errorf("%s said %q after %v, want at most %v", p.title, text, took, within)
	}
}

// wantSay waits until the story contains text.
func (p *proc) wantSay(within time.Duration, text string) {
	p.t.Helper()
	if !p.err.wait(p.done, within, func(s string) bool { return strings.Contains(s, text) }) {
		p.t.Fatalf("%s did not say %q within %v", p.title, text, within)
	}
}

// wantSaid wants each text in the story of a program that has ended.
func (p *proc) wantSaid(texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		if !strings.Contains(p.err.text(), text) {
			p.t.Errorf("%s did not say %q", p.title, text)
		}
	}
}

// code waits for the code that a send prints.
func (p *proc) code() string {
	p.t.Helper()
	if !p.out.wait(p.done, patience, func(s string) bool { return strings.HasSuffix(s, "\n") }) {
		p.t.Fatalf("%s printed no code", p.title)
	}
	return strings.TrimSpace(p.out.text())
}

// transcript is what a program has written so far.
type transcript struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	more chan struct{} // closed at the next write; nil: nobody waits
}

func (s *transcript) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.more != nil {
		close(s.more)
		s.more = nil
	}
	return s.buf.Write(b)
}

func (s *transcript) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

func (s *transcript) next() (string, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.more == nil {
		s.more = make(chan struct{})
	}
	return s.buf.String(), s.more
}

// wait blocks until the text satisfies ok; it gives up after within, or when
// the program has ended without.
func (s *transcript) wait(ended <-chan struct{}, within time.Duration, ok func(string) bool) bool {
	timeout := time.After(within)
	for {
		text, more := s.next()
		if ok(text) {
			return true
		}
		select {
		case <-more:
		case <-ended:
			return ok(s.text())
		case <-timeout:
			return false
		}
	}
}
