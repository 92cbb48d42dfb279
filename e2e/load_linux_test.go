package e2e

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Cores of a measurement: the helper has one for itself, the crowd the other.
const (
	helperCore = 0
	crowdCore  = 1
)

// needLoad skips unless somebody wants measurements, and puts this goroutine on
// the crowd's core.
func needLoad(t *testing.T) {
	t.Helper()
	if os.Getenv("QFT_BENCH") == "" {
		t.Skip("a measurement: make load")
	}
	needTools(t, "taskset", "nice")
	if runtime.NumCPU() < 2 {
		t.Skip("needs two cores")
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	var set unix.CPUSet
	set.Set(crowdCore)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
	// What else runs on the machine would be measured as well. Where the
	// kernel shares processors among sessions first, a process's own nice
	// value counts only within one.
	if err := unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), -20); err != nil {
		t.Logf("measured without precedence: %v", err)
	}
	const group = "/proc/self/autogroup"
	if os.WriteFile(group, []byte("-20"), 0) == nil {
		t.Cleanup(func() { os.WriteFile(group, []byte("0"), 0) })
	}
}

// loaded is a helper on a core of its own, on this machine's loopback.
type loaded struct {
	*proc
	t       *testing.T
	addr    netip.AddrPort
	metrics string // address
}

func startLoaded(t *testing.T, args ...string) *loaded {
	t.Helper()
	w := newWorld(t)
	bin, err := kit.qft()
	if err != nil {
		t.Fatal(err)
	}
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	pages, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	metrics := "127.0.0.1:" + pages
	p := w.start("helper", append([]string{"nice", "-n", "-20", "taskset", "-c", strconv.Itoa(helperCore), bin, "helper", port, "--metrics", metrics}, args...), nil)
	p.large = true
	p.wantSay(patience, "/healthz")
	t.Cleanup(func() {
		p.signal(syscall.SIGINT)
		p.wantEnd(patience, 0)
	})
	return &loaded{p, t, netip.MustParseAddrPort("127.0.0.1:" + port), metrics}
}

// cpu is how much processor time the helper has taken.
func (l *loaded) cpu() time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", l.cmd.Process.Pid))
	if err != nil {
		l.t.Fatal(err)
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100
}

// alone runs f with the helper and this thread before all other programs of the
// machine, which wait: for seconds, not more.
func (l *loaded) alone(f func()) {
	l.t.Helper()
	policy := func(p uint32, priority uint32) {
		tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", l.cmd.Process.Pid))
		all := []int{unix.Gettid()}
		for _, e := range tasks {
			tid, _ := strconv.Atoi(e.Name())
			all = append(all, tid)
		}
		for _, tid := range all {
			a := &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: p, Priority: priority}
			if p == unix.SCHED_NORMAL {
				a.Nice = -20
			}
			if err := unix.SchedSetAttr(tid, a, 0); err != nil {
				l.t.Logf("measured beside other programs: %v", err)
				return
			}
		}
	}
	policy(unix.SCHED_FIFO, 1)
	defer policy(unix.SCHED_NORMAL, 0)
	f()
}

// TestBenchHelperRate: how many requests with a cookie one core answers, and
// how soon at half of that.
func TestBenchHelperRate(t *testing.T) {
	needLoad(t)
	h := startLoaded(t, "--joins", "100000")
	c := newCrowd(t, h.addr, 20_000)
	c.enter(time.Minute)
	t.Log(c)
	var best float64
	for range 3 {
		before := h.cpu()
		rate := c.hammer(5*time.Second, 1024)
		c.rest()
		used := h.cpu() - before
		best = max(best, rate)
		t.Logf("%.0f keep-alives/s answered; %.0f per second of the helper's CPU (%.2f s used)", rate, rate*5/used.Seconds(), used.Seconds())
	}
	if best < 100_000 {
		t.Errorf("%.0f requests/s are less than 100,000", best)
	}
	for _, rate := range []float64{best / 2, 50_000} {
		var took []time.Duration
		var lost int
		h.alone(func() { took, lost = c.stroll(5*time.Second, rate) })
		t.Logf("at %.0f/s: %d answers, %d lost, median %v, p99 %v, p99.9 %v, longest %v", rate, len(took), lost,
			quantile(took, 0.5), quantile(took, 0.99), quantile(took, 0.999), quantile(took, 1))
		if p99 := quantile(took, 0.99); rate == 50_000 && p99 > 5*time.Millisecond {
			t.Errorf("p99 of %v at 50,000/s is more than 5 ms", p99)
		}
	}
}
