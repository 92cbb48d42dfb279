package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// TestBenchSmallFiles moves 10,000 files of 1 to 16 KiB from memory to memory
// over one cable: by qft and by what people have, beside cp -r of the same tree
// on the same disk. It prints medians; only that every copy is intact decides
// the test. qft's time is its whole command, and also without starting and
// meeting: from when both are connected.
func TestBenchSmallFiles(t *testing.T) {
	if os.Getenv("QFT_BENCH") == "" {
		t.Skip("a measurement: make bench")
	}
	w := newPair(t)
	w.racing = false
	w.a.startHelper()
	dir := filepath.Join(w.dir, "from", "small")
	g := grower{rng: rand.New(rand.NewPCG(1, 1)), dir: dir}
	bytes := int64(0)
	for i := range 10_000 {
		n := 1024 + g.rng.Int64N(15<<10)
		bytes += n
		g.file(fmt.Sprintf("%d/%d", i%100, i), n)
	}
	if err := g.finish(); err != nil {
		t.Fatal(err)
	}
	want, err := portrait(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := []contender{
		{"cp -r", nil, func(f file, target string) cost { return w.copyLocally(f.path, target) }},
		{"qft", nil, func(f file, target string) cost { return w.copyTreeQft(f.path, target) }},
		{"rsync daemon", []string{"rsync"}, func(f file, target string) cost {
			return w.copyRsync(file{path: f.path}, target, "-a")
		}},
		{"scp -r", []string{"scp", "sshd", "ssh-keygen"}, func(f file, target string) cost { return w.copyScp(file{path: f.path}, target, "-rp") }},
		{"croc", []string{"croc"}, func(f file, target string) cost { return w.copyCroc(f.path, target) }},
	}
	took := make(map[string][]time.Duration)
	for range benchRounds {
		for _, c := range all {
			if missing(t, c) {
				continue
			}
			into := w.folder()
			d := c.copy(file{path: dir}, into)
			got, err := portrait(filepath.Join(into, "small"))
			if err != nil {
				t.Fatal(err)
			}
			if c.name != "croc" && c.name != "cp -r" {
				if d := differences(want, got); d != "" && c.name == "qft" {
					t.Fatalf("%s: %s", c.name, d)
				}
			}
			if len(got) != len(want) {
				t.Fatalf("%s copied %d things of %d", c.name, len(got), len(want))
			}
			took[c.name] = append(took[c.name], d.wall)
			if d.moving > 0 {
				took["qft, moving"] = append(took["qft, moving"], d.moving)
			}
			os.RemoveAll(into)
		}
	}
	median := func(name string) float64 {
		v := slices.Clone(took[name])
		if len(v) == 0 {
			return 0
		}
		slices.Sort(v)
		return v[len(v)/2].Seconds()
	}
	cp := median("cp -r")
	for _, name := range []string{"cp -r", "qft", "qft, moving", "rsync daemon", "scp -r", "croc"} {
		if m := median(name); m > 0 {
			t.Logf("SMALL %-14s %6.2f s, %5.2f of cp -r   %v", name, m, m/cp, took[name])
		}
	}
	t.Logf("%d bytes in 10,000 files", bytes)
}

func missing(t *testing.T, c contender) bool {
	for _, tool := range c.needs {
		if _, err := exec.LookPath(tool); err != nil {
			t.Logf("%s is not measured: needs %s", c.name, tool)
			return true
		}
	}
	return false
}

func (w *pair) copyLocally(dir, into string) cost {
	p := w.start("cp", append(ahead, "cp", "-r", "-p", dir, into), nil)
	p.wantEnd(bigTime, 0)
	return cost{wall: p.ended.Sub(p.began)}
}

func (w *pair) copyTreeQft(dir, into string) cost {
	s := w.a.launch(launch{wrap: ahead, args: []string{"send", dir, "--helper", pairHelper}})
	r := w.b.launch(launch{wrap: ahead, args: []string{"receive", w.learn(s), "-o", into + "/", "--helper", pairHelper}})
	r.wantSay(bigTime, "connected")
	met := time.Now()
	r.wantEnd(bigTime, 0)
	s.wantEnd(bigTime, 0)
	return cost{wall: r.ended.Sub(r.began), moving: r.ended.Sub(met)}
}

// copyCroc has croc meet at a relay of its own.
func (w *pair) copyCroc(dir, into string) cost {
	relay := w.a.start("croc relay", []string{"croc", "relay", "--ports", "9009,9010,9011"}, nil)
	defer func() { relay.signal(syscall.SIGKILL); <-relay.done }()
	env := []string{"CROC_SECRET=1234-acid-robot-zebra"}
	s := w.a.start("croc send", append(ahead, "croc", "--relay", "192.0.2.1:9009", "--pass", "pass123", "send", dir), env)
	s.wantSay(bigTime, "Code is")
	r := w.b.start("croc", append(ahead, "croc", "--yes", "--relay", "192.0.2.1:9009", "--pass", "pass123", "--out", into), env)
	r.large, s.large = true, true
	r.wantEnd(bigTime, 0)
	return cost{wall: r.ended.Sub(r.began)}
}
