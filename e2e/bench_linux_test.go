package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// contender is one way to copy a file from one machine to another.
type contender struct {
	name  string
	needs []string // programs
	copy  func(f file, target string) cost
}

// benchRounds is how often each contender runs, in turns with the others.
const benchRounds = 5

// TestBenchBesideOthers moves a gigabyte from memory to memory over one cable
// (MTU 1500): by the floor, which is the least that encrypted UDP can cost, by
// qft in several ways, and by what people have. It prints medians. What is
// compared was measured in the same minutes: the machine's speed varies by a
// factor of two between hours. Only that every copy is intact decides the test.
func TestBenchBesideOthers(t *testing.T) {
	if os.Getenv("QFT_BENCH") == "" {
		t.Skip("a measurement: make bench")
	}
	w := newPair(t)
	w.racing = false
	w.a.startHelper()
	f := w.big()
	all := w.contenders(t)
	took := make(map[string][]cost)
	for range benchRounds {
		for _, c := range all {
			took[c.name] = append(took[c.name], w.measure(c, f))
		}
	}
	t.Logf("%-14s %7s %9s %9s   %s", "", "Mbit/s", "CPU s/GiB", "peak MiB", "rounds, wall/CPU s")
	sums := make(map[string]summary)
	for _, c := range all {
		s := summarize(took[c.name], f.size)
		sums[c.name] = s
		t.Logf("%-14s %7.0f %9.2f %9s   %s", c.name, s.rate, s.cpu, s.peak, s.rounds)
	}
	judge(t, sums)
}

func (w *pair) contenders(t *testing.T) (all []contender) {
	qft := func(to *host, how launch) func(file, string) cost {
		return func(f file, target string) cost { return w.copyQft(to, f, target, how) }
	}
	for _, c := range []contender{
		{"floor", nil, w.copyFloor},
		{"qft", nil, qft(w.b, launch{})},
		{"qft loopback", nil, qft(w.a, launch{})},
		{"qft 1 thread", nil, qft(w.b, launch{env: []string{"GOMAXPROCS=1"}})},
		{"qft 1 core", []string{"taskset"}, qft(w.b, launch{wrap: []string{"taskset", "-c", "0"}})},
		{"qft no offload", nil, qft(w.b, launch{env: []string{"QFT_NO_OFFLOAD=1"}})},
		{"nc", []string{"nc"}, w.copyNc},
		{"rsync daemon", []string{"rsync"}, func(f file, target string) cost { return w.copyRsync(f, target) }},
		{"scp", []string{"scp", "sshd", "ssh-keygen"}, func(f file, target string) cost { return w.copyScp(f, target) }},
	} {
		missing := slices.IndexFunc(c.needs, func(tool string) bool {
			_, err := exec.LookPath(tool)
			return err != nil
		})
		if missing >= 0 {
			t.Logf("%s is not measured: needs %s (see scripts/tools)", c.name, c.needs[missing])
			continue
		}
		all = append(all, c)
	}
	return all
}

// measure has one contender copy the file once.
func (w *pair) measure(c contender, f file) cost {
	w.t.Helper()
	dir := w.folder()
	defer os.RemoveAll(dir)
	target := filepath.Join(dir, "copy")
	took := c.copy(f, target)
	if sum, err := checksum(target); err != nil || sum != f.sum {
		w.t.Fatalf("%s: what arrived is not what was sent: %v", c.name, err)
	}
	return took
}

// summary is the medians of several copies.
type summary struct {
	rate, cpu    float64 // Mbit/s; seconds per GiB
	peak, rounds string
}

func summarize(all []cost, size int64) (s summary) {
	median := func(of func(cost) int64) int64 {
		var v []int64
		for _, c := range all {
			v = append(v, of(c))
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	s.rate = float64(size) * 8e3 / float64(median(func(c cost) int64 { return int64(c.wall) }))
	s.cpu = float64(median(func(c cost) int64 { return int64(c.cpu) })) / 1e9 / (float64(size) / (1 << 30))
	if all[0].peak[0] > 0 {
		s.peak = fmt.Sprintf("%d + %d", median(func(c cost) int64 { return c.peak[0] })>>20, median(func(c cost) int64 { return c.peak[1] })>>20)
	}
	var rounds []string
	for _, c := range all {
		rounds = append(rounds, fmt.Sprintf("%.2f/%.2f", c.wall.Seconds(), c.cpu.Seconds()))
	}
	s.rounds = strings.Join(rounds, " ")
	return s
}

// judge compares the medians with the bars that qft is to pass.
func judge(t *testing.T, of map[string]summary) {
	for _, c := range []struct {
		what      string
		got, than float64
		aim       float64 // at least; negative: at most
	}{
		{"goodput, qft/floor", of["qft"].rate, of["floor"].rate, 0.85},
		{"CPU, qft/floor", of["qft"].cpu, of["floor"].cpu, -1.3},
		{"goodput, qft/nc", of["qft"].rate, of["nc"].rate, 1},
		{"goodput, qft/rsync daemon", of["qft"].rate, of["rsync daemon"].rate, 1},
		{"goodput, qft/scp", of["qft"].rate, of["scp"].rate, 1},
		{"goodput, loopback/veth", of["qft loopback"].rate, of["qft"].rate, 1},
		{"goodput, all cores/one", of["qft"].rate, of["qft 1 core"].rate, 1},
		{"goodput, all threads/one", of["qft"].rate, of["qft 1 thread"].rate, 0},
		{"CPU, all threads/one", of["qft"].cpu, of["qft 1 thread"].cpu, 0},
		{"goodput, offload/none", of["qft"].rate, of["qft no offload"].rate, 0},
	} {
		if c.got == 0 || c.than == 0 {
			continue // not measured
		}
		verdict := ""
		switch ratio := c.got / c.than; {
		case c.aim == 0:
		case c.aim > 0 && ratio >= c.aim, c.aim < 0 && ratio <= -c.aim:
			verdict = "PASS"
		default:
			verdict = "FALLS SHORT"
		}
		t.Logf("RATIO %-26s %5.2f  %s", c.what, c.got/c.than, verdict)
	}
}
