package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// labFolder holds linklab, which emulates links with rate, delay and loss
// where the kernel cannot. It lies beside the repository.
const labFolder = "../../shared/lab"

// linklab builds it once per run.
var linklab = sync.OnceValues(func() (string, error) {
	bin := filepath.Join(kit.dir, "linklab")
	cmd := exec.Command("go", "build", "-o", bin, "./cmd/linklab")
	cmd.Dir = labFolder
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building linklab: %w\n%s", err, out)
	}
	return bin, nil
})

// link is two machines joined by an emulated link, the helper on the second.
type link struct {
	*world
	lab   *proc
	stats string
	a, b  *host
	late  float64 // ms by which the worse direction was late (p99), once truth was asked
}

const linkHelper = "10.99.0.2:" + helperPort

func newLink(t *testing.T, args ...string) *link {
	t.Helper()
	if _, err := os.Stat(labFolder); err != nil {
		t.Skipf("needs linklab beside the repository: %v", err)
	}
	l := &link{world: newWorld(t)}
	bin, err := linklab()
	if err != nil {
		t.Fatal(err)
	}
	name := l.name + "-link"
	ready := filepath.Join(l.dir, "ready")
	l.stats = filepath.Join(l.dir, "stats")
	args = append([]string{bin, "up", "--name", name, "--ready", ready, "--stats", l.stats}, args...)
	l.lab = l.start("linklab", args, nil)
	t.Cleanup(l.down)
	eventually(t, patience, "the link is up", func() bool {
		_, err := os.Stat(ready)
		return err == nil || !l.lab.running()
	})
	l.a, l.b = l.adopt("a", name+"-a"), l.adopt("b", name+"-b")
	return l
}

// down ends the link; it removes its namespaces and writes its statistics.
func (l *link) down() {
	l.lab.signal(syscall.SIGTERM)
	select {
	case <-l.lab.done:
	case <-time.After(10 * time.Second):
		l.t.Errorf("linklab did not end")
	}
}

// truth is how far the link was what it should have been: how late packets
// were, what the emulator dropped by itself, what the hypervisor took.
func (l *link) truth() string {
	l.t.Helper()
	l.down()
	text, err := os.ReadFile(l.stats)
	if err != nil {
		l.t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(string(text)) {
		var s struct {
			Dir         string
			Utilisation float64
			Queue95     float64 `json:"queue_ms_p95"`
			Late99      float64 `json:"late_ms_p99"`
			DropTun     int     `json:"drop_tun"`
			Failed      int     `json:"failed_writes"`
			Steal       float64 `json:"steal_share"`
		}
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			l.t.Fatalf("%v: %s", err, line)
		}
		if s.Dir == "" {
			out = append(out, fmt.Sprintf("stolen %.1f %%", 100*s.Steal))
			continue
		}
		l.late = max(l.late, s.Late99)
		out = append(out, fmt.Sprintf("%s: link %.0f %% used, queue p95 %.0f ms, late p99 %.2f ms, %d lost by linklab",
			s.Dir, 100*s.Utilisation, s.Queue95, s.Late99, s.DropTun+s.Failed))
	}
	return strings.Join(out, "; ")
}

// alone waits until the file is under its name and returns how long its bytes
// were under way: from the partial file, which the offer makes, less half a round
// trip in which the acceptance goes back. It is what the laboratory measures.
func (x *transfer) alone(rtt time.Duration) time.Duration {
	x.t.Helper()
	dir, name := filepath.Split(x.target)
	there := func(name string) func() bool {
		return func() bool {
			_, err := os.Stat(filepath.Join(dir, name))
			return err == nil
		}
	}
	partial := there("." + name + ".qft-part")
	eventually(x.t, time.Minute, "an offer", func() bool { return partial() || there(name)() })
	return eventually(x.t, 3*time.Minute, "the file", there(name)) - rtt/2
}

// lossy is a path for the table of the documentation.
type lossy struct {
	mbit int
	rtt  int     // ms
	loss float64 // percent, each way
	mb   int     // of the file
}

func (c lossy) String() string {
	return fmt.Sprintf("%d Mbit/s, RTT %d ms, loss %v %%, %d MB", c.mbit, c.rtt, c.loss, c.mb)
}

// TestOverLossyLinks prints what a long and lossy path yields. It fails only
// if the file does not arrive: how fast is judged in the laboratory, where
// time is exact.
func TestOverLossyLinks(t *testing.T) {
	for _, c := range []lossy{{100, 50, 10, 25}, {100, 1000, 10, 25}} {
		t.Run(c.String(), c.measure)
	}
}

// TestBenchLinks has the rest of the table. The queue is one bandwidth-delay
// product, at least 100 ms, as in the laboratory's grid.
func TestBenchLinks(t *testing.T) {
	if os.Getenv("QFT_BENCH") == "" {
		t.Skip("a measurement: make bench")
	}
	for _, c := range []lossy{
		{100, 50, 0, 50}, {100, 50, 1, 50}, {100, 50, 10, 50},
		{100, 1000, 0, 50}, {100, 1000, 1, 50}, {100, 1000, 10, 50},
		{100, 50, 0, 250}, {100, 50, 1, 250}, {100, 50, 10, 250}, {100, 1000, 0, 250}, {100, 1000, 10, 250},
		{1000, 10, 0, 1000}, {1000, 10, 0.1, 1000},
	} {
		t.Run(c.String(), c.measure)
	}
}

func (c lossy) measure(t *testing.T) {
	size := int64(c.mb) * 1_000_000
	if testing.Short() {
		size /= 10
	}
	w := newLink(t, "--rate", fmt.Sprintf("%dmbit", c.mbit), "--rtt", fmt.Sprintf("%dms", c.rtt),
		"--loss", fmt.Sprint(c.loss), "--queue", fmt.Sprintf("%dms", max(c.rtt, 100)))
	helper := w.b.startHelper()
	x := w.bySend(w.a, w.b, linkHelper, w.file("film", size))
	alone := float64(size) * 8 / x.alone(time.Duration(c.rtt)*time.Millisecond).Seconds() / 1e6
	x.wantDelivered(3 * time.Minute)
	t.Logf("GOODPUT %v: %.1f Mbit/s = %.0f %% of the link, %.1f Mbit/s without the meeting and the offer; RSS send %d MiB, receive %d MiB",
		c, x.speed(), 100*x.speed()/float64(c.mbit), alone, x.sender.peak.Load()>>20, x.receiver.peak.Load()>>20)
	stopHelper(helper) // its namespace goes with the link
	t.Logf("LINK %s", w.truth())
}
